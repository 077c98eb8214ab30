//! What one connection does, as far as it matters to whether it is overdue.
//!
//! In: reads and writes as they happen ([`super::Watched`]), exchanges and streams as they begin and
//! end. Out: what is asked of it: its phase, what it owes, since when nothing moved. Never: a clock of
//! its own.
//!
//! The state is shared by atomics only because an upgraded connection must be `Send`; all of it
//! stays on one worker, and a relaxed store is an ordinary one.

mod doubt;
mod streams;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Waker;
use std::time::Duration;

use super::overdue::{Bounds, Observed, Overdue, Phase};

/// For so long a head that comes in is taken for one that will come to its end soon.
const HEAD_UNDERWAY: Duration = Duration::from_secs(1);

/// What one connection does.
#[derive(Debug)]
pub struct Activity {
    clock: Arc<AtomicU64>,
    bounds: Arc<Bounds>,
    phase: AtomicU8,
    /// When the phase began.
    since: AtomicU64,
    /// When the last byte came.
    read: AtomicU64,
    /// When the last byte went.
    written: AtomicU64,
    read_waits: AtomicBool,
    write_waits: AtomicBool,
    body_pending: AtomicBool,
    multiplexed: AtomicBool,
    /// Nothing was written since the last request's head came.
    unanswered: AtomicBool,
    /// How often everything written was handed to the system; wraps.
    flushes: AtomicU32,
    /// Somebody waits for the next time.
    flush_awaited: AtomicBool,
    awaiting_flush: Mutex<Vec<Waker>>,
    /// Exchanges under way.
    exchanges: AtomicU32,
    /// Exchanges that are over; wraps.
    ended: AtomicU32,
    /// HTTP/2 streams whose response's head is not there yet.
    unanswered_streams: AtomicU32,
    /// Exchanges whose answer is there, and held back for a while.
    delayed: AtomicU32,
    /// HTTP/2 streams whose request's body is not at its end.
    uploads: AtomicU32,
    /// The client closed its side.
    half_closed: AtomicBool,
    /// Somebody has need of its place, and when that was last so.
    doubted: AtomicBool,
    doubted_at: AtomicU64,
    /// It is to be looked whether the client is there.
    attended: AtomicBool,
    /// Of a head the begin has come, and not its end.
    head_begun: AtomicBool,
    /// 0: not overdue.
    overdue: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

/// An answer that is held back, until this is dropped.
#[derive(Debug)]
pub struct Delay(Arc<Activity>);

impl Activity {
    /// Of a connection that was accepted. `handshake`: TLS comes first.
    pub(super) fn new(clock: Arc<AtomicU64>, bounds: Arc<Bounds>, handshake: bool) -> Activity {
        let now = clock.load(Relaxed);
        let phase = if handshake { Phase::Handshake } else { Phase::New };
        Activity {
            clock,
            bounds,
            phase: AtomicU8::new(phase as u8),
            since: AtomicU64::new(now),
            read: AtomicU64::new(now),
            written: AtomicU64::new(now),
            read_waits: AtomicBool::new(false),
            write_waits: AtomicBool::new(false),
            body_pending: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            unanswered: AtomicBool::new(false),
            flushes: AtomicU32::new(0),
            flush_awaited: AtomicBool::new(false),
            awaiting_flush: Mutex::default(),
            exchanges: AtomicU32::new(0),
            ended: AtomicU32::new(0),
            unanswered_streams: AtomicU32::new(0),
            delayed: AtomicU32::new(0),
            uploads: AtomicU32::new(0),
            half_closed: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
            doubted_at: AtomicU64::new(0),
            attended: AtomicBool::new(false),
            head_begun: AtomicBool::new(false),
            overdue: AtomicU8::new(0),
            waker: Mutex::new(None),
        }
    }

    /// The handshake is over. `multiplexed`: HTTP/2 was settled.
    pub fn ready(&self, multiplexed: bool) {
        self.multiplexed.store(multiplexed, Relaxed);
        // A multiplexed connection is idle until a stream opens: its reads are no heads.
        self.enter(if multiplexed { Phase::Idle } else { Phase::New });
    }

