use std::time::Duration;

use super::*;
use weir_core::clock;

#[test]
fn pauses_double_from_the_fifth_trap_up_to_five_seconds() {
    let now = clock::now();
    let mut backoff = Backoff::default();
    for _ in 0..4 {
        assert_eq!(backoff.failed(now), None);
        assert!(backoff.admits(now));
    }
    let pauses: Vec<u128> =
        (0..8).filter_map(|_| backoff.failed(now)).map(|pause| pause.as_millis()).collect();
    assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
    assert!(!backoff.admits(now + Duration::from_millis(4999)));
    assert!(backoff.admits(now + Duration::from_secs(5)));
}

#[test]
fn one_good_call_forgives_everything() {
    let now = clock::now();
    let mut backoff = Backoff::default();
    for _ in 0..9 {
        backoff.failed(now);
    }
    backoff.succeeded();
    assert!(backoff.admits(now));
    assert_eq!(backoff.failed(now), None);
}

#[test]
fn a_million_traps_do_not_overflow() {
    let now = clock::now();
    let mut backoff = Backoff { failures: u32::MAX - 1, until: None };
    for _ in 0..3 {
        assert_eq!(backoff.failed(now), Some(LONGEST));
    }
}
