//! What is deleted of the folder of compiled components.
//!
//! In: what is in the folder, and the time. Out: it holds at most [`MAX_BYTES`] beside what is in
//! use, nothing unused for [`MAX_AGE`], no temporary file of a process that died. Never: deletes
//! what a process has mapped, here or elsewhere, or what no Weir has written.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, OFlags, Stat, statat, unlinkat};

use super::{Artifacts, open_file, open_folder};

/// All artifacts together, those of other versions and settings included. Some 400 plugins in Rust,
/// or two in Python.
pub(super) const MAX_BYTES: u64 = 128 << 20;
/// Since an artifact was last loaded.
pub(super) const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Nobody takes as long to write a file: its process died.
pub(super) const ABANDONED_AFTER: Duration = Duration::from_secs(60 * 60);

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry<Folder> {
    pub folder: Folder,
    pub name: String,
    pub bytes: u64,
    /// When it was last loaded, or written.
    pub used: SystemTime,
}

impl Artifacts {
    /// Deletes what is stale or too much. What cannot be deleted stays; the next one tries again.
    pub fn prune(&self, now: SystemTime) {
        let Ok(names) = names(&self.root) else { return };
        let engines = names.iter().filter(|name| is_engine(name));
        let folders: Vec<(&str, OwnedFd)> = engines
            .filter_map(|name| {
                Some((&**name, open_folder(&self.root, name, OFlags::NOFOLLOW).ok()?))
            })
            .collect();
        let entries = folders.iter().flat_map(|(_, folder)| entries(folder)).collect();
        for entry in stale(entries, now, |entry| is_free(entry.folder, &entry.name)) {
            let _ = unlinkat(entry.folder, &entry.name, AtFlags::empty());
            if let Some(digest) = entry.name.strip_suffix(".cwasm") {
                let _ = unlinkat(entry.folder, super::sum_of(digest), AtFlags::empty());
                let _ = unlinkat(entry.folder, super::plan_of(digest), AtFlags::empty());
            }
        }
        for (name, folder) in &folders {
            // One that is not empty stays; an empty one may be a process's that just begins.
            if !self.is_own(folder) && is_abandoned(folder, now) {
                let _ = unlinkat(&self.root, *name, AtFlags::REMOVEDIR);
            }
        }
    }

    fn is_own(&self, folder: &OwnedFd) -> bool {
        let of = |folder| rustix::fs::fstat(folder).map(|facts| (facts.st_dev, facts.st_ino)).ok();
        of(folder) == of(&self.folder)
    }
}

/// The entries to delete. `is_free` is asked only of artifacts that would go.
pub(super) fn stale<Folder>(
    mut entries: Vec<Entry<Folder>>,
    now: SystemTime,
    is_free: impl Fn(&Entry<Folder>) -> bool,
) -> Vec<Entry<Folder>> {
    let is_artifact = |entry: &Entry<Folder>| entry.name.ends_with(".cwasm");
    let mut left: u64 = entries.iter().map(|entry| entry.bytes).sum();
    entries.sort_by_key(|entry| entry.used);
    entries.retain(|entry| {
        let age = now.duration_since(entry.used).unwrap_or_default();
        let goes = if is_artifact(entry) {
            (age > MAX_AGE || left > MAX_BYTES) && is_free(entry)
        } else {
            (entry.name.starts_with('.') || beside(&entry.name).is_some()) && age > ABANDONED_AFTER
        };
        if goes {
            left -= entry.bytes;
        }
        goes
    });
    entries
}

/// Whether nothing in a folder changed for so long that no process is about to write to it.
fn is_abandoned(folder: &OwnedFd, now: SystemTime) -> bool {
    let changed = rustix::fs::fstat(folder).ok().and_then(|facts| modified(&facts));
    changed.and_then(|changed| now.duration_since(changed).ok()).is_some_and(|age| age > MAX_AGE)
}

/// Whether no process has it mapped. Where the file system cannot tell, nothing is free.
fn is_free(folder: &OwnedFd, name: &str) -> bool {
    open_file(folder, name).is_ok_and(|file: File| file.try_lock().is_ok())
}

fn entries(folder: &OwnedFd) -> Vec<Entry<&OwnedFd>> {
    let names = names(folder).unwrap_or_default();
    let has_artifact = |digest: &str| names.contains(&super::artifact(digest));
    // What is beside an artifact goes with it, and what is beside none is a process's that died.
    let is_left = |name: &str| beside(name).is_some_and(|digest| !has_artifact(digest));
    let known = |name: &&String| name.ends_with(".cwasm") || name.starts_with('.') || is_left(name);
    let facts = |name: &str| statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).ok();
    let bytes = |facts: &Stat| u64::try_from(facts.st_size).unwrap_or(0);
    let entries = names.iter().filter(known).cloned().filter_map(|name| {
        let of_plan = name.strip_suffix(".cwasm").and_then(|digest| facts(&super::plan_of(digest)));
        let facts = facts(&name)?;
        let is_file = FileType::from_raw_mode(facts.st_mode) == FileType::RegularFile;
        let used = modified(&facts)?;
        is_file.then(|| Entry {
            folder,
            name,
            bytes: bytes(&facts) + of_plan.as_ref().map_or(0, bytes),
            used,
        })
    });
    entries.collect()
}

/// The digest of the artifact that a file belongs to.
fn beside(name: &str) -> Option<&str> {
    name.strip_suffix(".plan").or_else(|| name.strip_suffix(".sha256"))
}

#[allow(clippy::useless_conversion, reason = "signed on some systems, unsigned on others")]
fn modified(facts: &Stat) -> Option<SystemTime> {
    let seconds = Duration::from_secs(u64::try_from(facts.st_mtime).ok()?);
    let nanoseconds = Duration::from_nanos(u64::try_from(facts.st_mtime_nsec).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(seconds)?.checked_add(nanoseconds)
}

/// Names in a folder, but for itself, its parent and what is no text.
fn names(folder: &OwnedFd) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let name = entry?.file_name().to_str().map(str::to_owned);
        names.extend(name.ok().filter(|name| name != "." && name != ".."));
    }
    Ok(names)
}

/// `0123456789abcdef`, as [`Cache`](super::super::cache::Cache) names them.
fn is_engine(name: &str) -> bool {
    name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
