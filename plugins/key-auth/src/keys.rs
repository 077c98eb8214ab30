//! The known keys.
//!
//! In: the keys of the configuration, then candidates. Out: whose key a candidate is.
//! Never: compares a candidate byte by byte with a key it is not: the place of a key in the list
//! is its keyed hash, which nobody outside can compute, and the comparison takes constant time.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

use weir_sdk::{Error, Problems, Result, Secret};

use super::Key;

/// Keys, sorted by their hash.
pub struct Keys {
    /// SipHash with a key of this instance's own.
    hash: RandomState,
    entries: Vec<Entry>,
}

struct Entry {
    hash: u64,
    key: Secret,
    name: Option<String>,
    /// In the configuration.
    at: usize,
}

// === impl Keys ===

impl Keys {
    pub fn new(keys: Vec<Key>) -> Result<Self> {
        let mut problems = Problems::new();
        if keys.is_empty() {
            let error = Error::new("it is empty, so nobody could pass");
            problems.add(error.help("write at least one"));
        }
        let hash = RandomState::new();
        let mut entries = Vec::with_capacity(keys.len());
        for (at, key) in keys.into_iter().enumerate() {
            let (key, name) = match key {
                Key::Text(key) => (key, None),
                Key::Named { key, name } => (key, Some(name)),
            };
            let bytes = key.expose().as_bytes();
            if bytes.is_empty() {
                problems.add(Error::new("it is empty: anybody could send it").at(at));
            } else if !bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
                || bytes != bytes.trim_ascii()
            {
                let error =
                    Error::new("it has bytes that a header field would not carry unchanged");
                problems.add(error.help("printable ASCII, no space at either end").at(at));
            }
            entries.push(Entry { hash: hash.hash_one(bytes), key, name, at });
        }
        entries.sort_unstable_by(|a, b| (a.hash, &a.key, a.at).cmp(&(b.hash, &b.key, b.at)));
        for [a, b] in entries.array_windows().filter(|[a, b]| a.key == b.key) {
            let name = |entry: &Entry| entry.name.clone().unwrap_or_else(|| "no name".into());
            let error = format!("one key is there twice (names: {}, {})", name(a), name(b));
            problems.add(Error::new(error).help("remove one of them").at(b.at));
        }
        problems.or(Self { hash, entries })
    }

    /// Whose key it is: `None` for a stranger's, `Some(None)` for one without a name.
    pub fn find(&self, candidate: &[u8]) -> Option<Option<&str>> {
        let hash = self.hash.hash_one(candidate);
        let first = self.entries.partition_point(|entry| entry.hash < hash);
        self.entries
            .iter()
            .skip(first)
            .take_while(|entry| entry.hash == hash)
            .find(|entry| entry.key.matches(candidate))
            .map(|entry| entry.name.as_deref())
    }
}
