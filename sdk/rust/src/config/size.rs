//! Sizes as the configuration writes them: `64KiB`, `10MiB`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};
use weir_units::{Unfit, size};

use crate::{Error, Schema};

/// A number of bytes in a configuration: a number and one of `B`, `KiB`, `MiB`, `GiB` (powers of
/// 1024), `KB`, `MB`, `GB` (powers of 1000), in any case; or a number alone. The proxy's own keys
/// take the same texts.
///
/// ```
/// let limit: weir_sdk::Size = "64KiB".parse()?;
/// assert_eq!(limit.bytes(), 65_536);
/// # Ok::<(), weir_sdk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(pub u64);

// === impl Size ===

impl Size {
    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        size::parse(text).map(Self).map_err(|unfit| {
            let error = Error::new(match unfit {
                Unfit::Form => format!("`{text}` is no size"),
                Unfit::Fine => format!("`{text}` is no whole number of bytes"),
                Unfit::Large => format!("`{text}` does not fit in 64 bits"),
            });
            error.help(size::WRITTEN)
        })
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl serde::Serialize for Size {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        size::show(self.0).fmt(f)
    }
}

impl Schema for Size {
    fn members(out: &mut String) {
        out.push_str(r#""type":"string","pattern":""#);
        out.push_str(size::PATTERN);
        out.push('"');
    }
}
