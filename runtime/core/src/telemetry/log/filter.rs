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
/// `weir::plugin` for what plugins say. A target fits all that begins with it, so that `weir` is each
/// of Weir's crates (`weir`, `weir_core`, `weir_wasm`); the longest that fits counts. Default: `info`.
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
                    if !is_target(target) {
                        return Err(format!("{target:?} is no target, as \"weir::proxy\" is"));
                    }
                    filter.targets.push((target.to_owned(), level(of.trim())?));
                }
            }
        }
        Ok(filter)
    }

    /// As [`Filter::parse`], of a variable that other programs read as well: a target alone is told
    /// whole, as they do it, and what is not understood here is left out and given back.
    pub fn parse_shared(text: &str) -> (Filter, Vec<String>) {
        let (mut filter, mut unknown) = (Filter::default(), Vec::new());
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            match Filter::parse(part) {
                Ok(read) if read.targets.is_empty() => filter.level = read.level,
                Ok(read) => filter.targets.extend(read.targets),
                Err(_) if is_target(part) => {
                    filter.targets.push((part.to_owned(), LevelFilter::TRACE));
                }
                Err(_) => unknown.push(part.to_owned()),
            }
        }
        (filter, unknown)
    }

    pub(super) fn targets(&self) -> Targets {
        Targets::new().with_default(self.level).with_targets(self.targets.clone())
    }
}

fn is_target(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_:-".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(legal)
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
        for (text, shown, unknown) in [
            ("weir", "info,weir=trace", 0),
            ("warn,hyper[span{x=y}]=trace,weir=debug", "warn,weir=debug", 1),
            ("3", "info", 1),
            ("error,", "error", 0),
        ] {
            let (filter, rest) = Filter::parse_shared(text);
            assert_eq!((filter.to_string(), rest.len()), (shown.to_owned(), unknown), "{text}");
        }
    }
}
