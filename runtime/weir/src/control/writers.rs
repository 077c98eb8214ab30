//! Which files somebody has open for writing, however they came into their place.
//!
//! In: files. Out: those that a process of this machine has open for writing, as far as this one may
//! see: its own user's, or everybody's for root (proc(5)). Never: touches a file for it, since one may
//! lie on a mount that is dead; and never takes more than a tenth of the thread's time.
#![expect(clippy::disallowed_methods, reason = "files are watched on the control side")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use weir_core::clock;

/// The last look.
#[derive(Debug, Default)]
pub struct Writers {
    files: BTreeSet<PathBuf>,
    open: BTreeSet<PathBuf>,
    /// When the next one may be.
    next: Option<Instant>,
}

/// Time between two looks for each second that one takes, and at least.
const SHARE: u32 = 10;
const AT_LEAST: Duration = Duration::from_millis(100);

impl Writers {
    /// Those of these files, by paths without links, that somebody has open for writing now, or had a
    /// moment ago.
    pub fn of(&mut self, now: Instant, files: BTreeSet<PathBuf>) -> &BTreeSet<PathBuf> {
        if files.is_empty() {
            self.open.clear();
        } else if self.files != files || self.next.is_none_or(|next| now >= next) {
            self.open = open(&files);
            self.next = Some(now + (clock::since(now) * SHARE).max(AT_LEAST));
        }
        self.files = files;
        &self.open
    }
}

/// Those of these files, as they are named, that somebody has open for writing now.
pub fn open_of(files: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let named = files.filter_map(|file| Some((file.canonicalize().ok()?, file)));
    let named: BTreeMap<PathBuf, PathBuf> = named.collect();
    if named.is_empty() {
        return Vec::new();
    }
    let open = open(&named.keys().cloned().collect());
    open.iter().filter_map(|file| named.get(file).cloned()).collect()
}

fn open(files: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    let number = |path: &PathBuf| Some((fs::metadata(path).ok()?.ino(), path.clone()));
    let numbers: BTreeMap<u64, PathBuf> = files.iter().filter_map(number).collect();
    let mut open = BTreeSet::new();
    for process in entries(Path::new("/proc")) {
        // Threads have the files of their process.
        let name = process.file_name().unwrap_or_default().as_encoded_bytes();
        if !name.first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        for descriptor in entries(&process.join("fd")) {
            // What is no file has a name that is no path.
            let Ok(name) = fs::read_link(&descriptor) else { continue };
            let Some(number) = descriptor.file_name().filter(|_| name.is_absolute()) else {
                continue;
            };
            let Ok(facts) = fs::read_to_string(process.join("fdinfo").join(number)) else {
                continue;
            };
            if !writes(&facts) {
                continue;
            }
            match fact(&facts, "ino:").and_then(|ino| ino.parse().ok()) {
                Some(ino) => {
                    // The same number is another file's on another file system.
                    let named = numbers.get(&ino).filter(|path| is_same(path, &descriptor));
                    open.extend(named.cloned());
                }
                // Before Linux 5.14.
                None => open.extend(files.get(&name).cloned()),
            }
        }
    }
    open
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    // It may be another user's, or gone.
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Whether a descriptor is one to write with, as `/proc/PID/fdinfo/FD` has its flags: in octal digits.
fn writes(facts: &str) -> bool {
    let access = fact(facts, "flags:").and_then(|flags| flags.bytes().last());
    access.is_some_and(|digit| matches!(digit & 0o3, 1 | 2))
}

fn fact<'a>(facts: &'a str, name: &str) -> Option<&'a str> {
    facts.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn is_same(one: &Path, other: &Path) -> bool {
    let key = |path: &Path| fs::metadata(path).map(|facts| (facts.dev(), facts.ino())).ok();
    key(one).is_some_and(|one| Some(one) == key(other))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn who_has_a_file_open_to_write_is_seen_and_who_reads_is_not() {
        let folder = std::env::temp_dir().join(format!("weir-writers-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let folder = folder.canonicalize().expect("there");
        let file = folder.join("a");
        let files = BTreeSet::from([file.clone(), folder.join("none")]);
        let other = File::create(folder.join("b")).expect("open");
        let seen = || Writers::default().of(clock::now(), files.clone()).clone();
        let writer = File::create(folder.join("a.new")).expect("open");
        fs::rename(folder.join("a.new"), &file).expect("renamed");
        let reader = File::open(&file).expect("open");
        assert_eq!(seen(), BTreeSet::from([file.clone()]));
        drop(writer);
        assert_eq!(seen(), BTreeSet::new());
        let both = File::options().read(true).append(true).open(&file).expect("open");
        assert_eq!(seen(), BTreeSet::from([file.clone()]));
        drop((both, reader, other));
        fs::remove_dir_all(&folder).expect("removed");
    }

    #[test]
    fn flags_of_a_descriptor() {
        for (flags, expected) in
            [("0100000", false), ("0100001", true), ("02100002", true), ("02102001", true)]
        {
            let facts = format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t1\nino:\t2\n");
            assert_eq!(writes(&facts), expected, "{flags}");
        }
        assert!(!writes(""));
    }
}
