//! What the parent makes of whatever a child may do. The real child is tried by the whole-system
//! tests.

use std::process::Command;
use std::time::Duration;

use super::*;
use crate::tests::Folder;
use weir_core::clock;

const LIMITS: CompileLimits = CompileLimits { memory: 1 << 20, time: Duration::from_secs(600) };

/// A program that does this, as a script. Written by another process: one that has it open for
/// writing while a third one is started could not start it.
fn program(folder: &Folder, does: &str) -> PathBuf {
    let path = folder.0.join("program");
    let written = Command::new("/bin/sh")
        .args(["-c", "printf '#!/bin/sh\n%s\n' \"$1\" > \"$0\" && chmod +x \"$0\""])
        .arg(&path)
        .arg(does)
        .status();
    assert!(written.expect("a shell").success());
    path
}

fn run(does: &str, limits: CompileLimits) -> Done {
    let folder = Folder::new();
    let program = program(&folder, does);
    let stopped = AtomicBool::new(false);
    Apart { program: &program, limits, stopped: &stopped }.run(Task::Compile, b"component")
}

#[track_caller]
fn refused(does: &str, limits: CompileLimits, words: &str) {
    let problems = run(does, limits).expect_err("it makes nothing");
    let told = problems[0].clone().of(&"p".into()).to_string();
    assert!(told.contains(words), "{told}");
}

#[test]
fn what_the_child_makes_is_what_there_is() {
    assert_eq!(run("printf +; cat", LIMITS), Ok(b"component".to_vec()));
    let problem = Problem::component("it is wrong").hint("mend it");
    let said = serde_json::to_string(&(&[&problem], ["/config/key"])).expect("JSON");
    let problem = Problem { secrets: ["/config/key".to_owned()].into(), ..problem };
    assert_eq!(run(&format!("printf '%s' '-{said}'"), LIMITS), Err(vec![problem]));
}

#[test]
fn it_sees_nothing_of_the_environment() {
    let seen = run("printf +; env", LIMITS).expect("variables");
    let seen = String::from_utf8(seen).expect("text");
    assert!(seen.contains("MIMALLOC_ARENA_RESERVE"), "{seen}");
    assert!(!seen.contains("CARGO"), "{seen}");
}

#[test]
fn a_child_that_is_told_to_stop_is_gone_at_once() {
    let folder = Folder::new();
    let pid = folder.0.join("pid");
    let does = format!("echo $$ > {0}.part; mv {0}.part {0}; exec sleep 600", pid.display());
    let program = program(&folder, &does);
    let stopped = AtomicBool::new(false);
    let apart = Apart { program: &program, limits: LIMITS, stopped: &stopped };
    let since = clock::now();
    let done = std::thread::scope(|scope| {
        let running = scope.spawn(|| apart.run(Task::Compile, &[0; 1 << 20]));
        while !pid.exists() {
            assert!(clock::since(since) < Duration::from_secs(60), "it does not start");
            std::thread::sleep(Duration::from_millis(1));
        }
        stopped.store(true, Ordering::Relaxed);
        running.join().expect("no panic")
    });
    let told = format!("{:?}", done.expect_err("it was stopped"));
    assert!(told.contains("was interrupted"), "{told}");
    let pid = std::fs::read_to_string(pid).expect("a number");
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "it still runs");
}

#[test]
fn a_child_that_neither_works_nor_ends_is_ended() {
    let limits = CompileLimits { time: Duration::from_millis(5), ..LIMITS };
    refused("exec sleep 600", limits, "takes more than 50ms while the machine is this busy");
}

#[test]
fn a_child_that_says_too_much_is_ended() {
    refused("yes", LIMITS, "takes more than 1 MiB");
}

#[test]
fn how_a_child_died_is_told() {
    refused("kill -XCPU $$", LIMITS, "takes more than 600s of processor time");
    refused("kill -ABRT $$", LIMITS, "takes more than 1 MiB of memory, or nests deeper");
    refused("kill -SEGV $$", LIMITS, "takes more than 1 MiB of memory, or nests deeper");
    refused("kill -KILL $$", LIMITS, "its process ended with signal: 9");
    refused("printf +half; exit 3", LIMITS, "its process ended with exit status: 3");
    refused("echo hello", LIMITS, "gave no answer");
    refused("true", LIMITS, "gave no answer");
    refused("printf -- '-{}'", LIMITS, "gave no answer");
}

#[test]
fn a_program_that_cannot_be_started_is_told_with_what_to_do() {
    let stopped = AtomicBool::new(false);
    let program = Path::new("/nonexistent/weir");
    let done = Apart { program, limits: LIMITS, stopped: &stopped }.run(Task::Check, b"{}");
    let told = done.expect_err("nothing runs")[0].clone().of(&"p".into()).to_string();
    assert!(told.contains("cannot be started: No such file"), "{told}");
    assert!(told.contains("a cache that was filled elsewhere"), "{told}");
}
