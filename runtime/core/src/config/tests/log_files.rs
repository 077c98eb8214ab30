//! What a check says of the access log's file is what opening it says.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::sync::Arc;

use super::*;
use crate::config::cases::Folder;
use crate::telemetry::access_log::{AccessLog, Format};

const LISTENER: &str = "[listeners.web]\nbind = \"127.0.0.1:0\"\n[routes.a]\nupstream = \"u\"\n\
                        [upstreams.u]\nendpoints = [\"http://127.0.0.1:1\"]\n";

#[test]
fn a_file_is_refused_that_cannot_be_opened_and_no_other() {
    let folder = Folder::new();
    let path = |name: &str| folder.path().join(name);
    let links = [
        ("dangling", path("not/there")),
        ("dangling-here", path("later")),
        ("dangling-twice", path("dangling-here")),
        ("loop", path("loop")),
        ("back", path("forth")),
        ("forth", path("back")),
    ];
    links.iter().for_each(|(name, to)| symlink(to, path(name)).expect("linked"));
    symlink("relative", path("dangling-relative")).expect("linked");
    let _socket = UnixListener::bind(path("socket")).expect("bound");
    let long = "n".repeat(300);
    folder.write("there", "line\n");
    let made = ["later", "relative", "new"];
    for (name, fine) in [
        ("there", Some(true)),
        ("new", Some(true)),
        ("dangling-here", Some(true)),
        ("dangling-twice", Some(true)),
        ("dangling-relative", Some(true)),
        ("dangling", Some(false)),
        ("loop", Some(false)),
        ("back", Some(false)),
        ("socket", Some(false)),
        ("there/below", Some(false)),
        ("not/there", Some(false)),
        (&long, Some(false)),
        (".", Some(false)),
        ("/dev/null", Some(true)),
        // Where there is a terminal, and for those who may.
        ("/dev/tty", None),
        ("/proc/version", None),
    ] {
        let path = path(name);
        let toml = format!(
            "{LISTENER}[server]\naccess_log = {{ file = {:?} }}\n",
            path.display().to_string()
        );
        let said = load(&text(&toml), &Environment::default(), &[]);
        assert!(made.iter().all(|made| !folder.path().join(made).exists()), "it was made: {name}");
        let opened = AccessLog::open(Format::Json, Some(&path), Arc::default());
        assert_eq!(said.is_ok(), opened.is_ok(), "{name}: {said:?} {:?}", opened.err());
        assert!(fine.is_none_or(|fine| said.is_ok() == fine), "{name}: {said:?}");
        made.iter().for_each(|made| drop(std::fs::remove_file(folder.path().join(made))));
    }
}
