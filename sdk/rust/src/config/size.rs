//! Sizes as the configuration writes them: `64KiB`, `10MiB`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::{Error, Schema};

/// A number of bytes in a configuration: digits and one of `B`, `KiB`, `MiB`, `GiB` (powers of
/// 1024), `KB`, `MB`, `GB` (powers of 1000).
///
/// ```
/// let limit: weir_sdk::Size = "64KiB".parse()?;
/// assert_eq!(limit.bytes(), 65_536);
/// # Ok::<(), weir_sdk::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(pub u64);

const UNITS: [(&str, u64); 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("KiB", 1 << 10),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
];

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
        number(text.trim())
            .and_then(|(number, unit)| {
                let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
                number.checked_mul(*factor)
            })
            .map(Self)
            .ok_or_else(|| {
                Error::new(format!(
                    "`{text}` is no size: write a number and B, KiB, MiB, GiB, KB, MB or GB, \
                     such as \"64KiB\""
                ))
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
        let (unit, factor) = UNITS
            .iter()
            .rev()
            .filter(|(unit, _)| unit.len() != 2)
            .find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor))
            .unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl Schema for Size {
    fn members(out: &mut String) {
        out.push_str(r#""type":"string","pattern":"^[0-9]+(B|[KMG]i?B)$""#);
    }
}

/// The digits at the start of a text, and what follows them.
pub(super) fn number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|digit: char| !digit.is_ascii_digit()).unwrap_or(text.len());
    let (digits, after) = text.split_at(end);
    Some((digits.parse().ok()?, after))
}
