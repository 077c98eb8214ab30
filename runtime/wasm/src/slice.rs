//! When a guest that runs looks at its budget, and stops for others.
//!
//! In: the engine's ticks, and whoever resumes a fiber. Out: the call goes on, steps aside or ends, as
//! its [`Budget`](super::deadline::Budget) says. Never: wakes anybody.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use wasmtime::{Store, UpdateDeadline};

use super::deadline::{Verdict, thread_time};
use super::fault::DeadlineExceeded;
use super::state::{Phase, State};

thread_local! {
    /// When the fiber that runs now was resumed; none: not known yet.
    static RESUMED: Cell<Option<Duration>> = const { Cell::new(None) };
    /// The fiber that ran last stopped because its slice was over.
    static SLICE_IS_OVER: Cell<bool> = const { Cell::new(false) };
}

/// Makes the store look at the budget of its call at each tick.
pub fn watch(store: &mut Store<State>) {
    store.epoch_deadline_callback(|mut store| {
        let state = store.data_mut();
        let budget = &mut state.budget;
        if budget.is_on_fiber()
            && let Some(resumed) = RESUMED.take()
        {
            budget.resumed(Some(resumed));
        }
        match budget.look(thread_time()) {
            Verdict::Ends => return Err(DeadlineExceeded.into()),
            Verdict::Runs => return Ok(UpdateDeadline::Continue(1)),
            Verdict::StepsAside => {}
        }
        let on_fiber = budget.is_on_fiber();
        // What is not a hook, as a configuration that is read, is on fibers anyway.
        if state.phase != Phase::None {
            state.shared.takes_long();
        }
        if !on_fiber {
            return Ok(UpdateDeadline::Continue(1));
        }
        SLICE_IS_OVER.set(true);
        Ok(UpdateDeadline::YieldCustom(1, until_resumed()))
    });
}

/// To be called when a fiber is about to run. The first time is free: what it does until its first
/// tick goes uncounted.
pub fn resume(is_first: bool) {
    RESUMED.set(if is_first { None } else { Some(thread_time()) });
    SLICE_IS_OVER.set(false);
}

/// Whether the fiber that just stopped did so because its slice was over, and not because it waits.
pub fn slice_is_over() -> bool {
    SLICE_IS_OVER.take()
}

/// As a fiber does whose slice is over.
#[cfg(test)]
pub fn end() {
    SLICE_IS_OVER.set(true);
}

/// Stops the fiber until it is polled again, and wakes nobody for that: whoever runs it knows when.
/// The engine's own way wakes the task at once, which then runs its next slice before the worker has
/// looked at its sockets.
fn until_resumed() -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let mut stopped = false;
    Box::pin(poll_fn(move |_| match std::mem::replace(&mut stopped, true) {
        false => Poll::Pending,
        true => Poll::Ready(()),
    }))
}
