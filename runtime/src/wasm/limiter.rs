//! Limits that all workers of a node share: token buckets and in-flight counts, kept over reloads.
//!
//! In: a key, a bucket, `now`. Out: taken or not. Never: holds a lock longer than one look-up, and
//! never keeps a bucket that is full again: a new one would start just so.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use crate::chain::InFlight;

/// Locks of a limiter, so that workers seldom meet. A power of two.
const SHARDS: usize = 64;
/// Entries of a shard from which on it is swept when it has doubled since the last time.
const SWEEP_FROM: usize = 64;

/// The limits of one plugin.
#[derive(Debug)]
pub struct Limiter {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
}

/// How many tokens there may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// Tokens put back each second.
    pub rate: f64,
    /// The most tokens it holds.
    pub burst: u32,
}

/// What came of a [`Limiter::take`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub allowed: bool,
    /// Whole tokens left.
    pub remaining: u32,
    /// Refused: until `cost` tokens are there ([`Duration::MAX`] if that is more than the bucket
    /// holds). Allowed: until it is full again.
    pub wait: Duration,
}

#[derive(Debug, Default)]
struct Shard {
    buckets: HashMap<Box<str>, Level, RandomState>,
    in_flight: HashMap<Box<str>, Arc<AtomicU32>, RandomState>,
    swept_buckets: usize,
    swept_in_flight: usize,
}

/// The tokens of one bucket, as of `at`.
#[derive(Debug, Clone, Copy)]
struct Level {
    tokens: f64,
    at: Instant,
    full_at: Instant,
}

impl Bucket {
    /// None where the rate is not above 0 (or no number), or the burst below 1.
    pub fn new(rate: f64, burst: u32) -> Option<Bucket> {
        (rate > 0.0 && rate.is_finite() && burst >= 1).then_some(Bucket { rate, burst })
    }

    fn time_for(self, tokens: f64) -> Duration {
        Duration::try_from_secs_f64(tokens / self.rate).unwrap_or(Duration::MAX)
    }
}

impl Limiter {
    pub fn new() -> Limiter {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Limiter { hasher: RandomState::default(), shards }
    }

    /// Takes `cost` tokens, or none if there are fewer. A new bucket starts full; one whose size
    /// changed since keeps what fits.
    pub fn take(&self, key: &str, bucket: Bucket, cost: u32, now: Instant) -> Taken {
        let mut shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(level) = shard.buckets.get_mut(key) {
            return level.take(bucket, cost, now);
        }
        shard.sweep_buckets(now);
        let mut level = Level { tokens: f64::from(bucket.burst), at: now, full_at: now };
        let taken = level.take(bucket, cost, now);
        shard.buckets.insert(key.into(), level);
        taken
    }

    /// One place among `limit`, given back when it is dropped.
    pub fn enter(&self, key: &str, limit: u32) -> Option<InFlight> {
        let mut shard = self.shard(key).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = shard.in_flight.get(key) {
            return InFlight::enter(count, limit);
        }
        shard.sweep_in_flight();
        let count = Arc::default();
        let place = InFlight::enter(&count, limit);
        shard.in_flight.insert(key.into(), count);
        place
    }

    /// Buckets and counts that are kept.
    #[cfg(test)]
    fn len(&self) -> usize {
        let lock = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.buckets.len() + shard.in_flight.len()
        };
        self.shards.iter().map(lock).sum()
    }

    fn shard(&self, key: &str) -> &Mutex<Shard> {
        // The map inside takes the low bits of a hash of its own seed, so any bits do here.
        let at = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        &self.shards[at]
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Limiter::new()
    }
}

impl Level {
    fn take(&mut self, bucket: Bucket, cost: u32, now: Instant) -> Taken {
        let burst = f64::from(bucket.burst);
        let past = now.saturating_duration_since(self.at).as_secs_f64();
        let tokens = (self.tokens + past * bucket.rate).min(burst);
        let cost = f64::from(cost);
        // A billionth of a token is rounding, not a refusal.
        let allowed = tokens + 1e-9 >= cost;
        self.tokens = if allowed { (tokens - cost).max(0.0) } else { tokens };
        self.at = now.max(self.at);
        let until_full = bucket.time_for(burst - self.tokens);
        // A bucket that takes longer than the clock can say is never swept as full.
        self.full_at = self.at.checked_add(until_full).unwrap_or(self.at + FAR);
        let wait = match (allowed, cost > burst) {
            (true, _) => until_full,
            (false, true) => Duration::MAX,
            (false, false) => bucket.time_for(cost - tokens),
        };
        Taken { allowed, remaining: self.tokens as u32, wait }
    }
}

/// A century.
const FAR: Duration = Duration::from_secs(100 * 365 * 86_400);

impl Shard {
    fn sweep_buckets(&mut self, now: Instant) {
        if self.buckets.len() >= (self.swept_buckets * 2).max(SWEEP_FROM) {
            self.buckets.retain(|_, level| level.full_at > now);
            self.swept_buckets = self.buckets.len();
        }
    }

    fn sweep_in_flight(&mut self) {
        if self.in_flight.len() >= (self.swept_in_flight * 2).max(SWEEP_FROM) {
            self.in_flight.retain(|_, count| count.load(Ordering::Relaxed) > 0);
            self.swept_in_flight = self.in_flight.len();
        }
    }
}

#[cfg(test)]
mod tests;
