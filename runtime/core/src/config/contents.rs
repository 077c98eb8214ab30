//! What is in the files of a configuration, each read once for it.
//!
//! In: paths; for files that somebody is writing to, what they were before. Out: bytes, the same to
//! everybody who asks for one configuration: its check, and what is built from it. Never: takes a file
//! by half; one that is held is what it was, or not there yet.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::file;
use super::stamp::{Sources, Stamp};

/// Files that somebody is writing to, as they were when they were whole.
pub type Held = BTreeMap<PathBuf, Before>;

/// A file as it was.
#[derive(Clone, Default)]
pub struct Before {
    pub stamp: Option<Stamp>,
    /// `None`: it was not read, or is a folder.
    pub bytes: Option<Arc<[u8]>>,
}

/// The files of one configuration.
#[derive(Default)]
pub struct Contents {
    held: Held,
    read: Mutex<BTreeMap<PathBuf, Arc<[u8]>>>,
}

impl Contents {
    /// All files as they are now, but for these.
    pub fn without(held: Held) -> Contents {
        Contents { held, read: Mutex::default() }
    }

    /// These files as they were when this was read, with their stamps of that time.
    pub fn hold(&self, paths: &[PathBuf], stamps: &Sources) -> Held {
        let before = |path: &PathBuf| Before {
            stamp: stamps.get(path).copied().flatten(),
            bytes: match self.held.get(path) {
                Some(before) => before.bytes.clone(),
                None => self.all().get(path).cloned(),
            },
        };
        paths.iter().map(|path| (path.clone(), before(path))).collect()
    }

    /// What is in a file.
    ///
    /// # Errors
    /// As [`file::read`], and where somebody is writing to it and it was not read before.
    pub fn read(&self, path: &Path, most: u64) -> io::Result<Arc<[u8]>> {
        if let Some(before) = self.held.get(path) {
            return before.bytes.clone().ok_or_else(unfinished);
        }
        if let Some(known) = self.all().get(path).filter(|known| known.len() as u64 <= most) {
            return Ok(known.clone());
        }
        let bytes: Arc<[u8]> = file::read(path, most)?.into();
        self.all().insert(path.to_owned(), bytes.clone());
        Ok(bytes)
    }

    /// As [`Contents::read`], for text.
    ///
    /// # Errors
    /// As [`Contents::read`], and where it is not UTF-8.
    pub fn text(&self, path: &Path, most: u64) -> io::Result<String> {
        file::text(self.read(path, most)?.to_vec())
    }

    /// What a file that is going to be read is known by.
    pub fn stamp(&self, path: &Path) -> Option<Stamp> {
        match self.held.get(path) {
            Some(before) => before.stamp,
            None => Stamp::of(path),
        }
    }

    /// Whether somebody is writing to a file.
    pub fn is_held(&self, path: &Path) -> bool {
        self.held.contains_key(path)
    }

    /// Whether there is nothing of it but what somebody is writing.
    pub fn is_to_come(&self, path: &Path) -> bool {
        self.held.get(path).is_some_and(|before| before.bytes.is_none())
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Arc<[u8]>>> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a file that is being written is not read.
pub fn unfinished() -> io::Error {
    let text = "somebody is still writing to it; it is read once that is over";
    io::Error::new(io::ErrorKind::ResourceBusy, text)
}

/// Secrets are among what is in files.
impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.all().keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cases::Folder;

    #[test]
    fn a_file_is_the_same_for_one_configuration_whatever_becomes_of_it() {
        let folder = Folder::new();
        let file = folder.write("secret", "one");
        let contents = Contents::default();
        assert_eq!(contents.text(&file, 9).expect("read"), "one");
        folder.write("secret", "another");
        assert_eq!(contents.text(&file, 9).expect("read"), "one");
        assert_eq!(Contents::default().text(&file, 9).expect("read"), "another");
        assert!(Contents::default().text(&file, 3).is_err());
    }

    #[test]
    fn a_file_that_is_held_is_what_it_was_or_not_there_yet() {
        let folder = Folder::new();
        let (old, new) = (folder.write("old", "whole"), folder.write("new", "ha"));
        let first = Contents::default();
        let stamps = Sources::from([(old.clone(), first.stamp(&old))]);
        first.text(&old, 9).expect("read");
        folder.write("old", "half of mo");
        let second = Contents::without(first.hold(&[old.clone(), new.clone()], &stamps));
        assert_eq!(second.text(&old, 9).expect("held"), "whole");
        assert_eq!(second.stamp(&old), stamps[&old]);
        let error = second.text(&new, 9).expect_err("not whole").to_string();
        assert!(error.contains("still writing"), "{error}");
        assert!(second.is_to_come(&new) && !second.is_to_come(&old) && second.is_held(&old));
        // And for as long as it takes.
        let third = Contents::without(second.hold(std::slice::from_ref(&old), &stamps));
        assert_eq!(third.text(&old, 9).expect("held"), "whole");
    }
}
