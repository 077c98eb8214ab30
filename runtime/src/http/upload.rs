//! How far a request's body came.
//!
//! In: counts from the body as it is read, and why it broke. Out: the same for whoever waits for
//! the response, which is not overdue while the client still sends, and for whoever waits for the
//! endpoint's connection, to which a client that sends nothing gives way. Never: holds bytes.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::error::Error;

/// Progress of a request's body, shared by its reader and whoever waits for the response.
#[derive(Debug)]
pub struct UploadState {
    bytes: AtomicU64,
    started: Instant,
    /// When the last of them came, in microseconds since then.
    last: AtomicU64,
    /// The most bytes it may have.
    limit: AtomicU64,
    pending: AtomicBool,
    starved: AtomicBool,
    answered: AtomicBool,
    /// Sweeps in which nothing came, and the bytes that were there before them.
    quiet: AtomicU32,
    heard: AtomicU64,
    /// Somebody else gets its connection.
    gives_way: AtomicBool,
    /// The exchange is.
    over: AtomicBool,
    /// Whoever waits for the client's next byte.
    reader: Mutex<Option<Waker>>,
    failure: OnceLock<Error>,
}

impl Default for UploadState {
    fn default() -> Self {
        UploadState {
            bytes: AtomicU64::new(0),
            started: Instant::now(),
            last: AtomicU64::new(0),
            limit: AtomicU64::new(u64::MAX),
            pending: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            quiet: AtomicU32::new(0),
            heard: AtomicU64::new(0),
            gives_way: AtomicBool::new(false),
            over: AtomicBool::new(false),
            reader: Mutex::default(),
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
        let passed = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last.store(passed, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// When the last byte came, or it began.
    pub fn last(&self) -> Instant {
        self.started + Duration::from_micros(self.last.load(Ordering::Relaxed))
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

    /// The response's head is there, before or after the body's end.
    pub fn answer(&self) {
        self.answered.store(true, Ordering::Relaxed);
    }

    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Counts the sweeps in a row, this one included, in which the client owed bytes and sent none.
    pub fn quiet_sweeps(&self) -> u32 {
        let bytes = self.bytes();
        if self.heard.swap(bytes, Ordering::Relaxed) != bytes || !self.is_starved() {
            self.quiet.store(0, Ordering::Relaxed);
            return 0;
        }
        self.quiet.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Wakes whoever reads it, to end it.
    pub fn give_way(&self) {
        self.gives_way.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// The exchange is over, whatever has come. Wakes whoever discards the rest.
    pub fn over(&self) {
        self.over.store(true, Ordering::Relaxed);
        if self.is_pending() {
            self.wake();
        }
    }

    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn wake(&self) {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    pub fn has_to_give_way(&self) -> bool {
        self.gives_way.load(Ordering::Relaxed)
    }

    /// Who is woken by [`UploadState::give_way`] and [`UploadState::over`].
    pub fn read_by(&self, waker: &Waker) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        if !reader.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *reader = Some(waker.clone());
        }
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
