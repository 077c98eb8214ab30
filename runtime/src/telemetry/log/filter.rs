//! What the daemon's own log tells: levels, for everything or by target.
//!
//! In: `debug`, or `warn,weir::proxy=debug`. Out: a [`Filter`]. Never: takes a word that is no level
//! for the name of a target, as the usual parsers do, and then tells nothing at all.

use std::fmt;
use std::str::FromStr;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// A level, and others for targets: the modules of Weir and of its dependencies, and
/// `weir::plugin` for what plugins say. The longest target that fits counts. Default: `info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    level: LevelFilter,
    targets: Vec<(String, LevelFilter)>,
}

impl Filter {
    /// Reads levels and `target=level`, with commas between. What no target fits, where no level
    /// stands alone, is told from `info` on.
    ///
    /// # Errors
    /// What cannot be read, for people.
    pub fn parse(text: &str) -> Result<Filter, String> {
        let mut filter = Filter::default();
        for part in text.split(',').map(str::trim) {
            match part.split_once('=') {
                None => filter.level = level(part)?,
                Some((target, of)) => {
                    let target = target.trim();
                    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte);
                    if target.is_empty() || !target.bytes().all(legal) {
                        return Err(format!("{target:?} is no target, as \"weir::proxy\" is"));
                    }
                    filter.targets.push((target.to_owned(), level(of.trim())?));
                }
            }
        }
        Ok(filter)
    }

    pub(super) fn targets(&self) -> Targets {
        Targets::new().with_default(self.level).with_targets(self.targets.clone())
    }
}

fn level(text: &str) -> Result<LevelFilter, String> {
    let known = LEVELS.iter().find(|known| known.eq_ignore_ascii_case(text));
    let level = known.and_then(|known| LevelFilter::from_str(known).ok());
    level.ok_or_else(|| format!("{text:?} is no level of the log"))
}

impl Default for Filter {
    fn default() -> Self {
        Filter { level: LevelFilter::INFO, targets: Vec::new() }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.level)?;
        self.targets.iter().try_for_each(|(target, level)| write!(f, ",{target}={level}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_targets() {
        for (text, shown) in [
            ("info", "info"),
            ("DEBUG", "debug"),
            ("warn, weir::proxy = debug", "warn,weir::proxy=debug"),
            ("h2=error", "info,h2=error"),
            ("off", "off"),
        ] {
            assert_eq!(Filter::parse(text).expect(text).to_string(), shown);
        }
        for bad in ["", "verbose", "info,", "weir=", "=debug", "a b=info", "weir[span]=debug", "3"]
        {
            assert!(Filter::parse(bad).is_err(), "{bad:?}");
        }
    }
}
