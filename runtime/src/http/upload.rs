//! How far a request's body came.
//!
//! In: counts from the body as it is read. Out: the same for whoever waits for the response, which
//! is not overdue while the request is still being sent. Never: holds bytes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Progress of a request's body, shared by its reader and whoever waits for the response.
#[derive(Debug, Default)]
pub struct UploadState {
    bytes: AtomicU64,
    pending: AtomicBool,
}

impl UploadState {
    /// There is a body, and its end was not reached yet.
    pub fn begin(&self) {
        self.pending.store(true, Ordering::Relaxed);
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

    /// Bytes read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}
