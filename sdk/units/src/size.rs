//! `64KiB`, `10MB`, `1.5GiB`, `512`.

use std::fmt;

use crate::Unfit;
use crate::number::Number;

/// In lower case; in bytes.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("kb", 1_000),
    ("kib", 1 << 10),
    ("mb", 1_000_000),
    ("mib", 1 << 20),
    ("gb", 1_000_000_000),
    ("gib", 1 << 30),
];

/// What to write, for people.
pub const WRITTEN: &str =
    "a number with one of the units B, KB, MB, GB, KiB, MiB, GiB: \"64KiB\", \"10MiB\"";

/// The texts that [`parse`] takes, as a pattern (ECMA 262); values out of range are in it too.
pub const PATTERN: &str = "^[0-9]+([.][0-9]+)?( ?([KkMmGg][Ii]?)?[Bb])?$";

/// A size as it is written; see [`show`].
pub struct Shown(u64);

/// Reads a size in bytes: a number and a unit, in any case and with at most one space between.
/// `KiB` is 1,024 bytes and `KB` 1,000; a number alone counts bytes.
///
/// ```
/// assert_eq!(weir_units::size::parse("64KiB"), Ok(65_536));
/// assert_eq!(weir_units::size::parse("1.5kib"), Ok(1_536));
/// assert!(weir_units::size::parse("0.5B").is_err());
/// ```
///
/// # Errors
/// Where the text is something else, is no whole number of bytes, or does not fit in 64 bits.
pub fn parse(text: &str) -> Result<u64, Unfit> {
    let (number, after) = Number::leading(text).ok_or(Unfit::Form)?;
    let unit = after.strip_prefix(' ').unwrap_or(after);
    if unit.is_empty() && !after.is_empty() {
        return Err(Unfit::Form);
    }
    let same = |(name, _): &&(&str, u64)| name.eq_ignore_ascii_case(unit);
    let (_, factor) = UNITS.iter().find(same).ok_or(Unfit::Form)?;
    number.times(*factor)
}

/// As it is written, in the largest unit of 1,024s that it is a whole number of: `16MiB`, `512B`.
pub fn show(bytes: u64) -> Shown {
    Shown(bytes)
}

// === impl Shown ===

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        write!(f, "{}B", self.0)
    }
}
