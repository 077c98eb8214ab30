//! How far a request's body came.
//!
//! In: counts from the body as it is read, and why it broke. Out: the same for whoever waits for
//! the response, which is not overdue while the client still sends, and for whoever waits for the
//! endpoint's connection, to which a client that sends nothing gives way. Never: holds bytes.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::clock;
use crate::error::Error;

/// Milliseconds in which a body that has just begun need not come.
const BEGINNING: u64 = 2000;
/// Milliseconds that what came fast makes up for at most.
const LONGEST_PAUSE: u64 = 3000;
/// Sweeps in which nothing comes that are a pause.
const QUIET_SWEEPS: u32 = 3;

/// How little a client does for an exchange that keeps a place; the least last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pause {
    /// Nothing for a moment, but he keeps the least rate: only others whose time is nearly over get
    /// the place.
    Short,
    /// Less than the least rate: others get it, and he himself when his time is nearly over.
    Long,
    /// He has closed his side: anybody gets it, and it goes first.
    Closed,
}

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
    /// Bytes a second that have to come, at least.
    least: AtomicU64,
    /// When the last sweep was, in milliseconds, and the thousandths of bytes that may be missing from
    /// then on.
    swept: AtomicU64,
    credit: AtomicU64,
    /// The client has closed its side.
    closed: AtomicBool,
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
            started: clock::now(),
            last: AtomicU64::new(0),
            limit: AtomicU64::new(u64::MAX),
            pending: AtomicBool::new(false),
            starved: AtomicBool::new(false),
            answered: AtomicBool::new(false),
            quiet: AtomicU32::new(0),
            heard: AtomicU64::new(0),
            least: AtomicU64::new(1),
            swept: AtomicU64::new(0),
            credit: AtomicU64::new(BEGINNING),
            closed: AtomicBool::new(false),
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
        let passed = u64::try_from(clock::since(self.started).as_micros()).unwrap_or(u64::MAX);
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

    /// So many bytes a second have to come, or others may get its connection.
    pub fn least(&self, rate: u64) {
        let rate = rate.max(1);
        self.least.store(rate, Ordering::Relaxed);
        self.credit.store(rate.saturating_mul(BEGINNING), Ordering::Relaxed);
    }

    /// The client has closed its side: what is left has no hurry.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// How little has come, as a sweep finds it; `None`: it comes, or nobody asks for it.
    pub fn pause(&self, now: Instant) -> Option<Pause> {
        let passed = now.saturating_duration_since(self.started).as_millis();
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        let since = passed.saturating_sub(self.swept.swap(passed, Ordering::Relaxed));
        let bytes = self.bytes();
        let came = bytes.saturating_sub(self.heard.swap(bytes, Ordering::Relaxed));
        let least = self.least.load(Ordering::Relaxed);
        if !self.is_starved() {
            self.quiet.store(0, Ordering::Relaxed);
            let begun = self.credit.load(Ordering::Relaxed).max(least.saturating_mul(BEGINNING));
            self.credit.store(begun, Ordering::Relaxed);
            return None;
        }
        let quiet = if came > 0 { 0 } else { self.quiet.load(Ordering::Relaxed).saturating_add(1) };
        self.quiet.store(quiet, Ordering::Relaxed);
        let credit = self.credit.load(Ordering::Relaxed).saturating_add(came.saturating_mul(1000));
        let credit = credit.min(least.saturating_mul(LONGEST_PAUSE));
        let credit = credit.saturating_sub(least.saturating_mul(since));
        self.credit.store(credit, Ordering::Relaxed);
        match quiet >= QUIET_SWEEPS {
            true if self.closed.load(Ordering::Relaxed) => Some(Pause::Closed),
            _ if credit == 0 => Some(Pause::Long),
            true => Some(Pause::Short),
            false => None,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_short_as_long_as_the_least_rate_is_kept() {
        let sweep = Duration::from_millis(250);
        // Bytes, and how often they come; how often it is found to pause short and long in a minute.
        for (rate, bytes, every, short, long) in [
            (240, 1000, 6, 40 * 3, 0),
            (240, 60, 1, 0, 0),
            (240, 1, 1, 0, 232),
            (240, 0, 1, 5, 233),
            (0, 1, 4, 60, 0),
            (0, 0, 1, 5, 233),
        ] {
            let upload = UploadState::default();
            upload.least(rate);
            upload.begin();
            upload.set_starved(true);
            let mut found = Vec::new();
            for number in 1..=240_u32 {
                if number % every == 0 {
                    upload.add(bytes);
                }
                found.push(upload.pause(upload.started + sweep * number));
            }
            let count = |pause| found.iter().filter(|it| **it == Some(pause)).count();
            assert_eq!(
                (count(Pause::Short), count(Pause::Long)),
                (short, long),
                "{bytes}, {every}"
            );
        }
    }

    #[test]
    fn who_is_not_waited_for_does_not_pause() {
        let upload = UploadState::default();
        upload.begin();
        let at = |seconds| upload.pause(upload.started + Duration::from_secs(seconds));
        assert_eq!((at(1), at(100)), (None, None));
        upload.set_starved(true);
        upload.close();
        assert_eq!((at(101), at(102), at(103)), (None, Some(Pause::Long), Some(Pause::Closed)));
        upload.end();
        assert_eq!(at(104), None);
    }
}
