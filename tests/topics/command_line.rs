//! The tools of the command line, and who reads what they say.

use std::io::{Read, pipe};
use std::process::{Command, ExitStatus, Stdio};

const FINE: &str = "[listeners.web]\nbind = \"127.0.0.1:0\"\n";
const WRONG: &str = "[listeners.web]\nbind = 7\n";

/// Runs a command with a configuration at hand; `closed` is a stream whose reader has gone.
fn run(arguments: &[&str], config: &str, closed: Closed) -> (ExitStatus, String) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("weir.toml"), config).expect("written");
    let (reader, gone) = pipe().expect("a pipe");
    drop(reader);
    let (mut heard, other) = pipe().expect("a pipe");
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir-under-test"));
    command.args(arguments).current_dir(folder.path()).stdin(Stdio::null());
    match closed {
        Closed::Output => command.stdout(gone).stderr(other),
        Closed::Error => command.stdout(other).stderr(gone),
    };
    let status = command.status().expect("it runs");
    drop(command);
    let mut said = String::new();
    heard.read_to_string(&mut said).expect("text");
    (status, said)
}

#[derive(Clone, Copy)]
enum Closed {
    Output,
    Error,
}

#[test]
fn a_closed_standard_output_changes_nothing() {
    for arguments in [
        &["--help"][..],
        &["--version"],
        &["plugin", "list"],
        &["plugin", "inspect", "cors"],
        &["check"],
    ] {
        let (status, errors) = run(arguments, FINE, Closed::Output);
        assert!(status.success(), "{arguments:?}: {status}, {errors}");
        assert_eq!(errors, "", "{arguments:?}");
    }
    let (status, errors) = run(&["check"], WRONG, Closed::Output);
    assert_eq!(status.code(), Some(2), "{errors}");
    assert!(errors.contains("listeners.web.bind"), "{errors}");
}

#[test]
fn a_closed_standard_error_changes_nothing() {
    for arguments in
        [&["check"][..], &["run"], &["plugin", "inspect", "./nothing.wasm"], &["nonsense"]]
    {
        let (status, _) = run(arguments, WRONG, Closed::Error);
        assert_eq!(status.code(), Some(2), "{arguments:?}: {status}");
    }
}

#[test]
fn output_that_cannot_be_kept_is_a_failure() {
    for arguments in [
        &["plugin", "inspect", "cors"][..],
        &["plugin", "list"],
        &["plugin", "--help"],
        &["--help"],
        &["--version"],
        &["check"],
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("weir.toml"), FINE).expect("written");
        let full = std::fs::File::options().write(true).open("/dev/full").expect("Linux has one");
        let output = Command::new(env!("CARGO_BIN_EXE_weir-under-test"))
            .args(arguments)
            .current_dir(folder.path())
            .stdout(full)
            .output()
            .expect("it runs");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains("standard output: No space left"), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_component_of_ones_own_is_inspected_apart() {
    let hello = weir_tests::guest("hello");
    let (status, said) =
        run(&["plugin", "inspect", &hello.display().to_string()], FINE, Closed::Error);
    assert!(status.success(), "{status}");
    assert!(said.contains("hooks    request"), "{said}");
    assert!(said.contains("greeting"), "{said}");
}
