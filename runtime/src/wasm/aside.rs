//! Long work steps aside: a guest runs in slices, and a worker's other tasks between them.
//!
//! In: a call on a fiber, which stops by itself when its slice is over (see
//! [`deadline`]). Out: the call's result. Never: two slices between two looks at
//! the worker's sockets, however many guests are busy: they take turns, first come, first served.
//!
//! ```text
//! call ─ first slice, at once ─▶ over ─▶ queue ─ its turn, and sockets were looked at ─▶ next slice ─▶ …
//! ```

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::deadline;
use super::shares::{Share, Shares};
use super::ticker::{Lasting, Pulse};
use crate::client::ClientKey;

thread_local! {
    /// Who may run a slice that is not its first.
    static TURN: Arc<Semaphore> = Arc::new(Semaphore::new(1));
}

/// On what terms calls of a plugin run on a worker.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    pub pulse: &'a Pulse,
    /// Calls that outlast their first slice: so many, and no more.
    pub long_calls: &'a Arc<Shares>,
    /// For whom this call is made.
    pub client: ClientKey,
}

/// The call needs more than a slice, and so do as many others as may.
#[derive(Debug)]
pub struct TooManyLongCalls;

/// A call that runs in slices. Dropping it gives it up.
pub struct Aside<'a, F> {
    running: Pin<&'a mut F>,
    terms: Terms<'a>,
    state: State<'a>,
}

/// A call that outlasted a slice: its part of what may be under way, and of the ticker's attention.
struct Long<'a> {
    _share: Share,
    _lasting: Lasting<'a>,
}

enum State<'a> {
    /// Not begun.
    New,
    /// In its first slice, waiting for a peer.
    Short,
    /// A slice is over; waits for its turn.
    Queued(Long<'a>, Pin<Box<dyn Future<Output = OwnedSemaphorePermit> + Send>>),
    /// Outlasted a slice, waiting for a peer.
    Long(Long<'a>),
}

impl<'a, F> Aside<'a, F> {
    pub fn new(running: Pin<&'a mut F>, terms: Terms<'a>) -> Self {
        Aside { running, terms, state: State::New }
    }
}

impl<F, R> Future for Aside<'_, F>
where
    F: Future<Output = wasmtime::Result<R>>,
{
    type Output = wasmtime::Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let mut turn = None;
        if let State::Queued(_, its_turn) = &mut this.state {
            turn = Some(ready!(its_turn.as_mut().poll(cx)));
        }
        let (is_first, mut long) = match std::mem::replace(&mut this.state, State::Short) {
            State::New => (true, None),
            State::Short => (false, None),
            State::Queued(call, _) | State::Long(call) => (false, Some(call)),
        };
        deadline::resume(is_first);
        let beat = this.terms.pulse.beat();
        let polled = this.running.as_mut().poll(cx);
        drop(beat);
        // The next one's turn, also where this one only waits for a peer now.
        drop(turn);
        let is_over = deadline::slice_is_over();
        if polled.is_ready() {
            return polled;
        }
        if !is_over {
            this.state = long.map_or(State::Short, State::Long);
            return Poll::Pending;
        }
        let Terms { long_calls, client, pulse } = this.terms;
        let lasts = || {
            let share = long_calls.try_take(client)?;
            Some(Long { _share: share, _lasting: pulse.lasts() })
        };
        let Some(call) = long.take().or_else(lasts) else {
            return Poll::Ready(Err(TooManyLongCalls.into()));
        };
        let mut its_turn: Pin<Box<dyn Future<Output = _> + Send>> = Box::pin(next_turn());
        // Takes its place in the queue now. It is never there yet: sockets come first.
        let waits = its_turn.as_mut().poll(cx);
        debug_assert!(waits.is_pending());
        this.state = State::Queued(call, its_turn);
        Poll::Pending
    }
}

/// The permission to run one slice, after those that waited before, and after the worker has looked
/// at its sockets.
async fn next_turn() -> OwnedSemaphorePermit {
    let queue = TURN.with(Arc::clone);
    loop {
        if let Ok(turn) = queue.clone().acquire_owned().await {
            tokio::task::yield_now().await;
            return turn;
        }
    }
}

impl fmt::Display for TooManyLongCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("as many calls as may take long are under way already")
    }
}

impl std::error::Error for TooManyLongCalls {}

#[cfg(test)]
mod tests;
