//! `250ms`, `10s`, `1m30s`, `1.5h`.

use std::fmt;
use std::time::Duration;

use crate::Unfit;
use crate::number::Number;

/// Units from the largest to the smallest, in nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
];

/// What to write, for people.
pub const WRITTEN: &str =
    "a number with one of the units us, ms, s, m, h, d: \"250ms\", \"10s\", \"1m30s\"";

/// The texts that [`parse`] takes, as a pattern (ECMA 262) for those of at least
/// [`MIN_LENGTH`] characters; values out of range are in it too.
pub const PATTERN: &str = "^([0-9]+([.][0-9]+)?d)?([0-9]+([.][0-9]+)?h)?([0-9]+([.][0-9]+)?m)?\
     ([0-9]+([.][0-9]+)?s)?([0-9]+([.][0-9]+)?ms)?([0-9]+([.][0-9]+)?us)?$";

/// Of the shortest duration: a digit and a unit.
pub const MIN_LENGTH: usize = 2;

/// A duration as it is written; see [`show`].
pub struct Shown(Duration);

/// Reads a duration: a number and a unit, or several from the largest unit to the smallest, each
/// once. A number may have a fraction, as TOML writes it; there are no signs and no spaces.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(weir_units::duration::parse("1m30s"), Ok(Duration::from_secs(90)));
/// assert_eq!(weir_units::duration::parse("1.5s"), Ok(Duration::from_millis(1500)));
/// assert!(weir_units::duration::parse("30s1m").is_err());
/// ```
///
/// # Errors
/// Where the text is something else, finer than a nanosecond, or longer than 584 years.
pub fn parse(text: &str) -> Result<Duration, Unfit> {
    let mut units = UNITS.iter();
    let (mut rest, mut sum) = (text, Ok(0_u64));
    loop {
        let (number, after) = Number::leading(rest).ok_or(Unfit::Form)?;
        let end = after.bytes().position(|byte| !byte.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(end).ok_or(Unfit::Form)?;
        // The iterator goes on where it stopped: a larger unit, or the same again, is not found.
        let (_, factor) = units.find(|(name, _)| *name == unit).ok_or(Unfit::Form)?;
        sum = sum.and_then(|sum| sum.checked_add(number.times(*factor)?).ok_or(Unfit::Large));
        if after.is_empty() {
            return sum.map(Duration::from_nanos);
        }
        rest = after;
    }
}

/// As it is written, in hours at most: `1h30m`, `250ms`. [`parse`] reads it again.
pub fn show(duration: Duration) -> Shown {
    Shown(duration)
}

// === impl Shown ===

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX);
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, factor) in UNITS.iter().skip(1) {
            let number = rest / factor;
            rest %= factor;
            let nanoseconds = if *factor == 1_000 { rest } else { 0 };
            if nanoseconds > 0 {
                write!(f, "{number}.{nanoseconds:03}{unit}")?;
            } else if number > 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}
