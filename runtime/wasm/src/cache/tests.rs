use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::*;
use crate::digest::{digest, hex};
use crate::engine::engine;
use crate::task;
use crate::tests::{Folder, forwards};

struct Kept {
    folder: Folder,
    engine: Engine,
}

impl Kept {
    fn new() -> Kept {
        Kept { folder: Folder::new(), engine: engine().expect("an engine").0 }
    }

    /// As after a restart.
    fn load(&self) -> Origin {
        let dir = self.folder.0.join("cache");
        let cache = Cache::new(&self.engine, Some(&dir), &Clock::System);
        let bytes = forwards();
        let compile = || task::compile(&self.engine, &bytes);
        cache.load(&digest(&bytes), &bytes, compile).expect("a plugin").origin
    }

    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let below = |dir: PathBuf| {
            fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path())
        };
        let mut files: Vec<PathBuf> = below(self.folder.0.join("cache")).flat_map(below).collect();
        files.retain(|file| file.to_string_lossy().ends_with(ending));
        files
    }

    fn artifact(&self) -> PathBuf {
        self.files(".cwasm").pop().expect("an artifact")
    }
}

#[test]
fn a_restart_does_not_compile() {
    let kept = Kept::new();
    assert_eq!(kept.load(), Origin::Compiled);
    assert_eq!(kept.load(), Origin::Disk);
    assert_eq!(kept.files("").len(), 3, "nothing temporary is left");
}

#[test]
fn a_file_that_was_damaged_is_compiled_anew() {
    let kept = Kept::new();
    kept.load();
    let mut bytes = fs::read(kept.artifact()).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(kept.artifact(), &bytes).expect("it is ours");
    assert_eq!(kept.load(), Origin::Compiled);
    assert_eq!(kept.load(), Origin::Disk);
    fs::write(kept.artifact(), &bytes[..middle]).expect("it is ours");
    assert_eq!(kept.load(), Origin::Compiled);
    for ending in [".sha256", ".plan"] {
        fs::remove_file(&kept.files(ending)[0]).expect("it is there");
        assert_eq!(kept.load(), Origin::Compiled);
        assert_eq!(kept.load(), Origin::Disk);
    }
    fs::write(&kept.files(".plan")[0], "{}").expect("it is ours");
    assert_eq!(kept.load(), Origin::Compiled);
}

#[test]
fn a_file_that_is_no_artifact_is_compiled_anew_though_its_sum_is_right() {
    let kept = Kept::new();
    kept.load();
    let sum = |plan: &[u8], code: &[u8]| {
        let length = (plan.len() as u64).to_le_bytes();
        let of = digest(&forwards());
        hex(&Sha256::digest([of.as_bytes(), &length, plan, code].concat()))
    };
    let (artifact, plan) = (kept.artifact(), kept.files(".plan").remove(0));
    let kept_sum = kept.files(".sha256").remove(0);
    let whole = fs::read(&plan).expect("it is there");
    let code = fs::read(&artifact).expect("it is there");
    assert_eq!(fs::read(&kept_sum).expect("it is there"), sum(&whole, &code).as_bytes());
    for (what, other) in [(&artifact, &b"not an artifact"[..]), (&plan, b"{}"), (&plan, b"\xff")] {
        fs::write(what, other).expect("it is ours");
        let read = |path| fs::read(path).expect("it is there");
        fs::write(&kept_sum, sum(&read(&plan), &read(&artifact))).expect("it is ours");
        assert_eq!(kept.load(), Origin::Compiled);
        assert_eq!(kept.load(), Origin::Disk);
    }
}

#[test]
fn a_file_that_others_can_write_is_compiled_anew() {
    let kept = Kept::new();
    kept.load();
    fs::set_permissions(kept.artifact(), fs::Permissions::from_mode(0o666)).expect("it is ours");
    assert_eq!(kept.load(), Origin::Compiled);
    assert_eq!(kept.load(), Origin::Disk);
    let elsewhere = kept.folder.0.join("elsewhere");
    let artifact = kept.artifact();
    fs::rename(&artifact, &elsewhere).expect("it is ours");
    std::os::unix::fs::symlink(&elsewhere, &artifact).expect("a link");
    assert_eq!(kept.load(), Origin::Compiled, "a link may lead anywhere");
}

#[test]
fn a_directory_that_others_can_write_is_not_used() {
    let kept = Kept::new();
    let dir = kept.folder.0.join("cache");
    fs::create_dir(&dir).expect("a directory");
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o777)).expect("it is ours");
    assert_eq!(kept.load(), Origin::Compiled);
    assert_eq!(kept.load(), Origin::Compiled);
    assert_eq!(fs::read_dir(&dir).expect("a directory").count(), 0);
}

#[test]
fn directories_are_for_us_alone() {
    let kept = Kept::new();
    kept.load();
    for dir in
        [kept.folder.0.join("cache"), kept.artifact().parent().expect("a directory").to_owned()]
    {
        assert_eq!(fs::metadata(dir).expect("it is there").permissions().mode() & 0o777, 0o700);
    }
}

#[test]
fn a_cache_that_was_filled_before_is_used_without_a_write() {
    let kept = Kept::new();
    kept.load();
    let folders =
        [kept.folder.0.join("cache"), kept.artifact().parent().expect("a directory").to_owned()];
    let state = || {
        let files = kept.files("").into_iter().chain(folders.clone());
        let changed = |file: PathBuf| {
            let facts = fs::metadata(file).expect("it is there");
            (facts.ino(), facts.ctime(), facts.ctime_nsec())
        };
        files.map(changed).collect::<Vec<_>>()
    };
    // Root may write to it nevertheless; that nothing changed is what is looked at.
    for folder in &folders {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o500)).expect("it is ours");
    }
    let before = state();
    assert_eq!(kept.load(), Origin::Disk);
    assert_eq!(state(), before);
}
