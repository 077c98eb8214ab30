//! Durations and sizes.
//!
//! In: a text without its place. Out: the value, or a [`Fault`] with a hint; and the way back.
//! Never: guesses a unit.

use std::time::Duration;

use super::problem::Fault;

/// `250ms`, `10s`, `1h`, `1m30s`, `1.5s`; units from the largest to the smallest.
pub(crate) fn duration(text: &str) -> Result<Duration, Fault> {
    const UNITS: [(&str, f64); 6] =
        [("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 1e-3), ("us", 1e-6)];
    let fault = || {
        Fault::hint(
            format!("{text:?} is not a duration"),
            "a number with one of the units us, ms, s, m, h, d: \"250ms\", \"10s\", \"1m30s\"",
        )
    };
    let mut rest = text;
    let mut sum = 0.0;
    let mut smallest = 0;
    while !rest.is_empty() {
        let number = leading_number(rest);
        let unit_end = rest[number.len()..]
            .find(|c: char| !c.is_ascii_alphabetic())
            .map_or(rest.len(), |end| number.len() + end);
        let unit = &rest[number.len()..unit_end];
        let index = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(fault)?;
        if index < smallest {
            return Err(fault());
        }
        smallest = index + 1;
        sum += number.parse::<f64>().map_err(|_| fault())? * UNITS[index].1;
        rest = &rest[unit_end..];
    }
    if text.is_empty() {
        return Err(fault());
    }
    Duration::try_from_secs_f64(sum).map_err(|_| fault())
}

/// `64KiB`, `10MiB`, `1.5GB`, `512B`, `512`; K, M, G with or without `i` and `B`: `KiB` is 1,024
/// bytes, `KB` 1,000.
pub(crate) fn size(text: &str) -> Result<u64, Fault> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("b", 1),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
    ];
    let fault = || {
        Fault::hint(
            format!("{text:?} is not a size"),
            "a number with one of the units B, KB, MB, GB, KiB, MiB, GiB: \"64KiB\", \"10MiB\"",
        )
    };
    let number = leading_number(text);
    let unit = text[number.len()..].trim_start().to_ascii_lowercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(fault)?;
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(*factor).ok_or_else(fault);
    }
    let bytes = number.parse::<f64>().map_err(|_| fault())? * *factor as f64;
    if bytes.fract() != 0.0 || bytes >= u64::MAX as f64 {
        return Err(fault());
    }
    Ok(bytes as u64)
}

fn leading_number(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    &text[..end]
}

/// As messages print a duration: `1h`, `1m30s`, `250ms`.
pub(crate) fn show_duration(duration: Duration) -> String {
    let (mut text, mut rest) = (String::new(), duration.as_millis());
    for (unit, millis) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if rest >= millis {
            text.push_str(&format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// As messages print a size: `16MiB`, `512B`.
pub(crate) fn show_size(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    format!("{bytes}B")
}
