//! Waiting for what nobody tells.
//!
//! In: a question. Out: once it is answered with yes. Never: longer than ten seconds, or what is said.

use std::time::{Duration, Instant};

const AT_MOST: Duration = Duration::from_secs(10);

/// Asks again and again until it `holds`.
///
/// # Panics
/// With `what`, where it does not.
#[track_caller]
pub fn until(what: &str, holds: impl FnMut() -> bool) {
    until_within(AT_MOST, what, holds);
}

/// The same, for what may take longer.
///
/// # Panics
/// With `what`, where it does not hold within that time.
#[track_caller]
pub fn until_within(at_most: Duration, what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + at_most;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
