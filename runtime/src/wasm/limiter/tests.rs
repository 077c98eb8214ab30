use std::time::{Duration, Instant};

use super::*;

fn bucket(rate: f64, burst: u32) -> Bucket {
    Bucket::new(rate, burst).expect("a bucket")
}

#[test]
fn a_bucket_starts_full_empties_and_refills() {
    let (limiter, now) = (Limiter::new(), Instant::now());
    let bucket = bucket(2.0, 3);
    let take = |cost, at| limiter.take("k", bucket, cost, at);
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
    let (limiter, now) = (Limiter::new(), Instant::now());
    assert!(!limiter.take("k", bucket(1.0, 2), 3, now).allowed);
    assert_eq!(limiter.take("k", bucket(1.0, 2), 3, now).wait, Duration::MAX);
    assert!(limiter.take("k", bucket(1.0, 2), 2, now).allowed);
}

#[test]
fn keys_do_not_share() {
    let (limiter, now) = (Limiter::new(), Instant::now());
    assert!(limiter.take("a", bucket(1.0, 1), 1, now).allowed);
    assert!(limiter.take("b", bucket(1.0, 1), 1, now).allowed);
    assert!(!limiter.take("a", bucket(1.0, 1), 1, now).allowed);
}

#[test]
fn time_that_goes_back_gives_nothing() {
    let (limiter, now) = (Limiter::new(), Instant::now());
    let later = now + Duration::from_secs(1);
    assert!(limiter.take("k", bucket(1.0, 1), 1, later).allowed);
    assert!(!limiter.take("k", bucket(1.0, 1), 1, now).allowed);
    assert!(!limiter.take("k", bucket(1.0, 1), 1, later).allowed);
}

#[test]
fn a_smaller_burst_keeps_what_fits() {
    let (limiter, now) = (Limiter::new(), Instant::now());
    assert_eq!(limiter.take("k", bucket(1.0, 100), 1, now).remaining, 99);
    assert_eq!(limiter.take("k", bucket(1.0, 5), 1, now).remaining, 4);
}

#[test]
fn what_is_no_bucket() {
    for (rate, burst) in [(0.0, 1), (-1.0, 1), (f64::NAN, 1), (f64::INFINITY, 1), (1.0, 0)] {
        assert_eq!(Bucket::new(rate, burst), None, "{rate} {burst}");
    }
    let slow = bucket(f64::MIN_POSITIVE, 1);
    let limiter = Limiter::new();
    assert!(limiter.take("k", slow, 1, Instant::now()).allowed);
    assert_eq!(limiter.take("k", slow, 1, Instant::now()).wait, Duration::MAX);
}

#[test]
fn full_buckets_are_swept() {
    let (limiter, now) = (Limiter::new(), Instant::now());
    for key in 0..100_000 {
        let at = now + Duration::from_millis(key);
        limiter.take(&format!("{key}"), bucket(1000.0, 1), 1, at);
    }
    assert!(limiter.len() <= SHARDS * SWEEP_FROM * 2, "{} are kept", limiter.len());
}

#[test]
fn places_are_given_back() {
    let limiter = Limiter::new();
    let first = limiter.enter("k", 2).expect("a place");
    let second = limiter.enter("k", 2).expect("a place");
    assert!(limiter.enter("k", 2).is_none());
    drop(first);
    assert!(limiter.enter("k", 2).is_some());
    drop(second);
    assert!(limiter.enter("other", 0).is_none());
}

#[test]
fn empty_places_are_swept_and_taken_ones_kept() {
    let limiter = Limiter::new();
    let kept = limiter.enter("kept", 1);
    for key in 0..100_000 {
        drop(limiter.enter(&format!("{key}"), 1));
    }
    assert!(limiter.len() <= SHARDS * SWEEP_FROM * 2, "{} are kept", limiter.len());
    assert!(limiter.enter("kept", 1).is_none());
    drop(kept);
    assert!(limiter.enter("kept", 1).is_some());
}
