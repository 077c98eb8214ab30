//! How much CPU time a call has used, so that a busy machine does not fail an innocent guest, and
//! whether it has run long enough to let others run.
//!
//! In: the thread's CPU time, at each tick of a call that lasts so long. Out: whether the call is
//! over its limit, or its slice is over. Never: asked by a call shorter than a tick, which is nearly
//! every one.
//!
//! The epoch moves with the wall clock, and a thread that the system does not schedule for ten
//! milliseconds has done nothing wrong. So an expired epoch is only the occasion to look: what
//! counts is CPU time from the first look on, less than a tick after the call began.
//!
//! What the host does for a guest is not measured but has a price by its size: how long a copy of a
//! megabyte takes depends on where the system finds the pages, which is none of the guest's doing.

use std::cell::Cell;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use weir_core::turn::TURN;

use super::fault::DeadlineExceeded;

/// CPU time after which a guest on a fiber lets others run, looked at once a tick. A tick comes in its
/// midst as a rule: with the half of a turn it takes a whole one, more or less. A guest without a fiber
/// is put on one the next time.
const SLICE: Duration = TURN.checked_div(2).expect("two is not zero");
/// Of its limit, the part that one look may count at most: a machine that stood still for a while
/// looks like a guest that ran, but not several times in a row.
const PARTS: u32 = 4;
/// The same of a slice, for a guest without a fiber: by one look the time that a hypervisor took for
/// others would put a plugin on fibers whose calls take a microsecond.
const PARTS_OF_SLICE: u32 = 2;

/// What a byte costs that is looked at or copied, in nanoseconds: less on any machine, but for pages
/// that are new.
const BYTE: u64 = 1;

/// CPU time of one call.
#[derive(Debug, Default)]
pub struct Budget {
    limit: Duration,
    used: Duration,
    /// What of it was used in this slice.
    slice: Duration,
    /// The thread's CPU time when this call was last seen to begin running.
    since: Option<Duration>,
    on_fiber: bool,
    /// The price of what the host did for it in nanoseconds, how much of that was counted already, and
    /// how much it may be.
    price: Cell<u64>,
    counted: u64,
    most: u64,
    /// The thread's CPU time in the host since the last look: the price stands for it.
    apart: Cell<Duration>,
}

/// What a look at the clock says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Runs,
    /// It goes on after others had their turn.
    StepsAside,
    /// It had its time.
    Ends,
}

impl Budget {
    /// For a call that may use so much, on a fiber or not.
    pub fn new(limit: Duration, on_fiber: bool) -> Budget {
        Budget { limit, on_fiber, most: nanos(limit), ..Budget::default() }
    }

    /// Counts the time up to `now`.
    pub fn look(&mut self, now: Duration) -> Verdict {
        let apart = self.apart.take();
        let price = self.price.get();
        let paid = price.saturating_sub(std::mem::replace(&mut self.counted, price));
        let paid = Duration::from_nanos(paid);
        let since = self.since.replace(now).unwrap_or(now);
        let own = now.saturating_sub(since).saturating_sub(apart).min(self.limit / PARTS);
        self.used += paid + own;
        self.slice += paid + if self.on_fiber { own } else { own.min(SLICE / PARTS_OF_SLICE) };
        self.most = price.saturating_add(nanos(self.limit.saturating_sub(self.used)));
        match (self.used >= self.limit, self.slice >= SLICE) {
            (true, _) => Verdict::Ends,
            (false, true) => Verdict::StepsAside,
            (false, false) => Verdict::Runs,
        }
    }

    /// Takes the price of something that the host is about to do.
    ///
    /// # Errors
    /// Where the call had its time.
    pub fn pay(&self, price: Duration) -> Result<(), DeadlineExceeded> {
        self.pay_nanos(nanos(price))
    }

    /// The same. Several times in a usual call, so that it is one addition.
    pub fn pay_nanos(&self, price: u64) -> Result<(), DeadlineExceeded> {
        let all = self.price.get().saturating_add(price);
        self.price.set(all);
        if all >= self.most { Err(DeadlineExceeded) } else { Ok(()) }
    }

    /// The price of so many bytes.
    pub fn pay_bytes(&self, bytes: usize) -> Result<(), DeadlineExceeded> {
        self.pay_nanos(BYTE * bytes as u64)
    }

    /// Does something that was paid for, whose time does not count.
    pub fn apart<T>(&self, work: impl FnOnce() -> T) -> T {
        let before = thread_time();
        let done = work();
        self.set_apart(thread_time().saturating_sub(before));
        done
    }

    fn set_apart(&self, time: Duration) {
        self.apart.set(self.apart.get() + time);
    }

    pub(super) fn is_on_fiber(&self) -> bool {
        self.on_fiber
    }

    /// What follows is on a fiber, or is not.
    pub(super) fn set_on_fiber(&mut self, on_fiber: bool) {
        self.on_fiber = on_fiber;
    }

    /// The call was suspended; it goes on at `now`, or at a time not known.
    pub(super) fn resumed(&mut self, now: Option<Duration>) {
        self.since = now;
        self.slice = Duration::ZERO;
    }
}

/// No call takes longer than the 584 years that this can say.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// CPU time of the calling thread.
pub(super) fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
