use std::time::{Duration, Instant};

use crate::clock;
use crate::quota::Account;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A store, and a quota of 16 MiB with its account.
struct Setup {
    store: MemoryStore,
    quota: Quota,
    account: Arc<Account>,
    now: Instant,
}

impl Setup {
    fn new() -> Setup {
        let account = Arc::<Account>::default();
        let quota = Quota::new(account.clone(), 16 << 20);
        Setup { store: MemoryStore::default(), quota, account, now: clock::now() }
    }

    fn set(&self, key: &str, value: &[u8], ttl: Option<Duration>) {
        self.try_set(key, value, ttl).expect("it fits");
    }

    fn try_set(&self, key: &str, value: &[u8], ttl: Option<Duration>) -> Result<(), Refused> {
        self.store.set(key, value, ttl, self.now, &self.quota)
    }

    fn set_if_absent(&self, key: &str, value: &[u8], now: Instant) -> Result<bool, Refused> {
        self.store.set_if_absent(key, value, None, now, &self.quota)
    }

    fn increment(
        &self,
        key: &str,
        by: i64,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<i64, Refused> {
        self.store.increment(key, by, ttl, now, &self.quota)
    }

    fn get(&self, key: &str, now: Instant) -> Option<Bytes> {
        self.store.get(key, now).expect("a short key")
    }

    fn bytes(&self) -> usize {
        self.account.held(Holding::Store)
    }
}

#[test]
fn set_get_replace_delete() {
    let setup = Setup::new();
    assert_eq!(setup.get("k", setup.now), None);
    setup.set("k", b"one", None);
    setup.set("k", b"two", None);
    assert_eq!(setup.get("k", setup.now), Some(Bytes::from_static(b"two")));
    setup.store.delete("k", &setup.quota).expect("a short key");
    setup.store.delete("k", &setup.quota).expect("a short key");
    assert_eq!(setup.get("k", setup.now), None);
    assert_eq!(setup.bytes(), 0);
}

#[test]
fn what_has_expired_is_gone() {
    let setup = Setup::new();
    let now = setup.now;
    setup.set("k", b"v", Some(SECOND));
    assert!(setup.get("k", now + SECOND / 2).is_some());
    assert!(setup.get("k", now + SECOND).is_none());
    assert_eq!(setup.set_if_absent("k", b"w", now + SECOND), Ok(true));
    setup.set("far", b"v", Some(Duration::MAX));
    assert!(setup.get("far", now + SECOND * 1_000_000).is_some());
}

#[test]
fn counting() {
    let setup = Setup::new();
    let now = setup.now;
    let increment = |key, by, ttl, at| setup.increment(key, by, ttl, at);
    assert_eq!(increment("n", 2, Some(SECOND), now), Ok(2));
    assert_eq!(increment("n", -5, Some(SECOND * 9), now + SECOND / 2), Ok(-3));
    assert_eq!(setup.get("n", now), Some(Bytes::from_static(b"-3")));
    assert_eq!(increment("n", 1, None, now + SECOND), Ok(1), "the first call's time counts");
    setup.set("text", b"abc", None);
    assert!(matches!(increment("text", 1, None, now), Err(Refused::NotCountable(_))));
    assert_eq!(increment("max", i64::MAX, None, now), Ok(i64::MAX));
    assert!(matches!(increment("max", 1, None, now), Err(Refused::NotCountable(_))));
    assert_eq!(increment("max", 0, None, now), Ok(i64::MAX));
}

#[test]
fn only_one_is_first() {
    let setup = Setup::new();
    assert_eq!(setup.set_if_absent("k", b"a", setup.now), Ok(true));
    assert_eq!(setup.set_if_absent("k", b"b", setup.now), Ok(false));
    assert_eq!(setup.get("k", setup.now), Some(Bytes::from_static(b"a")));
}

#[test]
fn too_large() {
    let setup = Setup::new();
    let now = setup.now;
    let long = "k".repeat(MAX_KEY + 1);
    assert_eq!(setup.try_set(&long, b"v", None), Err(Refused::TooLarge));
    assert_eq!(setup.increment(&long, 1, None, now), Err(Refused::TooLarge));
    assert_eq!(setup.store.get(&long, now), Err(Refused::TooLarge));
    assert_eq!(setup.store.delete(&long, &setup.quota), Err(Refused::TooLarge));
    let big = vec![0; MAX_VALUE + 1];
    assert_eq!(setup.try_set("k", &big, None), Err(Refused::TooLarge));
    assert_eq!(setup.set_if_absent("k", &big, now), Err(Refused::TooLarge));
    setup.set(&long[1..], &big[1..], None);
    let little = Quota::new(Arc::default(), 1 << 10);
    assert_eq!(setup.store.set("k", &[0; 1024], None, now, &little), Err(Refused::TooLarge));
}

#[test]
fn what_is_nearest_its_expiry_makes_room() {
    let setup = Setup::new();
    let value = vec![0; MAX_VALUE];
    setup.set("never", &value, None);
    setup.set("soon", &value, Some(SECOND));
    setup.set("late", &value, Some(SECOND * 60));
    for key in 0..12 {
        setup.set(&key.to_string(), &value, Some(SECOND * 30));
    }
    assert!(setup.bytes() <= 16 << 20);
    let there = |key: &str| setup.get(key, setup.now).is_some();
    assert!(!there("soon") && there("late") && there("never") && there("0"));
    for key in 20..60 {
        setup.set(&key.to_string(), &value, None);
    }
    assert!(!there("late") && !there("never"), "those without an end go last, oldest first");
    assert!(there("59") && setup.bytes() <= 16 << 20);
}

#[test]
fn entries_give_way_to_what_else_is_kept_and_are_refused_where_none_is_left() {
    let setup = Setup::new();
    setup.set("a", &[0; MAX_VALUE], None);
    setup.set("b", &[0; MAX_VALUE], None);
    let body = setup.quota.hold(Holding::Bodies, 15 << 20, "");
    assert!(body.is_none(), "the store is in the way");
    setup.store.give_way(15 << 20, &setup.quota);
    let body = setup.quota.hold(Holding::Bodies, 14 << 20, "").expect("it gave way");
    assert_eq!(setup.bytes(), 0);
    setup.set("c", b"kept", None);
    let refused = setup.try_set("c", &[0; MAX_VALUE], None);
    assert!(matches!(refused, Err(Refused::UsedUp(_))), "{refused:?}");
    assert_eq!(setup.get("c", setup.now).as_deref(), Some(&b"kept"[..]), "it is as it was");
    drop(body);
    setup.set("c", &[0; MAX_VALUE], None);
}

#[test]
fn one_call_drops_little_of_what_has_expired() {
    let setup = Setup::new();
    for key in 0..10_000 {
        setup.set(&key.to_string(), b"v", Some(SECOND));
    }
    let (later, before) = (setup.now + SECOND, setup.bytes());
    assert_eq!(setup.set_if_absent("new", b"v", later), Ok(true));
    let freed = before - setup.bytes();
    assert!(freed > 0 && freed < 2 * SWEPT_BY_SET * ENTRY_BYTES, "{freed} bytes at once");
    for key in 0..1_000 {
        assert_eq!(setup.set_if_absent(&format!("new {key}"), b"v", later), Ok(true));
    }
    let live = 1_001 * (ENTRY_BYTES + 16);
    assert!(setup.bytes() <= live, "what has expired goes sooner than something new comes");
}

#[test]
fn one_value_drops_a_bounded_number() {
    let mut setup = Setup::new();
    for key in 0..20_000 {
        setup.set(&key.to_string(), b"v", None);
    }
    let full = setup.bytes();
    // As after a reload with less of it.
    setup.quota = Quota::new(setup.account.clone(), 1 << 20);
    let refused = setup.try_set("c", b"v", None);
    assert!(matches!(refused, Err(Refused::UsedUp(_))), "{refused:?}");
    assert!(setup.bytes() > full - (DROPPED + 1) * (ENTRY_BYTES + 8), "{}", setup.bytes());
    while setup.try_set("c", b"v", None).is_err() {}
    assert!(setup.bytes() <= 1 << 20);
}

#[test]
fn what_has_expired_makes_room_by_itself() {
    let setup = Setup::new();
    for key in 0..SWEPT {
        setup.set(&key.to_string(), b"v", Some(SECOND));
    }
    setup.set("stays", b"v", None);
    setup.store.sweep(setup.now + SECOND, &setup.quota);
    assert_eq!(setup.bytes(), "stays".len() + 1 + ENTRY_BYTES);
}
