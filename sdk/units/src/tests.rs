use std::time::Duration;

use regex::Regex;

use super::*;

/// The lines of a list: the text, and the value as a number or as why there is none.
fn cases(list: &str) -> impl Iterator<Item = (&str, Result<u64, Unfit>)> {
    list.lines().filter_map(|line| line.strip_prefix('|')).map(|line| {
        let (text, value) = line.rsplit_once("| ").expect("a text between bars and its value");
        let value = match value {
            "form" => Err(Unfit::Form),
            "fine" => Err(Unfit::Fine),
            "large" => Err(Unfit::Large),
            number => Ok(number.replace('_', "").parse().expect("a number")),
        };
        (text, value)
    })
}

#[test]
fn durations_are_those_of_the_list() {
    let pattern = Regex::new(duration::PATTERN).unwrap();
    let mut count = 0;
    for (text, nanoseconds) in cases(include_str!("../cases/durations.txt")) {
        let parsed = duration::parse(text);
        assert_eq!(parsed, nanoseconds.map(Duration::from_nanos), "{text:?}");
        let taken = pattern.is_match(text) && text.chars().count() >= duration::MIN_LENGTH;
        assert_eq!(taken, parsed != Err(Unfit::Form), "the pattern and {text:?}");
        count += 1;
    }
    assert!(count > 60, "{count} durations");
}

#[test]
fn sizes_are_those_of_the_list() {
    let pattern = Regex::new(size::PATTERN).unwrap();
    let mut count = 0;
    for (text, bytes) in cases(include_str!("../cases/sizes.txt")) {
        let parsed = size::parse(text);
        assert_eq!(parsed, bytes, "{text:?}");
        assert_eq!(pattern.is_match(text), parsed != Err(Unfit::Form), "the pattern and {text:?}");
        count += 1;
    }
    assert!(count > 60, "{count} sizes");
}

#[test]
fn what_is_shown_is_read_again() {
    let mut value = 1_u64;
    for step in 0..10_000 {
        // Every magnitude, with round and crooked values.
        value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(step);
        for value in [value >> (step % 64), 1 << (step % 64), value / 1_000_000 * 1_000_000] {
            let shown = duration::show(Duration::from_nanos(value)).to_string();
            assert_eq!(duration::parse(&shown), Ok(Duration::from_nanos(value)), "{shown}");
            let shown = size::show(value).to_string();
            assert_eq!(size::parse(&shown), Ok(value), "{shown}");
        }
    }
}

#[test]
fn values_are_shown_as_people_write_them() {
    let shown = |nanoseconds| duration::show(Duration::from_nanos(nanoseconds)).to_string();
    assert_eq!(shown(0), "0s");
    assert_eq!(shown(90_250_000_000), "1m30s250ms");
    assert_eq!(shown(86_400_000_000_000), "24h");
    assert_eq!(shown(1_500), "1.500us");
    assert_eq!(shown(1), "0.001us");
    assert_eq!(size::show(16 << 20).to_string(), "16MiB");
    assert_eq!(size::show(1_500).to_string(), "1500B");
    assert_eq!(size::show(0).to_string(), "0B");
}
