use std::time::{Duration, Instant};

use crate::clock;
use crate::quota::{Account, Quota};

use super::*;

/// More than any test here needs.
fn plenty() -> Quota {
    Quota::new(Arc::default(), 1 << 30)
}

/// With a quota that has room.
fn take(limiter: &MemoryLimiter, key: &str, bucket: Bucket, cost: u32, now: Instant) -> Taken {
    limiter.take(key, bucket, cost, now, &plenty()).expect("room")
}

fn enter(limiter: &MemoryLimiter, key: &str, limit: u32) -> Option<InFlight> {
    limiter.enter(key, limit, clock::now(), &plenty()).expect("room")
}

fn bucket(rate: f64, burst: u32) -> Bucket {
    Bucket::new(rate, burst).expect("a bucket")
}

#[test]
fn a_bucket_starts_full_empties_and_refills() {
    let (limiter, now) = (MemoryLimiter::new(), clock::now());
    let bucket = bucket(2.0, 3);
    let take = |cost, at| take(&limiter, "k", bucket, cost, at);
    assert_eq!(
        take(1, now),
        Taken { allowed: true, remaining: 2, wait: Duration::from_millis(500) }
    );
    assert_eq!(
        take(2, now),
        Taken { allowed: true, remaining: 0, wait: Duration::from_millis(1500) }
    );
    assert_eq!(
        take(1, now),
        Taken { allowed: false, remaining: 0, wait: Duration::from_millis(500) }
    );
    assert!(!take(1, now + Duration::from_millis(499)).allowed);
    assert!(take(1, now + Duration::from_millis(500)).allowed);
    assert_eq!(take(0, now + Duration::from_secs(60)).remaining, 3);
}

#[test]
fn refused_takes_nothing() {
    let (limiter, now) = (MemoryLimiter::new(), clock::now());
    assert!(!take(&limiter, "k", bucket(1.0, 2), 3, now).allowed);
    assert_eq!(take(&limiter, "k", bucket(1.0, 2), 3, now).wait, Duration::MAX);
    assert!(take(&limiter, "k", bucket(1.0, 2), 2, now).allowed);
}

#[test]
fn keys_do_not_share() {
    let (limiter, now) = (MemoryLimiter::new(), clock::now());
    assert!(take(&limiter, "a", bucket(1.0, 1), 1, now).allowed);
    assert!(take(&limiter, "b", bucket(1.0, 1), 1, now).allowed);
    assert!(!take(&limiter, "a", bucket(1.0, 1), 1, now).allowed);
}

#[test]
fn time_that_goes_back_gives_nothing() {
    let (limiter, now) = (MemoryLimiter::new(), clock::now());
    let later = now + Duration::from_secs(1);
    assert!(take(&limiter, "k", bucket(1.0, 1), 1, later).allowed);
    assert!(!take(&limiter, "k", bucket(1.0, 1), 1, now).allowed);
    assert!(!take(&limiter, "k", bucket(1.0, 1), 1, later).allowed);
}

#[test]
fn a_smaller_burst_keeps_what_fits() {
    let (limiter, now) = (MemoryLimiter::new(), clock::now());
    assert_eq!(take(&limiter, "k", bucket(1.0, 100), 1, now).remaining, 99);
    assert_eq!(take(&limiter, "k", bucket(1.0, 5), 1, now).remaining, 4);
}

#[test]
fn what_is_no_bucket() {
    for (rate, burst) in [(0.0, 1), (-1.0, 1), (f64::NAN, 1), (f64::INFINITY, 1), (1.0, 0)] {
        assert_eq!(Bucket::new(rate, burst), None, "{rate} {burst}");
    }
    let slow = bucket(f64::MIN_POSITIVE, 1);
    let limiter = MemoryLimiter::new();
    assert!(take(&limiter, "k", slow, 1, clock::now()).allowed);
    assert_eq!(take(&limiter, "k", slow, 1, clock::now()).wait, Duration::MAX);
}

