//! Waiting for what nobody tells.
//!
//! In: a question. Out: once it is answered with yes. Never: longer than ten seconds.

use std::time::{Duration, Instant};

const AT_MOST: Duration = Duration::from_secs(10);

/// Asks again and again until it `holds`.
///
/// # Panics
/// With `what`, where it does not.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + AT_MOST;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
