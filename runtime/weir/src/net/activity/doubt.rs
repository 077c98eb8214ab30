//! Whether a client that closed its side, or from which nothing is read, is still there.
//!
//! In: that its place is wanted, or that a sweep comes by. Out: a turn for its connection's task, which
//! looks and asks. Never: decides that it is gone.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::{Activity, Phase};

/// Whose place is wanted is not asked again before this has passed.
const DOUBT_AGAIN: Duration = Duration::from_secs(1);

impl Activity {
    /// The client closed its side: it may be gone.
    pub fn half_close(&self) {
        self.half_closed.store(true, Relaxed);
    }

    /// Whether something is under way of whose client nothing is heard, for nothing is read from it.
    pub(in crate::net) fn is_unheard(&self) -> bool {
        let is_paused = || !self.multiplexed.load(Relaxed) && !self.read_waits.load(Relaxed);
        self.phase() == Phase::Exchange && (self.half_closed.load(Relaxed) || is_paused())
    }

    /// Somebody has need of its place. Whether it was not so just before.
    pub(in crate::net) fn doubt(&self) -> bool {
        let now = self.clock.load(Relaxed);
        let last = self.doubted_at.load(Relaxed);
        let again = last == 0 || now.saturating_sub(last) >= DOUBT_AGAIN.as_millis() as u64;
        if !again || !self.half_closed.load(Relaxed) {
            return false;
        }
        self.doubted_at.store(now.max(1), Relaxed);
        self.doubted.store(true, Relaxed);
        true
    }

    /// Whether somebody has need of its place since this was asked last.
    pub fn take_doubt(&self) -> bool {
        self.doubted.swap(false, Relaxed)
    }

    /// It is to be looked whether the client is there: with its task's next turn.
    pub(in crate::net) fn attend_to(&self) {
        self.attended.store(true, Relaxed);
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = &*waker {
            waker.wake_by_ref();
        }
    }

    /// Whether it is; asked once.
    #[inline]
    pub fn is_attended_to(&self) -> bool {
        self.attended.load(Relaxed) && self.attended.swap(false, Relaxed)
    }
}
