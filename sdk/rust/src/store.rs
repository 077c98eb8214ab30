//! Key-value state that outlives instances and reloads, namespaced by plugin; in memory, for all
//! workers of a node.
//!
//! Needs `grants = { store = true }`. Keys up to 1 KiB, values up to 1 MiB. Entries count against the
//! plugin's `limits.quota`, 16 MiB by default; those nearest their expiry make room. A time to live counts in whole
//! milliseconds; without one an entry stays until deleted or evicted.

use std::time::Duration;

use crate::error::StoreError;
use crate::host;

/// The value, unless absent or expired.
pub fn get(key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(host::store::get(key)?)
}

/// Sets or replaces.
pub fn set(key: &str, value: impl AsRef<[u8]>, ttl: Option<Duration>) -> Result<(), StoreError> {
    Ok(host::store::set(key, value.as_ref(), millis(ttl))?)
}

/// Removes; fine if absent.
pub fn delete(key: &str) -> Result<(), StoreError> {
    Ok(host::store::delete(key)?)
}

/// Adds to the decimal number under `key` (0 where absent) and gives the sum. `ttl` counts only
/// for the call that creates the entry.
pub fn increment(key: &str, by: i64, ttl: Option<Duration>) -> Result<i64, StoreError> {
    Ok(host::store::increment(key, by, millis(ttl))?)
}

/// True for exactly one caller while the key is absent.
pub fn set_if_absent(
    key: &str,
    value: impl AsRef<[u8]>,
    ttl: Option<Duration>,
) -> Result<bool, StoreError> {
    Ok(host::store::set_if_absent(key, value.as_ref(), millis(ttl))?)
}

fn millis(ttl: Option<Duration>) -> Option<u64> {
    ttl.map(|ttl| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX))
}
