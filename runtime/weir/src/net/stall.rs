//! Whether a peer takes what is sent to it.
//!
//! In: the writes of one socket. Out: for how long none came through, where that is a while: whatever is
//! sent next waits behind all that stands there. Never: an end of the connection; counts a write that
//! waits for its task's turn.
//!
//! Sent bytes wait in the kernel first, up to some megabytes: a peer that is asked little may be silent for
//! long before one is noticed here.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};
use weir_core::clock;

/// A slow network takes a third of what waits in the kernel before a write comes through again.
const A_WHILE: Duration = Duration::from_secs(1);

/// Of one socket. Written and read by one worker: its lock is for the compiler, and taken where a write
/// waits.
#[derive(Debug, Default)]
pub struct Stall {
    waits: AtomicBool,
    /// Where a write waits.
    since: Mutex<Option<Instant>>,
}

impl Stall {
    /// Asks for the time where a write waits.
    pub fn lasts(&self, now: impl FnOnce() -> Instant) -> Option<Duration> {
        if !self.waits.load(Relaxed) {
            return None;
        }
        let since = (*self.since.lock().unwrap_or_else(PoisonError::into_inner))?;
        let lasts = now().saturating_duration_since(since);
        (lasts >= A_WHILE).then_some(lasts)
    }

    /// The socket took bytes of a write, or none.
    pub(super) fn notice<T>(&self, written: &Poll<T>) {
        let waits = written.is_pending();
        if waits && !self.waits.load(Relaxed) {
            *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Some(clock::now());
        }
        self.waits.store(waits, Relaxed);
    }
}
