//! How an instance is set up: what is called before its first hook.
//!
//! In: a call that waits for nothing. Out: what came of it, unless whoever loads has given it up. Never:
//! on a worker that serves, but for its limit.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::fault::Fault;
use super::slice;

/// CPU time that `describe` and `configure` may take. More than a hook's: they may parse large
/// tables. No request waits for them but the one that finds no instance, and it waits alone.
pub const SET_UP_LIMIT: Duration = Duration::from_secs(1);
/// Runs a call that waits for nothing: it yields at most because time passed. `None`: somebody has
/// `interrupted` it by then.
pub fn drive<F: Future>(call: F, interrupted: &AtomicBool) -> Option<F::Output> {
    let mut call = pin!(call);
    let mut cx = Context::from_waker(Waker::noop());
    let mut is_first = true;
    loop {
        slice::resume(std::mem::take(&mut is_first));
        if let Poll::Ready(output) = call.as_mut().poll(&mut cx) {
            return Some(output);
        }
        if interrupted.load(Relaxed) {
            return None;
        }
    }
}

/// What comes of a call that was given up.
pub fn interrupted() -> Fault {
    Fault::unavailable("it was interrupted")
}