#[test]
fn full_buckets_are_swept() {
    let (limiter, now) = (MemoryLimiter::new(), clock::now());
    let quota = plenty();
    for key in 0..100_000 {
        let at = now + Duration::from_millis(key);
        limiter.take(&format!("{key}"), bucket(1000.0, 1), 1, at, &quota).expect("room");
    }
    assert!(limiter.len() <= SHARDS * SWEEP_FROM * 2, "{} are kept", limiter.len());
}

#[test]
fn places_are_given_back() {
    let limiter = MemoryLimiter::new();
    let first = enter(&limiter, "k", 2).expect("a place");
    let second = enter(&limiter, "k", 2).expect("a place");
    assert!(enter(&limiter, "k", 2).is_none());
    drop(first);
    assert!(enter(&limiter, "k", 2).is_some());
    drop(second);
    assert!(enter(&limiter, "other", 0).is_none());
}

#[test]
fn empty_places_are_swept_and_taken_ones_kept() {
    let (limiter, now, quota) = (MemoryLimiter::new(), clock::now(), plenty());
    let enter = |key: &str| limiter.enter(key, 1, now, &quota).expect("room");
    let kept = enter("kept");
    for key in 0..100_000 {
        drop(enter(&key.to_string()));
    }
    assert!(limiter.len() <= SHARDS * SWEEP_FROM * 2, "{} are kept", limiter.len());
    assert!(enter("kept").is_none());
    drop(kept);
    assert!(enter("kept").is_some());
}

#[test]
fn what_is_full_again_is_gone_without_another_key() {
    let (limiter, now, account) = (MemoryLimiter::new(), clock::now(), Arc::<Account>::default());
    let quota = Quota::new(account.clone(), 1 << 30);
    for key in 0..10_000 {
        limiter.take(&key.to_string(), bucket(1.0, 5), 1, now, &quota).expect("room");
    }
    limiter.take("slow", bucket(0.001, 5), 1, now, &quota).expect("room");
    assert!(account.held(Holding::Limiter) > 10_000 * ENTRY_BYTES);
    for _ in 0..SHARDS / SWEPT {
        limiter.sweep(now + Duration::from_secs(1), &quota);
    }
    assert_eq!(limiter.len(), 1, "only what tells something is kept");
    assert_eq!(account.held(Holding::Limiter), "slow".len() + ENTRY_BYTES);
}

#[test]
fn endless_keys_make_room_by_what_tells_least() {
    let (limiter, now, account) = (MemoryLimiter::new(), clock::now(), Arc::<Account>::default());
    let quota = Quota::new(account.clone(), 256 << 10);
    // A client that is out of tokens for long, and a flood of others that took one of many.
    let victim = || limiter.take("victim", bucket(0.01, 10), 10, now, &quota).expect("room");
    assert!(victim().allowed);
    for key in 0..100_000 {
        let taken = limiter.take(&format!("flood {key}"), bucket(10.0, 10), 1, now, &quota);
        assert!(taken.expect("there is always room").allowed);
    }
    assert!(account.held(Holding::Limiter) <= 256 << 10);
    assert!(!victim().allowed, "the flood made the limiter forget who was out of tokens");
}

#[test]
fn places_that_are_taken_do_not_make_room() {
    let (limiter, now, account) = (MemoryLimiter::new(), clock::now(), Arc::<Account>::default());
    let quota = Quota::new(account.clone(), 16 << 10);
    let mut places = Vec::new();
    let refused =
        (0..1000).map(|key| limiter.enter(&key.to_string(), 1, now, &quota)).find_map(|entered| {
            match entered {
                Ok(place) => {
                    places.extend(place);
                    None
                }
                Err(refused) => Some(refused.to_string()),
            }
        });
    assert!(refused.is_some_and(|text| text.contains("limits.quota")), "it goes on for ever");
    assert!(places.len() > 50 && account.held(Holding::Limiter) <= 16 << 10);
    places.clear();
    assert!(limiter.enter("another", 1, now, &quota).is_ok_and(|place| place.is_some()));
}
