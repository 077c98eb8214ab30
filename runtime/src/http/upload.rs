//! How far a request's body came.
//!
//! In: counts from the body as it is read, and why it broke. Out: the same for whoever waits for
//! the response, which is not overdue while the client still sends. Never: holds bytes.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::error::Error;

/// Progress of a request's body, shared by its reader and whoever waits for the response.
#[derive(Debug)]
pub struct UploadState {
    bytes: AtomicU64,
    /// The most bytes it may have.
    limit: AtomicU64,
    pending: AtomicBool,
    starved: AtomicBool,
    failure: OnceLock<Error>,
}

impl Default for UploadState {
    fn default() -> Self {
        UploadState {
            bytes: AtomicU64::new(0),
            limit: AtomicU64::new(u64::MAX),
            pending: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            failure: OnceLock::new(),
        }
    }
}

impl UploadState {
    /// There is a body, and its end was not reached yet.
    pub fn begin(&self) {
        self.pending.store(true, Ordering::Relaxed);
    }

    /// It may have at most so many bytes. Of several limits the lowest counts.
    pub fn limit(&self, bytes: u64) {
        self.limit.fetch_min(bytes, Ordering::Relaxed);
    }

    /// The limit, where `bytes` are more than it allows.
    pub fn exceeded_by(&self, bytes: u64) -> Option<u64> {
        let limit = self.limit.load(Ordering::Relaxed);
        (bytes > limit).then_some(limit)
    }

    /// More of it was read. Gives the sum.
    pub fn add(&self, bytes: u64) -> u64 {
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Its end was reached.
    pub fn end(&self) {
        self.pending.store(false, Ordering::Relaxed);
    }

    pub fn is_pending(&self) -> bool {
        self.pending.load(Ordering::Relaxed)
    }

    /// Whether the last look at it found nothing: it is the client that is waited for.
    pub fn set_starved(&self, starved: bool) {
        self.starved.store(starved, Ordering::Relaxed);
    }

    /// The client owes bytes, and somebody waits for them.
    pub fn is_starved(&self) -> bool {
        self.is_pending() && self.starved.load(Ordering::Relaxed)
    }

    /// It broke, or is longer than it may be; the first cause is kept.
    pub fn fail(&self, error: &Error) {
        let _ = self.failure.set(error.clone());
    }

    /// Why it broke. An upstream connection reports only that it did.
    pub fn failure(&self) -> Option<&Error> {
        self.failure.get()
    }

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}
