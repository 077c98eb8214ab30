//! What the calls of one plugin leave for each other: limits and values, the same to all workers, kept over
//! reloads.
//!
//! In: keys, `now`, and who pays for what is kept. Out: tokens, places, values. Never: mixes what two
//! plugins left: each has its own; keeps anything that nobody pays for.
//!
//! [`MemoryLimiter`] and [`MemoryStore`] keep it in this process.

mod limiter;
mod store;

use std::fmt;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::chain::InFlight;
use crate::quota::{Payer, Quota, UsedUp};

pub use limiter::MemoryLimiter;
pub use store::MemoryStore;

/// Token buckets and in-flight counts.
pub trait Limiter: fmt::Debug + Send + Sync {
    /// Takes `cost` tokens, or none if there are fewer. A new bucket starts full; one whose size
    /// changed since keeps what fits.
    ///
    /// # Errors
    /// Where the bucket is new and cannot be paid for.
    fn take(
        &self,
        key: &str,
        bucket: Bucket,
        cost: u32,
        now: Instant,
        payer: &dyn Payer,
    ) -> Result<Taken, UsedUp>;

    /// One place among `limit`, given back when it is dropped; none where all are taken.
    ///
    /// # Errors
    /// Where the count is new and cannot be paid for.
    fn enter(
        &self,
        key: &str,
        limit: u32,
        now: Instant,
        payer: &dyn Payer,
    ) -> Result<Option<InFlight>, UsedUp>;

    /// Forgets some of what tells nothing any more. To be called now and then.
    fn sweep(&self, now: Instant, payer: &dyn Payer);

    /// Makes room for so many bytes, if it can. Gives those that are free now.
    fn give_way(&self, bytes: usize, now: Instant, payer: &dyn Payer) -> usize;
}

/// Values by key.
pub trait Store: fmt::Debug + Send + Sync {
    /// The value, unless absent or expired.
    ///
    /// # Errors
    /// Where the key is too long, as in all of these.
    fn get(&self, key: &str, now: Instant) -> Result<Option<Bytes>, Refused>;

    /// Sets or replaces. Without `ttl` it does not expire.
    ///
    /// # Errors
    /// Where the value is too large, or cannot be paid for.
    fn set(
        &self,
        key: &str,
        value: &[u8],
        ttl: Option<Duration>,
        now: Instant,
        quota: &Quota,
    ) -> Result<(), Refused>;

    /// Removes; fine if absent.
    ///
    /// # Errors
    /// Where the key is too long.
    fn delete(&self, key: &str, quota: &Quota) -> Result<(), Refused>;

    /// Adds to the decimal number under `key`, 0 where absent. `ttl` counts for a new entry only.
    ///
    /// # Errors
    /// As [`Store::set`]; or the value is no number, or the sum none of 64 bits.
    fn increment(
        &self,
        key: &str,
        by: i64,
        ttl: Option<Duration>,
        now: Instant,
        quota: &Quota,
    ) -> Result<i64, Refused>;

    /// True for exactly one caller while the key is absent.
    ///
    /// # Errors
    /// As [`Store::set`].
    fn set_if_absent(
        &self,
        key: &str,
        value: &[u8],
        ttl: Option<Duration>,
        now: Instant,
        quota: &Quota,
    ) -> Result<bool, Refused>;

    /// Drops some of what has expired. To be called now and then, so that nothing stays only
    /// because nobody sets anything any more.
    fn sweep(&self, now: Instant, quota: &Quota);

    /// About how many entries have so many bytes.
    fn entries_in(&self, bytes: usize, quota: &Quota) -> usize;

    /// Makes room for something else, if it can.
    fn give_way(&self, bytes: usize, quota: &Quota);
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

/// Why the store refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Key or value is longer than allowed.
    TooLarge,
    /// [`Store::increment`] of something that is no number, or out of 64 bits.
    NotCountable(&'static str),
    /// The quota is used up by what is no entry of the store.
    UsedUp(UsedUp),
}

impl Bucket {
    /// None where the rate is not above 0 (or no number), or the burst below 1.
    pub fn new(rate: f64, burst: u32) -> Option<Bucket> {
        weir_bounds::limiter::is_bucket(rate, burst).then_some(Bucket { rate, burst })
    }

    fn time_for(self, tokens: f64) -> Duration {
        Duration::try_from_secs_f64(tokens / self.rate).unwrap_or(Duration::MAX)
    }
}
