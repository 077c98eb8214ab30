//! Durations as the configuration writes them: `250ms`, `10s`, `1h`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time;

use serde::{Deserialize, Deserializer};
use weir_units::{Unfit, duration};

use crate::{Error, Schema};

/// A duration in a configuration: a number and one of `us`, `ms`, `s`, `m`, `h`, `d`, as in `1.5s`;
/// several in a row from the largest unit to the smallest, as in `1h30m`. The proxy's own keys
/// take the same texts.
///
/// ```
/// let age: weir_sdk::Duration = "1h30m".parse()?;
/// assert_eq!(age.as_secs(), 5400); // derefs to std's
/// # Ok::<(), weir_sdk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Duration(pub time::Duration);

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
        duration::parse(text).map(Self).map_err(|unfit| {
            let error = Error::new(match unfit {
                Unfit::Form => format!("`{text}` is no duration"),
                Unfit::Fine => format!("`{text}` is finer than a nanosecond"),
                Unfit::Large => format!("`{text}` is longer than 584 years"),
            });
            error.help(duration::WRITTEN)
        })
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
        duration::show(self.0).fmt(f)
    }
}

impl Schema for Duration {
    fn members(out: &mut String) {
        out.push_str(r#""type":"string","minLength":2,"pattern":""#);
        out.push_str(duration::PATTERN);
        out.push('"');
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
