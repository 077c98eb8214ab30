//! Handles by name: what is obtained once and counted in for as long as the name is configured.
//!
//! In: names when a snapshot is built. Out: the same handle for the same name. Never: asked on a
//! request's way; it is behind a lock.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Sorted by name, so that the exposition is stable.
#[derive(Debug)]
pub struct SeriesMap<K, V>(Mutex<BTreeMap<K, V>>);

impl<K: Ord, V: Clone> SeriesMap<K, V> {
    /// The handle of `name`, made if it is new.
    pub fn obtain(&self, name: K, make: impl FnOnce() -> V) -> V {
        let mut map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.entry(name).or_insert_with(make).clone()
    }

    pub fn retain(&self, mut keep: impl FnMut(&K) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| keep(name));
    }

    pub fn each(&self, mut visit: impl FnMut(&K, &V)) {
        let map = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        map.iter().for_each(|(name, handle)| visit(name, handle));
    }
}

impl<K, V> Default for SeriesMap<K, V> {
    fn default() -> Self {
        SeriesMap(Mutex::new(BTreeMap::new()))
    }
}
