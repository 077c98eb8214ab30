//! A cache of compiled components that others have written to: none of their code runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use weir_tests::{Origin, Setup, get, skipped, until};

use super::super::system::{System, WITHIN};

/// Serves once with this cache, and tells whether the plugin had to be compiled.
fn compiled(origin: &Origin, cache: &Path) -> bool {
    let config = r#"{ response = { set = { x-own = "yes" } } }"#;
    let server = format!("cache = {:?}", cache.display().to_string());
    let setup = Setup::to(origin).server(&server).plugin("headers", config);
    let mut system = System::start(&setup);
    let line = system.daemon.wait_for_line("plugin loaded");
    let answer = get(system.web, "/");
    assert_eq!((answer.text(), answer.header("x-own")), ("one".into(), Some("yes")));
    system.daemon.signal("TERM");
    assert_eq!(system.daemon.wait(WITHIN).expect("it ends").code(), Some(0));
    match (line.contains("\"compiled\":true"), line.contains("\"compiled\":false")) {
        (compiled, other) if compiled != other => compiled,
        _ => panic!("the line does not say it: {line}"),
    }
}

/// Every artifact in the folders of a cache.
fn artifacts(cache: &Path) -> Vec<PathBuf> {
    let inside = |folder: &Path| -> Vec<PathBuf> {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    let mut all: Vec<PathBuf> = inside(cache).iter().flat_map(|folder| inside(folder)).collect();
    all.retain(|file| file.extension().is_some_and(|extension| extension == "cwasm"));
    all
}

#[test]
fn what_was_changed_in_the_cache_is_compiled_anew() {
    let origin = Origin::saying("one");
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    assert!(compiled(&origin, &cache), "nothing was there");
    assert!(!compiled(&origin, &cache), "what is ours and whole is used");
    let files = artifacts(&cache);
    assert!(!files.is_empty());
    for file in &files {
        let mut bytes = fs::read(file).expect("an artifact");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).expect("written");
    }
    assert!(compiled(&origin, &cache), "a changed byte was run");
    until("it is whole again", || !compiled(&origin, &cache));
}

#[test]
fn a_cache_that_others_can_write_to_is_not_used() {
    let origin = Origin::saying("one");
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    assert!(compiled(&origin, &cache));
    let open = |path: &Path| {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).expect("changed");
    };
    open(&cache);
    assert!(compiled(&origin, &cache), "anybody could have put it there");
    fs::set_permissions(&cache, fs::Permissions::from_mode(0o700)).expect("changed");
    assert!(!compiled(&origin, &cache));
    artifacts(&cache).iter().for_each(|file| open(file));
    assert!(compiled(&origin, &cache), "anybody could have written it");
}

/// Only root can give a file away.
#[test]
fn a_cache_of_another_user_is_not_used() {
    let origin = Origin::saying("one");
    let folder = tempfile::tempdir().expect("a folder");
    let cache = folder.path().join("cache");
    assert!(compiled(&origin, &cache));
    if std::os::unix::fs::chown(&cache, Some(61_235), None).is_err() {
        return skipped("only root can give files away");
    }
    assert!(compiled(&origin, &cache), "another user's folder was used");
}
