use std::fs;
use std::os::unix::fs::symlink;

use rustix::fs::{FileType, Gid, Uid, chown, mknodat};

use super::prune::{ABANDONED_AFTER, Entry, MAX_AGE, MAX_BYTES, stale};
use super::*;
use crate::tests::Folder;

#[path = "../../../../tests/harness/skip.rs"]
mod skip;

const ENGINE: &str = "0123456789abcdef";

fn open(folder: &Path) -> Artifacts {
    Artifacts::open(folder, ENGINE, SystemTime::now()).expect("a folder of ours")
}

fn write(artifacts: &Artifacts, digest: &str, bytes: &[u8]) {
    artifacts.write(digest, bytes, b"its plan").expect("written");
}

fn read(artifacts: &Artifacts, digest: &str) -> Option<Vec<u8>> {
    let (mut file, plan) = artifacts.read(digest, SystemTime::now())?;
    assert_eq!(plan, b"its plan");
    let mut bytes = Vec::new();
    io::Seek::rewind(&mut file).expect("a file");
    file.read_to_end(&mut bytes).expect("a file");
    Some(bytes)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder.join(ENGINE)).expect("a folder");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    names.sort();
    names
}

#[test]
fn what_was_written_is_read() {
    let folder = Folder::new();
    let artifacts = open(&folder.0);
    write(&artifacts, "a", b"artifact");
    assert_eq!(read(&artifacts, "a").as_deref(), Some(&b"artifact"[..]));
    assert_eq!(read(&artifacts, "b"), None);
    assert_eq!(names(&folder.0), ["a.cwasm", "a.plan", "a.sha256"], "nothing temporary is left");
}

/// As by a restore that mixed them up.
#[test]
fn an_artifact_is_that_of_its_component_or_none() {
    let folder = Folder::new();
    let artifacts = open(&folder.0);
    write(&artifacts, "a", b"of a");
    write(&artifacts, "b", b"of b");
    for kind in ["cwasm", "sha256"] {
        let file = |digest: &str| folder.0.join(ENGINE).join(format!("{digest}.{kind}"));
        fs::copy(file("a"), file("b")).expect("copied");
    }
    assert_eq!(read(&artifacts, "b"), None);
    assert_eq!(read(&artifacts, "a").as_deref(), Some(&b"of a"[..]));
}

#[test]
fn a_folder_that_was_swapped_since_is_not_looked_into() {
    let folder = Folder::new();
    let (cache, away, theirs) =
        (folder.0.join("cache"), folder.0.join("away"), folder.0.join("theirs"));
    let artifacts = open(&cache);
    write(&artifacts, "a", b"ours");
    let other = open(&theirs);
    write(&other, "a", b"theirs");
    write(&other, "b", b"theirs");
    fs::rename(&cache, &away).expect("moved away");
    fs::rename(&theirs, &cache).expect("put in its place");
    assert_eq!(read(&artifacts, "a").as_deref(), Some(&b"ours"[..]));
    assert_eq!(read(&artifacts, "b"), None);
    write(&artifacts, "c", b"ours");
    assert!(away.join(ENGINE).join("c.cwasm").exists());
    assert!(!cache.join(ENGINE).join("c.cwasm").exists());
}

#[test]
fn the_folder_of_an_engine_is_no_link() {
    let folder = Folder::new();
    let theirs = folder.0.join("theirs");
    write(&open(&theirs), "a", b"theirs");
    let cache = folder.0.join("cache");
    DirBuilder::new().mode(0o700).create(&cache).expect("a folder");
    symlink(theirs.join(ENGINE), cache.join(ENGINE)).expect("a link");
    assert!(Artifacts::open(&cache, ENGINE, SystemTime::now()).is_err());
}

/// What another user owns is theirs to change at any time, whatever its mode says now.
#[test]
fn what_another_user_owns_is_not_used() {
    if !rustix::process::geteuid().is_root() {
        return skip::skipped("only root can give files away");
    }
    let give = |path: &Path| {
        chown(path, Some(Uid::from_raw(65534)), Some(Gid::from_raw(65534))).expect("given away");
    };
    let folder = Folder::new();
    let artifacts = open(&folder.0);
    for given in ["a.cwasm", "b.sha256", "c.plan"] {
        write(&artifacts, &given[..1], b"artifact");
        give(&folder.0.join(ENGINE).join(given));
        assert_eq!(read(&artifacts, &given[..1]), None, "{given}");
    }
    give(&folder.0.join(ENGINE));
    assert!(Artifacts::open(&folder.0, ENGINE, SystemTime::now()).is_err());
    fs::remove_dir_all(folder.0.join(ENGINE)).expect("removed");
    give(&folder.0);
    assert!(Artifacts::open(&folder.0, ENGINE, SystemTime::now()).is_err());
}

#[test]
fn a_fifo_is_no_artifact_and_is_not_waited_for() {
    let folder = Folder::new();
    let artifacts = open(&folder.0);
    let mode = Mode::RUSR | Mode::WUSR;
    for name in ["a.cwasm", "a.plan", "a.sha256"] {
        mknodat(&artifacts.folder, name, FileType::Fifo, mode, 0).expect("a FIFO");
    }
    assert_eq!(read(&artifacts, "a"), None);
}

