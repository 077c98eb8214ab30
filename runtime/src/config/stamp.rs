//! By what a file that changed is known.
//!
//! In: a path. Out: a [`Stamp`] to compare with a later one. Never: reads what is in a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Every file that a configuration was read from, as it was just before; `None`: not there.
pub type Sources = BTreeMap<PathBuf, Option<Stamp>>;

/// A file as it was at a time. Another stamp: it may be another file now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    modified: SystemTime,
    /// Of a file, its bytes; of a folder, its `*.toml`.
    size: u64,
}

impl Stamp {
    /// Of a folder, the newest of itself and its `*.toml` counts. `None`: it cannot be looked at.
    pub fn of(path: &Path) -> Option<Stamp> {
        let facts = std::fs::metadata(path).ok()?;
        if !facts.is_dir() {
            return Some(Stamp { modified: facts.modified().ok()?, size: facts.len() });
        }
        let mut stamp = Stamp { modified: facts.modified().ok()?, size: 0 };
        for entry in std::fs::read_dir(path).ok()?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "toml")
                && let Ok(modified) = entry.metadata().and_then(|facts| facts.modified())
            {
                stamp.modified = stamp.modified.max(modified);
                stamp.size += 1;
            }
        }
        Some(stamp)
    }
}
