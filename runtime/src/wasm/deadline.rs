//! How much CPU time a call has used, so that a busy machine does not fail an innocent guest.
//!
//! In: the thread's CPU time, at each tick of a call that lasts so long. Out: whether the call is
//! over its limit. Never: asked by a call shorter than a tick, which is nearly every one.
//!
//! The epoch moves with the wall clock, and a thread that the system does not schedule for ten
//! milliseconds has done nothing wrong. So an expired epoch is only the occasion to look: what
//! counts is CPU time from the first look on, less than a tick after the call began.

use std::cell::Cell;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{Store, UpdateDeadline};

use super::fault::DeadlineExceeded;
use super::state::State;

/// CPU time of one call.
#[derive(Debug, Clone, Copy, Default)]
pub struct Budget {
    limit: Duration,
    used: Duration,
    /// The thread's CPU time when this call was last seen to begin running.
    since: Option<Duration>,
}

thread_local! {
    /// When the fiber that runs now was resumed; none: not known yet.
    static RESUMED: Cell<Option<Duration>> = const { Cell::new(None) };
}

impl Budget {
    pub fn new(limit: Duration) -> Budget {
        Budget { limit, used: Duration::ZERO, since: None }
    }

    /// Counts the time up to `now`, and says whether it was too much.
    pub fn is_spent(&mut self, now: Duration) -> bool {
        if let Some(since) = self.since.replace(now) {
            self.used += now.saturating_sub(since);
        }
        self.used >= self.limit
    }

    /// The call was suspended; it goes on at `now`, or at a time not known.
    fn resumed(&mut self, now: Option<Duration>) {
        self.since = now;
    }
}

/// Makes the store look at the budget of its call at each tick. On a fiber the guest makes room
/// for the worker's other tasks then.
pub fn watch(store: &mut Store<State>, on_fiber: bool) {
    store.epoch_deadline_callback(move |mut store| {
        let budget = &mut store.data_mut().budget;
        if on_fiber {
            budget.resumed(RESUMED.take());
        }
        match (budget.is_spent(thread_time()), on_fiber) {
            (true, _) => Err(DeadlineExceeded.into()),
            (false, true) => Ok(UpdateDeadline::Yield(1)),
            (false, false) => Ok(UpdateDeadline::Continue(1)),
        }
    });
}

/// To be called when a fiber is about to run. The first time is free: what it does until its first
/// tick goes uncounted.
pub fn resume(is_first: bool) {
    RESUMED.set(if is_first { None } else { Some(thread_time()) });
}

/// CPU time of the calling thread.
fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
