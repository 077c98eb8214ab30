//! By what a file that changed is known.
//!
//! In: a path. Out: a [`Stamp`] to compare with a later one. Never: reads what is in a file.
#![expect(clippy::disallowed_methods, reason = "files are watched on the control side")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Every file that a configuration was read from, as it was just before; `None`: not there.
pub type Sources = BTreeMap<PathBuf, Option<Stamp>>;

/// A file as it was at a time. Another stamp: it may be another file now.
///
/// Size and time of the last change are not enough: programs that copy a file keep its time. The
/// system alone sets the time of the status change, and gives each file its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    changed: (i64, i64),
    size: u64,
    /// Of a folder, a digest of the names of its `*.toml`, each of which has a stamp of its own.
    names: u64,
}

impl Stamp {
    /// Of what a link leads to. `None`: it cannot be looked at.
    pub fn of(path: &Path) -> Option<Stamp> {
        let facts = std::fs::metadata(path).ok()?;
        let stamp = Stamp {
            device: facts.dev(),
            inode: facts.ino(),
            modified: (facts.mtime(), facts.mtime_nsec()),
            changed: (facts.ctime(), facts.ctime_nsec()),
            size: facts.size(),
            names: 0,
        };
        if !facts.is_dir() {
            return Some(stamp);
        }
        // What else happens in a folder is of no interest.
        let names = names(path)?;
        Some(Stamp { modified: (0, 0), changed: (0, 0), size: 0, names, ..stamp })
    }

    /// Whether it is the same file, whatever is in it now.
    pub fn is_same_file(&self, other: &Stamp) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// Whether a folder's file of this name is read: hidden ones are editors' own, as shells see it.
pub fn is_configuration(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    !hidden && path.extension().is_some_and(|extension| extension == "toml")
}

fn names(folder: &Path) -> Option<u64> {
    let entries = std::fs::read_dir(folder).ok()?.flatten().map(|entry| entry.file_name());
    let mut names: Vec<OsString> =
        entries.filter(|name| is_configuration(Path::new(name))).collect();
    names.sort_unstable();
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    Some(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cases::Folder;

    #[test]
    fn a_file_replaced_with_the_same_size_and_time_is_another() {
        let folder = Folder::new();
        let file = folder.write("a.pem", "one");
        let before = Stamp::of(&file).expect("there");
        assert_eq!(Stamp::of(&file), Some(before));
        let time = std::fs::metadata(&file).and_then(|facts| facts.modified()).expect("a time");
        // In place, and by a rename.
        std::fs::write(&file, "two").expect("written");
        let handle = std::fs::File::options().write(true).open(&file).expect("open");
        handle.set_modified(time).expect("set");
        let written = Stamp::of(&file).expect("there");
        assert_ne!(written, before);
        assert!(written.is_same_file(&before));
        let next = folder.write("b.pem", "six");
        let handle = std::fs::File::options().write(true).open(&next).expect("open");
        handle.set_modified(time).expect("set");
        std::fs::rename(&next, &file).expect("renamed");
        let replaced = Stamp::of(&file).expect("there");
        assert_ne!(replaced, written);
        assert!(!replaced.is_same_file(&written));
    }

    #[test]
    fn a_folder_is_what_files_it_has() {
        let folder = Folder::new();
        folder.write("a.toml", "");
        let before = Stamp::of(folder.path());
        folder.write("notes.txt", "of no interest");
        folder.write("a.toml", "has a stamp of its own");
        assert_eq!(Stamp::of(folder.path()), before);
        folder.write("b.toml", "");
        assert_ne!(Stamp::of(folder.path()), before);
    }
}
