//! Tests that a machine does not allow.
//!
//! In: why. Out: a line that is seen although the test passes, and a failure where `CI` says that
//! everything is to be tried. Never: silent.

use std::io::Write as _;

/// Says that the calling test looks at nothing here; it returns then.
///
/// # Panics
/// Where the environment has a `CI` that is neither empty nor `0` or `false`.
#[track_caller]
pub fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("skipped: {test}: {why}\n");
    let counts = std::env::var("CI").is_ok_and(|ci| !matches!(&*ci, "" | "0" | "false"));
    assert!(!counts, "{line}where CI is set nothing may be skipped");
    // What a passing test prints by the macros is not shown.
    let _ = std::io::stderr().write_all(line.as_bytes());
}
