//! A plugin's key-value state in memory: for all workers of a node, kept over reloads.
//!
//! In: keys, values, `now`. Out: values that have not expired. Never: more than [`MAX_BYTES`] a
//! plugin; what is nearest its expiry makes room, and what has none goes last, oldest first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use foldhash::fast::RandomState;

/// Longest key, in bytes.
pub const MAX_KEY: usize = 1 << 10;
/// Longest value, in bytes.
pub const MAX_VALUE: usize = 1 << 20;
/// Keys, values and [`ENTRY_BYTES`] for each entry.
pub const MAX_BYTES: usize = 16 << 20;
/// What an entry costs beyond its key and value, about.
pub const ENTRY_BYTES: usize = 128;

/// The state of one plugin.
#[derive(Debug, Default)]
pub struct Store(Mutex<Entries>);

/// Why the store refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Key or value is longer than allowed.
    TooLarge,
    /// [`Store::increment`] of something that is no number, or out of 64 bits.
    NotCountable(String),
}

#[derive(Debug, Default)]
struct Entries {
    by_key: HashMap<Arc<str>, Entry, RandomState>,
    /// In the order in which they make room.
    by_expiry: BTreeMap<Order, Arc<str>>,
    bytes: usize,
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

impl Store {
    /// The value, unless absent or expired.
    pub fn get(&self, key: &str, now: Instant) -> Option<Bytes> {
        self.lock().get(key, now).map(|entry| entry.value.clone())
    }

    /// Sets or replaces.
    pub fn set(
        &self,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<(), Refused> {
        check(key, &value)?;
        self.lock().set(key, value, Expiry::new(ttl, now), now);
        Ok(())
    }

    /// Removes; fine if absent.
    pub fn delete(&self, key: &str) {
        self.lock().remove(key);
    }

    /// Adds to the decimal number under `key`, 0 where absent. `ttl` counts for a new entry only.
    pub fn increment(
        &self,
        key: &str,
        by: i64,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<i64, Refused> {
        check(key, &Bytes::new())?;
        let mut entries = self.lock();
        let (old, expiry) = match entries.get(key, now) {
            None => (0, Expiry::new(ttl, now)),
            Some(entry) => {
                let number =
                    std::str::from_utf8(&entry.value).ok().and_then(|text| text.parse().ok());
                let Some(number) = number else {
                    return Err(Refused::NotCountable(format!(
                        "the value under `{key}` is no number"
                    )));
                };
                (number, entry.order.expiry)
            }
        };
        let Some(sum) = i64::checked_add(old, by) else {
            return Err(Refused::NotCountable(format!("the sum under `{key}` exceeds 64 bits")));
        };
        entries.set(key, Bytes::from(sum.to_string()), expiry, now);
        Ok(sum)
    }

    /// True for exactly one caller while the key is absent.
    pub fn set_if_absent(
        &self,
        key: &str,
        value: Bytes,
        ttl: Option<Duration>,
        now: Instant,
    ) -> Result<bool, Refused> {
        check(key, &value)?;
        let mut entries = self.lock();
        if entries.get(key, now).is_some() {
            return Ok(false);
        }
        entries.set(key, value, Expiry::new(ttl, now), now);
        Ok(true)
    }

    /// What is counted against [`MAX_BYTES`].
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    fn get(&self, key: &str, now: Instant) -> Option<&Entry> {
        self.by_key.get(key).filter(|entry| !entry.order.expiry.is_past(now))
    }

    fn set(&mut self, key: &str, value: Bytes, expiry: Expiry, now: Instant) {
        self.remove(key);
        let bytes = key.len() + value.len() + ENTRY_BYTES;
        self.make_room(bytes, now);
        self.serial += 1;
        let order = Order { expiry, serial: self.serial };
        let key: Arc<str> = key.into();
        self.bytes += bytes;
        self.by_expiry.insert(order, key.clone());
        self.by_key.insert(key, Entry { value, order });
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.by_key.remove(key) {
            self.by_expiry.remove(&entry.order);
            self.bytes -= key.len() + entry.value.len() + ENTRY_BYTES;
        }
    }

    /// Drops what has expired, then what is nearest its expiry until there is room.
    fn make_room(&mut self, bytes: usize, now: Instant) {
        while let Some((order, key)) = self.by_expiry.first_key_value() {
            if !order.expiry.is_past(now) && self.bytes + bytes <= MAX_BYTES {
                break;
            }
            let key = key.clone();
            self.remove(&key);
        }
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

fn check(key: &str, value: &Bytes) -> Result<(), Refused> {
    if key.len() > MAX_KEY || value.len() > MAX_VALUE { Err(Refused::TooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