#[test]
fn the_time_of_use_is_kept_by_the_hour() {
    let folder = Folder::new();
    let artifacts = open(&folder.0);
    write(&artifacts, "a", b"artifact");
    let used = || {
        let file = File::open(folder.0.join(ENGINE).join("a.cwasm")).expect("a file");
        file.metadata().and_then(|facts| facts.modified()).expect("a time")
    };
    let written = used();
    artifacts.read("a", written + TOUCH_AFTER / 2).expect("an artifact");
    assert_eq!(used(), written);
    let later = written + TOUCH_AFTER * 2;
    artifacts.read("a", later).expect("an artifact");
    assert_eq!(used(), later);
}

#[test]
fn what_a_process_left_half_written_goes_after_a_while() {
    let folder = Folder::new();
    let artifacts = open(&folder.0);
    let left = folder.0.join(ENGINE).join(".a.cwasm-1-1");
    fs::write(&left, b"half").expect("written");
    let written = SystemTime::now();
    artifacts.prune(written + ABANDONED_AFTER / 2);
    assert!(left.exists());
    artifacts.prune(written + ABANDONED_AFTER * 2);
    assert!(!left.exists());
}

#[test]
fn what_is_not_used_for_long_goes_but_for_what_is_in_use() {
    let folder = Folder::new();
    let artifacts = open(&folder.0);
    let older = Artifacts::open(&folder.0, "fedcba9876543210", SystemTime::now()).expect("ours");
    for (artifacts, digest) in [(&artifacts, "a"), (&artifacts, "b"), (&older, "c")] {
        write(artifacts, digest, b"artifact");
    }
    fs::write(folder.0.join("note"), b"not ours").expect("written");
    let in_use = artifacts.read("a", SystemTime::now()).expect("an artifact");
    let much_later = SystemTime::now() + MAX_AGE * 2;
    artifacts.prune(much_later);
    assert_eq!(names(&folder.0), ["a.cwasm", "a.plan", "a.sha256"]);
    assert!(!folder.0.join("fedcba9876543210/c.cwasm").exists(), "it was another version's");
    artifacts.prune(much_later);
    assert!(!folder.0.join("fedcba9876543210").exists(), "nobody uses it");
    assert!(folder.0.join("note").exists());
    drop(in_use);
    artifacts.prune(much_later);
    assert!(names(&folder.0).is_empty());
    write(&artifacts, "d", b"the folder is still there");
}

#[test]
fn many_changed_components_leave_what_is_allowed() {
    let folder = Folder::new();
    let artifacts = open(&folder.0);
    let artifact = vec![7; 1 << 20];
    for round in 0..300 {
        write(&artifacts, &format!("{round:04}"), &artifact);
        // The time of a file is not fine enough everywhere to tell which of them is older.
        let file = File::open(folder.0.join(ENGINE).join(format!("{round:04}.cwasm")));
        let written = SystemTime::now() - Duration::from_secs(1000 - round);
        file.and_then(|file| file.set_modified(written)).expect("a time");
        artifacts.prune(SystemTime::now());
    }
    let left = names(&folder.0);
    let bytes: u64 = left
        .iter()
        .map(|name| fs::metadata(folder.0.join(ENGINE).join(name)).expect("a file").len())
        .sum();
    assert!(bytes < MAX_BYTES + (1 << 20), "{bytes} bytes are left");
    assert!(bytes > MAX_BYTES / 2, "too much went: {bytes} bytes are left");
    assert!(left.contains(&"0299.cwasm".to_owned()), "the newest is there");
    assert_eq!(left.len() % 3, 0, "each with its plan and its sum");
}

#[test]
fn the_least_recently_used_goes_first() {
    let now = SystemTime::now();
    let entry = |name: &str, age: u64, bytes: u64| Entry {
        folder: (),
        name: name.to_owned(),
        bytes,
        used: now - Duration::from_secs(age),
    };
    let gone = |entries: Vec<Entry<()>>, free: fn(&Entry<()>) -> bool| -> Vec<String> {
        stale(entries, now, free).into_iter().map(|entry| entry.name).collect()
    };
    let half = MAX_BYTES / 2;
    let entries = || {
        vec![
            entry("new.cwasm", 1, half),
            entry("oldest.cwasm", 30, half),
            entry("old.cwasm", 20, half),
        ]
    };
    assert_eq!(gone(entries(), |_| true), ["oldest.cwasm"]);
    assert_eq!(gone(entries(), |entry| entry.name != "oldest.cwasm"), ["old.cwasm"]);
    assert!(gone(entries(), |_| false).is_empty());
    // A clock that was turned back makes nothing stale.
    let ahead = vec![Entry { used: now + MAX_AGE * 3, ..entry("ahead.cwasm", 0, 1) }];
    assert!(gone(ahead, |_| true).is_empty());
    assert!(gone(vec![entry(".new-1-1", 1, 1), entry("note", 1 << 30, 1)], |_| true).is_empty());
}

/// As after a crash between two deletions, or where one process deletes what another one just writes.
#[test]
fn what_belongs_to_no_artifact_goes_too() {
    let folder = Folder::new();
    let artifacts = open(&folder.0);
    write(&artifacts, "a", b"artifact");
    fs::remove_file(folder.0.join(ENGINE).join("a.cwasm")).expect("removed");
    artifacts.prune(SystemTime::now() + 2 * MAX_AGE);
    assert_eq!(names(&folder.0), Vec::<String>::new());
}
