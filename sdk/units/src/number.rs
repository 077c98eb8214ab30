//! Decimal numbers in front of a unit.

use crate::Unfit;

/// Digits, perhaps with a point and more digits.
pub(crate) struct Number<'a> {
    whole: &'a str,
    /// Behind the point; empty where there is none.
    fraction: &'a str,
}

// === impl Number ===

impl<'a> Number<'a> {
    /// The number that a text starts with, and what follows it.
    pub(crate) fn leading(text: &'a str) -> Option<(Number<'a>, &'a str)> {
        let (whole, after) = digits(text)?;
        match after.strip_prefix('.') {
            Some(after) => {
                let (fraction, after) = digits(after)?;
                Some((Number { whole, fraction }, after))
            }
            None => Some((Number { whole, fraction: "" }, after)),
        }
    }

    /// How many of the smallest unit it is, of which `factor` make up the one it is written in.
    pub(crate) fn times(&self, factor: u64) -> Result<u64, Unfit> {
        let mut whole = 0_u64;
        for digit in values(self.whole) {
            whole = whole
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(digit))
                .ok_or(Unfit::Large)?;
        }
        // From the last digit on: the sum is whole only if each of its steps is.
        let mut fraction = 0_u64;
        for digit in values(self.fraction).rev() {
            let tenfold = digit * factor + fraction;
            if !tenfold.is_multiple_of(10) {
                return Err(Unfit::Fine);
            }
            fraction = tenfold / 10;
        }
        whole.checked_mul(factor).and_then(|sum| sum.checked_add(fraction)).ok_or(Unfit::Large)
    }
}

/// At least one digit, and what follows.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    if end == 0 { None } else { text.split_at_checked(end) }
}

fn values(digits: &str) -> impl DoubleEndedIterator<Item = u64> + '_ {
    digits.bytes().map(|digit| u64::from(digit - b'0'))
}
