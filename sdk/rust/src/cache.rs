//! A bounded memory of an instance, for results that cost more than a look-up.
//!
//! In: keys as bytes, and what was found out about them. Out: the same, for a while.
//! Never: grows past its bound, or shows by its timing how near a foreign key was.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

/// At most so many entries, by keys of bytes. What was not asked for in a while makes room: there
/// are two generations, and when the young one is half of the bound, the old one is forgotten.
///
/// It belongs to one instance, and ends with it. Keys are found by a hash that is keyed at random,
/// then compared as a whole.
///
/// ```
/// let mut cache = weir_sdk::Cache::new(100);
/// cache.put(b"a", 1);
/// assert_eq!(cache.get(b"a"), Some(&1));
/// assert_eq!(cache.get(b"b"), None);
/// ```
#[derive(Debug)]
pub struct Cache<V> {
    hash: RandomState,
    young: Generation<V>,
    old: Generation<V>,
    half: usize,
}

type Generation<V> = HashMap<u64, (Box<[u8]>, V), BuildHasherDefault<Hashed>>;

/// Passes on what is a hash already.
#[derive(Debug, Default)]
struct Hashed(u64);

// === impl Cache ===

impl<V> Cache<V> {
    /// A cache of at most `entries`, rounded up to an even number; none with 0.
    pub fn new(entries: usize) -> Self {
        Self {
            hash: RandomState::new(),
            young: Generation::default(),
            old: Generation::default(),
            half: entries.div_ceil(2),
        }
    }

    /// What is known about this key.
    pub fn get(&mut self, key: &[u8]) -> Option<&V> {
        if self.half == 0 {
            return None;
        }
        let hash = self.hash.hash_one(key);
        if !self.young.contains_key(&hash) {
            let entry = self.old.remove(&hash)?;
            self.insert(hash, entry);
        }
        let (found, value) = self.young.get(&hash)?;
        (**found == *key).then_some(value)
    }

    /// Remembers something about this key.
    pub fn put(&mut self, key: &[u8], value: V) {
        if self.half > 0 {
            let hash = self.hash.hash_one(key);
            self.old.remove(&hash);
            self.insert(hash, (key.into(), value));
        }
    }

    fn insert(&mut self, hash: u64, entry: (Box<[u8]>, V)) {
        if self.young.len() >= self.half && !self.young.contains_key(&hash) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(hash, entry);
    }
}

// === impl Hashed ===

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;

    #[test]
    fn the_bound_holds_and_what_is_used_stays() {
        let mut cache = Cache::new(8);
        for n in 0..1_000_u32 {
            cache.put(&n.to_le_bytes(), n);
            assert_eq!(cache.get(&n.to_le_bytes()), Some(&n));
            assert_eq!(cache.get(&0_u32.to_le_bytes()), Some(&0));
            assert!(cache.young.len() + cache.old.len() <= 8);
        }
        assert_eq!(cache.get(&500_u32.to_le_bytes()), None);
    }

    #[test]
    fn none_is_kept_where_none_may_be() {
        let mut cache = Cache::new(0);
        cache.put(b"a", 1);
        assert_eq!(cache.get(b"a"), None);
    }
}
