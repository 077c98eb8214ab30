//! Shared limits: one bucket for all workers of a node. Namespaced by plugin, kept over reloads.
//!
//! Keys up to 1 KiB; a longer one ends the plugin with a trap. What is kept counts against the plugin's
//! `limits.quota`: where that is used up, buckets that would be full soonest make room.
//!
//! ```no_run
//! use weir_sdk::limiter::{self, Bucket};
//! let verdict = limiter::take("192.0.2.1", Bucket { rate: 10.0, burst: 20 }, 1);
//! if !verdict.allowed {
//!     println!("retry in {} ms", verdict.wait_millis);
//! }
//! ```

pub use crate::bindings::imports::weir::plugin::limiter::{Bucket, Verdict};
use crate::host;

/// Atomic take of `cost` tokens from the bucket called `key`. A new bucket starts full.
///
/// When refused, none was taken, and `wait_millis` says when `cost` tokens are there: `u64::MAX` if
/// that is more than the bucket holds. When allowed, it says when the bucket is full again.
///
/// A rate that is not above 0, or a burst below 1, ends the plugin with a trap: refuse them in
/// [`configure`](crate::Plugin::configure).
pub fn take(key: &str, bucket: Bucket, cost: u32) -> Verdict {
    host::limiter::take(key, bucket, cost)
}

/// Atomic in-flight count: true and one more, or false at `limit`. The proxy gives it back when
/// the exchange ends, however it ends. Only in a request hook, and at most 64 times an exchange:
/// anything else is a trap.
pub fn enter(key: &str, limit: u32) -> bool {
    host::limiter::enter(key, limit)
}
