use std::time::{Duration, Instant};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

#[test]
fn set_get_replace_delete() {
    let (store, now) = (Store::default(), Instant::now());
    assert_eq!(store.get("k", now), None);
    store.set("k", bytes("one"), None, now).expect("it fits");
    store.set("k", bytes("two"), None, now).expect("it fits");
    assert_eq!(store.get("k", now), Some(bytes("two")));
    store.delete("k");
    store.delete("k");
    assert_eq!(store.get("k", now), None);
    assert_eq!(store.bytes(), 0);
}

#[test]
fn what_has_expired_is_gone() {
    let (store, now) = (Store::default(), Instant::now());
    store.set("k", bytes("v"), Some(SECOND), now).expect("it fits");
    assert!(store.get("k", now + SECOND / 2).is_some());
    assert!(store.get("k", now + SECOND).is_none());
    assert_eq!(store.set_if_absent("k", bytes("w"), None, now + SECOND), Ok(true));
    store.set("far", bytes("v"), Some(Duration::MAX), now).expect("it fits");
    assert!(store.get("far", now + SECOND * 1_000_000).is_some());
}

#[test]
fn counting() {
    let (store, now) = (Store::default(), Instant::now());
    assert_eq!(store.increment("n", 2, Some(SECOND), now), Ok(2));
    assert_eq!(store.increment("n", -5, Some(SECOND * 9), now + SECOND / 2), Ok(-3));
    assert_eq!(store.get("n", now), Some(bytes("-3")));
    assert_eq!(store.increment("n", 1, None, now + SECOND), Ok(1), "the first call's time counts");
    store.set("text", bytes("abc"), None, now).expect("it fits");
    assert!(matches!(store.increment("text", 1, None, now), Err(Refused::NotCountable(_))));
    assert_eq!(store.increment("max", i64::MAX, None, now), Ok(i64::MAX));
    assert!(matches!(store.increment("max", 1, None, now), Err(Refused::NotCountable(_))));
    assert_eq!(store.increment("max", 0, None, now), Ok(i64::MAX));
}

#[test]
fn only_one_is_first() {
    let (store, now) = (Store::default(), Instant::now());
    assert_eq!(store.set_if_absent("k", bytes("a"), None, now), Ok(true));
    assert_eq!(store.set_if_absent("k", bytes("b"), None, now), Ok(false));
    assert_eq!(store.get("k", now), Some(bytes("a")));
}

#[test]
fn too_large() {
    let (store, now) = (Store::default(), Instant::now());
    let long = "k".repeat(MAX_KEY + 1);
    assert_eq!(store.set(&long, bytes("v"), None, now), Err(Refused::TooLarge));
    assert_eq!(store.increment(&long, 1, None, now), Err(Refused::TooLarge));
    let big = Bytes::from(vec![0; MAX_VALUE + 1]);
    assert_eq!(store.set("k", big.clone(), None, now), Err(Refused::TooLarge));
    assert_eq!(store.set_if_absent("k", big.clone(), None, now), Err(Refused::TooLarge));
    store.set(&long[1..], big.slice(1..), None, now).expect("just fits");
}

#[test]
fn what_is_nearest_its_expiry_makes_room() {
    let (store, now) = (Store::default(), Instant::now());
    let value = Bytes::from(vec![0; MAX_VALUE]);
    store.set("never", value.clone(), None, now).expect("it fits");
    store.set("soon", value.clone(), Some(SECOND), now).expect("it fits");
    store.set("late", value.clone(), Some(SECOND * 60), now).expect("it fits");
    for key in 0..13 {
        store.set(&key.to_string(), value.clone(), Some(SECOND * 30), now).expect("it fits");
    }
    assert!(store.bytes() <= MAX_BYTES);
    let there = |key: &str| store.get(key, now).is_some();
    assert!(!there("soon") && there("late") && there("never") && there("0"));
    for key in 20..60 {
        store.set(&key.to_string(), value.clone(), None, now).expect("it fits");
    }
    assert!(!there("late") && !there("never"), "those without an end go last, oldest first");
    assert!(there("59") && store.bytes() <= MAX_BYTES);
}
