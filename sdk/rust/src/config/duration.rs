//! Durations as the configuration writes them: `250ms`, `10s`, `1h`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time;

use serde::{Deserialize, Deserializer};

use crate::{Error, Schema};

/// A duration in a configuration: digits and one of `ms`, `s`, `m`, `h`, `d`; several in a row add
/// up, as in `1h30m`.
///
/// ```
/// let age: weir_sdk::Duration = "1h30m".parse()?;
/// assert_eq!(age.as_secs(), 5400); // derefs to std's
/// # Ok::<(), weir_sdk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(pub time::Duration);

const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

// === impl Duration ===

impl Duration {
    /// A duration of whole seconds, for defaults.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(time::Duration::from_secs(seconds))
    }

    /// A duration of whole milliseconds, for defaults.
    pub const fn from_millis(millis: u64) -> Self {
        Self(time::Duration::from_millis(millis))
    }
}

impl FromStr for Duration {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::new(format!(
                "`{text}` is no duration: write a number and ms, s, m, h or d, such as \"10s\""
            ))
        };
        let mut rest = text.trim();
        let mut millis = 0_u64;
        if rest.is_empty() {
            return Err(wrong());
        }
        while !rest.is_empty() {
            let (number, after) = super::size::number(rest).ok_or_else(wrong)?;
            let unit =
                after.find(|letter: char| !letter.is_ascii_lowercase()).unwrap_or(after.len());
            let (unit, after) = after.split_at(unit);
            let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
            millis = number
                .checked_mul(*factor)
                .and_then(|more| millis.checked_add(more))
                .ok_or_else(wrong)?;
            rest = after;
        }
        Ok(Self(time::Duration::from_millis(millis)))
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for Duration {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let (unit, factor) = UNITS
            .iter()
            .rev()
            .find(|(_, factor)| millis != 0 && millis.is_multiple_of(*factor))
            .unwrap_or(&("s", 1_000));
        write!(f, "{}{unit}", millis / factor)
    }
}

impl Schema for Duration {
    fn members(out: &mut String) {
        out.push_str(r#""type":"string","pattern":"^([0-9]+(ms|s|m|h|d))+$""#);
    }
}

impl Deref for Duration {
    type Target = time::Duration;

    fn deref(&self) -> &time::Duration {
        &self.0
    }
}

impl From<Duration> for time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}
