//! When a connection is overdue, and what a listener allows it.
//!
//! In: what a connection is in, and when its last bytes came and went. Out: whether it may stay.
//! Never: asks for the time, or closes anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use weir_core::config::Limits;
use weir_core::http::framing::HeadLimits;

/// How often to call [`super::Watch::sweep`]. Nothing is closed early, and nothing later than two of
/// these after its time.
pub const SWEEP: Duration = Duration::from_millis(250);

/// How long a client in the middle of a body may go on sending after its answer was sent; see
/// [`super::Linger`].
pub const LINGER_TIME: Duration = Duration::from_secs(2);

/// How long an answer may take to begin, where nobody said.
const ANSWER: Duration = Duration::from_secs(60);
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// What a connection is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// TLS.
    Handshake,
    /// Ready, but no byte came yet.
    New,
    /// A request's head is coming in.
    Head,
    /// Between two requests.
    Idle,
    /// At least one exchange is under way.
    Exchange,
    /// It belongs to another protocol now, which has its own idea of idle.
    Tunnel,
    /// The answer is sent, and FIN; what still comes is discarded.
    Lingering,
}

/// Bounds in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub handshake: u64,
    pub header: u64,
    pub idle: u64,
    pub body: u64,
}

/// What a listener allows each of its connections, those that are open included: a reload sets it.
#[derive(Debug)]
pub struct Bounds {
    handshake: AtomicU64,
    header: AtomicU64,
    idle: AtomicU64,
    body: AtomicU64,
    head_bytes: AtomicUsize,
    head_fields: AtomicUsize,
    read_ahead: AtomicUsize,
    answer: AtomicU64,
}

/// A connection as a sweep sees it; times are milliseconds of the same clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    pub phase: Phase,
    pub since: u64,
    /// When the last byte came.
    pub read: u64,
    /// When the last byte went. Of the two each has its own: a client that sends without reading
    /// makes no progress with its answer.
    pub written: u64,
    /// The request's body is not at its end, and the last read found nothing.
    pub awaits_body: bool,
    /// The last write found no room.
    pub awaits_room: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Keep,
    Close(Overdue),
}

/// Why a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Overdue {
    Handshake = 1,
    /// No request came.
    Idle,
    /// A head began and did not end.
    Head,
    /// No byte of a body came, or could be sent.
    Body,
    /// The client had its time to read the answer.
    Linger,
}

/// Whether a connection may stay, at `now`. The stamps are as old as the sweep before them, so one
/// [`SWEEP`] is granted on top.
pub fn verdict(observed: &Observed, now: u64, timeouts: &Timeouts) -> Verdict {
    let grace = SWEEP.as_millis() as u64;
    let passed = |since: u64, bound: u64| now.saturating_sub(since) > bound.saturating_add(grace);
    let overdue = match observed.phase {
        Phase::Handshake => {
            passed(observed.since, timeouts.handshake).then_some(Overdue::Handshake)
        }
        Phase::New => passed(observed.since, timeouts.header).then_some(Overdue::Idle),
        Phase::Head => passed(observed.since, timeouts.header).then_some(Overdue::Head),
        // A response's last bytes may still be waiting for room when its exchange is over.
        Phase::Idle if observed.awaits_room => {
            passed(observed.written, timeouts.body).then_some(Overdue::Body)
        }
        Phase::Idle => passed(observed.since, timeouts.idle).then_some(Overdue::Idle),
        Phase::Exchange if observed.awaits_room && passed(observed.written, timeouts.body) => {
            Some(Overdue::Body)
        }
        Phase::Exchange if observed.awaits_body => {
            passed(observed.read.max(observed.written), timeouts.body).then_some(Overdue::Body)
        }
        Phase::Lingering => {
            passed(observed.since, LINGER_TIME.as_millis() as u64).then_some(Overdue::Linger)
        }
        // It waits for the upstream, which has timeouts of its own.
        Phase::Exchange | Phase::Tunnel => None,
    };
    overdue.map_or(Verdict::Keep, Verdict::Close)
}

impl Bounds {
    pub fn new(limits: &Limits) -> Arc<Bounds> {
        let bounds = Bounds {
            handshake: AtomicU64::default(),
            header: AtomicU64::default(),
            idle: AtomicU64::default(),
            body: AtomicU64::default(),
            head_bytes: AtomicUsize::default(),
            head_fields: AtomicUsize::default(),
            read_ahead: AtomicUsize::default(),
            answer: AtomicU64::new(ANSWER.as_millis() as u64),
        };
        bounds.set(limits);
        Arc::new(bounds)
    }

    /// From now on these hold.
    pub fn set(&self, limits: &Limits) {
        let Timeouts { handshake, header, idle, body } = Timeouts::from(limits);
        self.handshake.store(handshake, Relaxed);
        self.header.store(header, Relaxed);
        self.idle.store(idle, Relaxed);
        self.body.store(body, Relaxed);
        self.head_bytes.store(limits.max_header_bytes, Relaxed);
        self.head_fields.store(limits.max_headers, Relaxed);
        self.read_ahead.store(limits.read_ahead, Relaxed);
    }

    pub fn timeouts(&self) -> Timeouts {
        Timeouts {
            handshake: self.handshake.load(Relaxed),
            header: self.header.load(Relaxed),
            idle: self.idle.load(Relaxed),
            body: self.body.load(Relaxed),
        }
    }

    /// Of a request's head (HTTP/1.1).
    pub fn head(&self) -> HeadLimits {
        HeadLimits { bytes: self.head_bytes.load(Relaxed), fields: self.head_fields.load(Relaxed) }
    }

    /// How long a client that has closed its side waits for an answer to begin.
    pub fn answer(&self) -> Duration {
        Duration::from_millis(self.answer.load(Relaxed))
    }

    /// From now on it is the longest that a route takes over one, and what it takes to say that it was
    /// too long.
    pub fn set_answer(&self, after: Duration) {
        let after = after.saturating_add(ANSWER_GRACE);
        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.answer.store(millis, Relaxed);
    }

    /// Bytes of responses that may be read ahead for one connection.
    pub fn read_ahead(&self) -> usize {
        self.read_ahead.load(Relaxed)
    }
}

impl From<&Limits> for Timeouts {
    fn from(limits: &Limits) -> Self {
        let millis = |bound: Duration| u64::try_from(bound.as_millis()).unwrap_or(u64::MAX);
        Timeouts {
            handshake: millis(limits.handshake_timeout),
            header: millis(limits.header_timeout),
            idle: millis(limits.idle_timeout),
            body: millis(limits.body_timeout.of(false)),
        }
    }
}
