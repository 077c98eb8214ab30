//! Limits in this process's memory: token buckets and in-flight counts.
//!
//! In: a key, a bucket, `now`, and who pays for what is kept. Out: taken or not. Never: keeps a bucket
//! for long that is full again, since a new one would start just so; where there is no room, those
//! that are full soonest go first, since they tell least: a flood of keys costs its sender most.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use weir_bounds::limiter::ENTRY_BYTES;

use super::{Bucket, Limiter, Taken};
use crate::chain::InFlight;
use crate::quota::{Holding, Payer, UsedUp};

/// Locks of a limiter, so that workers seldom meet. A power of two.
const SHARDS: usize = 64;
/// Entries of a shard from which on it is swept when it has doubled since the last time.
const SWEEP_FROM: usize = 64;
/// Shards that are swept at a time.
const SWEPT: usize = 4;
/// Of the buckets that are not full, this part makes room at once: the one that is full soonest.
const PART: usize = 4;

/// The limits of one plugin, in memory.
#[derive(Debug)]
pub struct MemoryLimiter {
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    /// Which shard is looked at next, by whoever looks at all of them.
    next: AtomicUsize,
}

#[derive(Debug, Default)]
struct Shard {
    buckets: HashMap<Box<str>, Level, RandomState>,
    in_flight: HashMap<Box<str>, Arc<AtomicU32>, RandomState>,
    /// How many there were after the last sweep.
    swept: usize,
}

/// The tokens of one bucket, as of `at`.
#[derive(Debug, Clone, Copy)]
struct Level {
    tokens: f64,
    at: Instant,
    full_at: Instant,
}

impl MemoryLimiter {
    pub fn new() -> MemoryLimiter {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        MemoryLimiter { hasher: RandomState::default(), shards, next: AtomicUsize::new(0) }
    }

    fn next_shard(&self) -> Option<MutexGuard<'_, Shard>> {
        let at = self.next.fetch_add(1, Ordering::Relaxed) % SHARDS;
        Some(self.shards.get(at)?.lock().unwrap_or_else(PoisonError::into_inner))
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

    fn lock(&self, key: &str) -> MutexGuard<'_, Shard> {
        // The map inside takes the low bits of a hash of its own seed, so any bits do here.
        let at = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Limiter for MemoryLimiter {
    fn take(
        &self,
        key: &str,
        bucket: Bucket,
        cost: u32,
        now: Instant,
        payer: &dyn Payer,
    ) -> Result<Taken, UsedUp> {
        let bytes = entry_bytes(key);
        loop {
            let mut shard = self.lock(key);
            if let Some(level) = shard.buckets.get_mut(key) {
                return Ok(level.take(bucket, cost, now));
            }
            if shard.pay(bytes, now, payer) {
                let mut level = Level { tokens: f64::from(bucket.burst), at: now, full_at: now };
                let taken = level.take(bucket, cost, now);
                shard.buckets.insert(key.into(), level);
                return Ok(taken);
            }
            drop(shard);
            if self.give_way(bytes, now, payer) == 0 {
                return Err(payer.refuse(Holding::Limiter, bytes));
            }
        }
    }

    fn enter(
        &self,
        key: &str,
        limit: u32,
        now: Instant,
        payer: &dyn Payer,
    ) -> Result<Option<InFlight>, UsedUp> {
        let bytes = entry_bytes(key);
        loop {
            let mut shard = self.lock(key);
            if let Some(count) = shard.in_flight.get(key) {
                return Ok(InFlight::enter(count, limit));
            }
            let count = Arc::default();
            let Some(place) = InFlight::enter(&count, limit) else {
                return Ok(None);
            };
            if shard.pay(bytes, now, payer) {
                shard.in_flight.insert(key.into(), count);
                return Ok(Some(place));
            }
            drop(shard);
            if self.give_way(bytes, now, payer) == 0 {
                return Err(payer.refuse(Holding::Limiter, bytes));
            }
        }
    }

    /// The next part of all keys: what a flood has left is gone soon after it.
    fn sweep(&self, now: Instant, payer: &dyn Payer) {
        for mut shard in (0..SWEPT).filter_map(|_| self.next_shard()) {
            payer.release(Holding::Limiter, shard.sweep(now));
        }
    }

    fn give_way(&self, bytes: usize, now: Instant, payer: &dyn Payer) -> usize {
        let mut freed = 0;
        // Each time another shard begins, so that all of them give the same.
        for _ in 0..SHARDS {
            if freed < bytes
                && let Some(mut shard) = self.next_shard()
            {
                let more = shard.give_way(now);
                payer.release(Holding::Limiter, more);
                freed += more;
            }
        }
        freed
    }
}

impl Default for MemoryLimiter {
    fn default() -> Self {
        MemoryLimiter::new()
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
    /// Charges a new entry. False: there is no room for it.
    fn pay(&mut self, bytes: usize, now: Instant, payer: &dyn Payer) -> bool {
        let entries = self.buckets.len() + self.in_flight.len();
        if entries >= (self.swept * 2).max(SWEEP_FROM) {
            payer.release(Holding::Limiter, self.sweep(now));
        }
        payer.charge(Holding::Limiter, bytes)
    }

    /// Forgets what tells least. Gives the bytes that are free now.
    fn give_way(&mut self, now: Instant) -> usize {
        match self.sweep(now) {
            0 => self.forget_soonest(),
            freed => freed,
        }
    }

    /// Forgets full buckets, and counts of nobody. Gives their bytes.
    fn sweep(&mut self, now: Instant) -> usize {
        let buckets = forget(&mut self.buckets, |level| level.full_at <= now);
        let counts = forget(&mut self.in_flight, |count| count.load(Ordering::Relaxed) == 0);
        self.swept = self.buckets.len() + self.in_flight.len();
        buckets + counts
    }

    /// Forgets the part of the buckets that is full soonest. Gives its bytes.
    fn forget_soonest(&mut self) -> usize {
        let mut ends: Vec<Instant> = self.buckets.values().map(|level| level.full_at).collect();
        if ends.is_empty() {
            return 0;
        }
        let at = ends.len() / PART;
        let cut = *ends.select_nth_unstable(at).1;
        forget(&mut self.buckets, |level| level.full_at <= cut)
    }
}

/// Removes entries, and gives back their bytes.
fn forget<V>(
    entries: &mut HashMap<Box<str>, V, RandomState>,
    mut is_gone: impl FnMut(&V) -> bool,
) -> usize {
    let mut bytes = 0;
    entries.retain(|key, value| {
        let gone = is_gone(value);
        bytes += if gone { entry_bytes(key) } else { 0 };
        !gone
    });
    if entries.capacity() > SWEEP_FROM && entries.len() < entries.capacity() / 4 {
        entries.shrink_to(entries.len() * 2);
    }
    bytes
}

fn entry_bytes(key: &str) -> usize {
    key.len() + ENTRY_BYTES
}

#[cfg(test)]
mod tests;