    /// A request's head is complete. `body`: a body follows (HTTP/1.1 only; an HTTP/2 stream is
    /// bounded by its window).
    pub fn begin_exchange(&self, body: bool) {
        self.exchanges.fetch_add(1, Relaxed);
        self.body_pending.store(body && !self.multiplexed.load(Relaxed), Relaxed);
        let now = self.clock.load(Relaxed);
        self.read.store(now, Relaxed);
        self.written.store(now, Relaxed);
        self.unanswered.store(true, Relaxed);
        self.enter(Phase::Exchange);
    }

    /// The client is in the middle of something that will not be read: closing lingers.
    pub fn expect_more(&self) {
        self.body_pending.store(true, Relaxed);
    }

    /// The request's body was read to its end.
    pub fn end_body(&self) {
        self.body_pending.store(false, Relaxed);
    }

    /// The response was handed over to its end, or given up.
    pub fn end_exchange(&self) {
        self.ended.fetch_add(1, Relaxed);
        let before = self.exchanges.fetch_sub(1, Relaxed);
        if before <= 1 && self.phase() == Phase::Exchange {
            // What came behind the request is a head's begin, and has a head's time.
            self.enter(if self.head_begun.load(Relaxed) { Phase::Head } else { Phase::Idle });
        }
    }

    /// Whether the begin of a head is here whose end is not (HTTP/1.1), also behind requests that are
    /// under way.
    pub fn begin_head(&self, is_here: bool) {
        self.head_begun.store(is_here, Relaxed);
    }

    /// What was written is not the answer.
    pub fn expect_answer(&self) {
        self.unanswered.store(true, Relaxed);
    }

    /// An answer is held back.
    pub fn delay(self: &Arc<Self>) -> Delay {
        self.delayed.fetch_add(1, Relaxed);
        Delay(self.clone())
    }

    /// Whether all exchanges under way have an answer that is held back.
    pub fn is_delaying(&self) -> bool {
        let delayed = self.delayed.load(Relaxed);
        delayed > 0 && delayed >= self.exchanges()
    }

    /// The connection was upgraded: from here on it is never overdue.
    pub fn tunnel(&self) {
        self.end_body();
        self.enter(Phase::Tunnel);
    }

    /// FIN is sent, and what still comes is discarded.
    pub(super) fn linger(&self) {
        self.enter(Phase::Lingering);
    }

    /// Whether one of this many requests has no response yet, or not all of it. (An exchange begins
    /// a little after its request was read.)
    pub fn owes(&self, requests: u32) -> bool {
        let left = requests.wrapping_sub(self.ended());
        // More may have ended than was asked for.
        left != 0 && left <= u32::MAX / 2
    }

    /// When the last byte came or went, in milliseconds of the watch's clock.
    pub fn last_progress(&self) -> u64 {
        self.read.load(Relaxed).max(self.written.load(Relaxed))
    }

    /// Whether no byte of the last request's response, and of no other since, was written.
    pub fn is_unanswered(&self) -> bool {
        self.unanswered.load(Relaxed)
    }

