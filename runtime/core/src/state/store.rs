//! A plugin's key-value state in this process's memory.
//!
//! In: keys, values, `now`, and the plugin's quota. Out: values that have not expired. Never: more
//! than the quota has room for; what is nearest its expiry makes room, also for what else the plugin
//! needs, and what has none goes last, oldest first. Nor more of that in one call than [`DROPPED`].

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use foldhash::fast::RandomState;
use weir_bounds::store::{ENTRY_BYTES, MAX_KEY, MAX_VALUE};

use super::{Refused, Store};
use crate::quota::{Holding, Payer, Quota};

/// Expired entries that [`Store::sweep`] drops at a time.
const SWEPT: usize = 256;
/// The same for each entry that is set: more than one, so that they become fewer.
const SWEPT_BY_SET: usize = 16;
/// Entries that make room for another one at most: a full value's worth of short ones.
const DROPPED: usize = 4 << 10;

/// The state of one plugin, in memory.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Arc<str>, Entry, RandomState>,
    /// In the order in which they make room.
    by_expiry: BTreeMap<Order, Arc<str>>,
    serial: u64,
}

#[derive(Debug)]
struct Entry {
    value: Bytes,
    order: Order,
}

/// Those that expire before those that do not; then by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Order {
    expiry: Expiry,
    serial: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Expiry {
    At(Instant),
    Never,
}

impl Store for MemoryStore {
    fn get(&self, key: &str, now: Instant) -> Result<Option<Bytes>, Refused> {
        check(key, 0)?;
        Ok(self.lock().get(key, now).map(|entry| entry.value.clone()))
    }

    fn set(
        &self,
        key: &str,
        value: &[u8],
        ttl: Option<Duration>,
        now: Instant,
        quota: &Quota,
    ) -> Result<(), Refused> {
        check(key, value.len())?;
        self.lock().set(key, value, Expiry::new(ttl, now), now, quota)
    }

    fn delete(&self, key: &str, quota: &Quota) -> Result<(), Refused> {
        check(key, 0)?;
        self.lock().remove(key, quota);
        Ok(())
    }

    fn increment(
        &self,
        key: &str,
        by: i64,
        ttl: Option<Duration>,
        now: Instant,
        quota: &Quota,
    ) -> Result<i64, Refused> {
        check(key, 0)?;
        let mut entries = self.lock();
        let (old, expiry) = match entries.get(key, now) {
            None => (0, Expiry::new(ttl, now)),
            Some(entry) => {
                let number =
                    std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse().ok());
                let Some(number) = number else {
                    return Err(Refused::NotCountable("the value is no number"));
                };
                (number, entry.order.expiry)
            }
        };
        let Some(sum) = i64::checked_add(old, by) else {
            return Err(Refused::NotCountable("the sum exceeds 64 bits"));
        };
        entries.set(key, sum.to_string().as_bytes(), expiry, now, quota)?;
        Ok(sum)
    }

    fn set_if_absent(
        &self,
        key: &str,
        value: &[u8],
        ttl: Option<Duration>,
        now: Instant,
        quota: &Quota,
    ) -> Result<bool, Refused> {
        check(key, value.len())?;
        let mut entries = self.lock();
        if entries.get(key, now).is_some() {
            return Ok(false);
        }
        entries.set(key, value, Expiry::new(ttl, now), now, quota)?;
        Ok(true)
    }

    fn sweep(&self, now: Instant, quota: &Quota) {
        self.lock().drop_expired(SWEPT, now, quota);
    }

    fn entries_in(&self, bytes: usize, quota: &Quota) -> usize {
        if bytes == 0 {
            return 0;
        }
        let average = quota.held(Holding::Store) / self.lock().by_key.len().max(1);
        bytes / average.max(ENTRY_BYTES) + 1
    }

    fn give_way(&self, bytes: usize, quota: &Quota) {
        let mut entries = self.lock();
        let mut freed = 0;
        while freed < bytes {
            match entries.drop_first(quota) {
                0 => return,
                more => freed += more,
            }
        }
    }
}

impl MemoryStore {
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn get(&self, key: &str, now: Instant) -> Option<&Entry> {
        self.by_key.get(key).filter(|entry| !entry.order.expiry.is_past(now))
    }

    fn set(
        &mut self,
        key: &str,
        value: &[u8],
        expiry: Expiry,
        now: Instant,
        quota: &Quota,
    ) -> Result<(), Refused> {
        let bytes = entry_bytes(key, value);
        if bytes > quota.most(Holding::Store) {
            return Err(Refused::TooLarge);
        }
        let used_up = || Refused::UsedUp(quota.refuse(Holding::Store, bytes));
        // Nothing is dropped, nor the value replaced, for one that has no place after all.
        if quota.lacking(Holding::Store, bytes) > quota.held(Holding::Store) {
            return Err(used_up());
        }
        self.remove(key, quota);
        self.drop_expired(SWEPT_BY_SET, now, quota);
        let mut dropped = 0;
        while !quota.charge(Holding::Store, bytes) {
            if dropped == DROPPED || self.drop_first(quota) == 0 {
                return Err(used_up());
            }
            dropped += 1;
        }
        self.serial += 1;
        let order = Order { expiry, serial: self.serial };
        let key: Arc<str> = key.into();
        self.by_expiry.insert(order, key.clone());
        self.by_key.insert(key, Entry { value: Bytes::copy_from_slice(value), order });
        Ok(())
    }

    fn remove(&mut self, key: &str, quota: &Quota) {
        if let Some(entry) = self.by_key.remove(key) {
            self.by_expiry.remove(&entry.order);
            quota.release(Holding::Store, entry_bytes(key, &entry.value));
        }
    }

    /// Drops some of what has expired.
    fn drop_expired(&mut self, most: usize, now: Instant, quota: &Quota) {
        for _ in 0..most {
            let first = self.by_expiry.first_key_value();
            if !first.is_some_and(|(order, _)| order.expiry.is_past(now)) {
                return;
            }
            self.drop_first(quota);
        }
    }

    /// Drops what is nearest its expiry. Gives the bytes that are free now, 0 where nothing is left.
    fn drop_first(&mut self, quota: &Quota) -> usize {
        let Some((_, key)) = self.by_expiry.pop_first() else {
            return 0;
        };
        let bytes = self.by_key.remove(&key).map_or(0, |entry| entry_bytes(&key, &entry.value));
        quota.release(Holding::Store, bytes);
        bytes
    }
}

impl Expiry {
    fn new(ttl: Option<Duration>, now: Instant) -> Expiry {
        ttl.and_then(|ttl| now.checked_add(ttl)).map_or(Expiry::Never, Expiry::At)
    }

    fn is_past(self, now: Instant) -> bool {
        matches!(self, Expiry::At(at) if at <= now)
    }
}

fn check(key: &str, value: usize) -> Result<(), Refused> {
    if key.len() > MAX_KEY || value > MAX_VALUE { Err(Refused::TooLarge) } else { Ok(()) }
}

fn entry_bytes(key: &str, value: &[u8]) -> usize {
    key.len() + value.len() + ENTRY_BYTES
}

#[cfg(test)]
mod tests;