    /// Whether HTTP/2 was settled.
    pub fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Relaxed)
    }

    /// What its listener allows it, as of now.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// How long a body may pause, either way.
    pub fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.bounds.timeouts().body)
    }

    /// Exchanges under way.
    pub fn exchanges(&self) -> u32 {
        self.exchanges.load(Relaxed)
    }

    /// Ends the connection as one whose client takes nothing.
    pub fn cut(&self) {
        self.close(Overdue::Body);
    }

    /// Whether nothing is asked for on it now, not even a head that has only begun to come.
    pub(super) fn asks_for_nothing(&self) -> bool {
        match self.phase() {
            Phase::Handshake | Phase::New => true,
            Phase::Head => {
                let since = self.clock.load(Relaxed).saturating_sub(self.since.load(Relaxed));
                u128::from(since) >= HEAD_UNDERWAY.as_millis()
            }
            Phase::Idle => self.exchanges() == 0,
            Phase::Exchange | Phase::Tunnel | Phase::Lingering => false,
        }
    }

    /// Ends the connection: another client gets its place.
    pub(super) fn give_way(&self) {
        self.close(Overdue::Idle);
    }

    /// Everything written so far was handed to the system.
    pub fn flushed(&self) {
        self.flushes.store(self.flushes().wrapping_add(1), Relaxed);
        if self.flush_awaited.load(Relaxed) {
            self.flush_awaited.store(false, Relaxed);
            let mut waiting = self.awaiting_flush.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.drain(..).for_each(Waker::wake);
        }
    }

    /// How often that was the case; wraps.
    pub fn flushes(&self) -> u32 {
        self.flushes.load(Relaxed)
    }

    /// Wakes once it is the case again.
    pub fn await_flush(&self, waker: &Waker) {
        let mut waiting = self.awaiting_flush.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
        self.flush_awaited.store(true, Relaxed);
    }

    /// How many exchanges have ended so far; wraps.
    pub fn ended(&self) -> u32 {
        self.ended.load(Relaxed)
    }

    /// How many exchanges have begun so far; wraps.
    pub fn begun(&self) -> u32 {
        self.ended().wrapping_add(self.exchanges.load(Relaxed))
    }

    /// Whether a request's head has begun to come and is not complete.
    pub fn is_in_head(&self) -> bool {
        self.phase() == Phase::Head
    }

    /// Whether another protocol has the connection now.
    pub fn is_tunnel(&self) -> bool {
        self.phase() == Phase::Tunnel
    }

    /// Why it is to be closed, if it is.
    pub fn overdue(&self) -> Option<Overdue> {
        match self.overdue.load(Relaxed) {
            0 => None,
            1 => Some(Overdue::Handshake),
            2 => Some(Overdue::Idle),
            3 => Some(Overdue::Head),
            4 => Some(Overdue::Body),
            _ => Some(Overdue::Linger),
        }
    }

    /// Whether the client is, as far as is known, still sending a body that nobody reads.
    pub fn has_pending_body(&self) -> bool {
        self.body_pending.load(Relaxed)
    }

    /// Whom to wake once it is overdue: one, the last that said so.
    pub(super) fn wake_when_overdue(&self, waker: Waker) {
        *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(waker);
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Handshake,
            1 => Phase::New,
            2 => Phase::Head,
            3 => Phase::Idle,
            4 => Phase::Exchange,
            5 => Phase::Tunnel,
            _ => Phase::Lingering,
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
        self.since.store(self.clock.load(Relaxed), Relaxed);
    }

    pub(super) fn observed(&self) -> Observed {
        Observed {
            phase: self.phase(),
            since: self.since.load(Relaxed),
            read: self.read.load(Relaxed),
            written: self.written.load(Relaxed),
            awaits_body: self.body_pending.load(Relaxed) && self.read_waits.load(Relaxed),
            awaits_room: self.write_waits.load(Relaxed),
        }
    }

    /// From now on it is overdue; whoever says so has its task woken.
    pub(super) fn is_to_close(&self, why: Overdue) {
        self.overdue.store(why as u8, Relaxed);
    }

    fn close(&self, why: Overdue) {
        self.is_to_close(why);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// A read found nothing.
    #[inline]
    pub(super) fn awaits_bytes(&self) {
        self.read_waits.store(true, Relaxed);
    }

    /// A write found no room.
    #[inline]
    pub(super) fn awaits_room(&self) {
        self.write_waits.store(true, Relaxed);
    }

    /// Bytes came.
    #[inline]
    pub(super) fn was_read(&self) {
        let now = self.clock.load(Relaxed);
        self.read.store(now, Relaxed);
        self.read_waits.store(false, Relaxed);
        let phase = self.phase.load(Relaxed);
        if phase == Phase::New as u8 {
            // The head's time runs from the connection's start.
            self.phase.store(Phase::Head as u8, Relaxed);
        } else if phase == Phase::Idle as u8 && !self.multiplexed.load(Relaxed) {
            self.enter(Phase::Head);
        }
    }

    /// Bytes went, or nothing is left to go.
    #[inline]
    pub(super) fn was_written(&self, moved: bool) {
        if moved {
            self.unanswered.store(false, Relaxed);
            self.written.store(self.clock.load(Relaxed), Relaxed);
        }
        self.write_waits.store(false, Relaxed);
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        self.0.delayed.fetch_sub(1, Relaxed);
    }
}
