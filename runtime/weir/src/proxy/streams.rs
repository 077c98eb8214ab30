//! The tasks of a client's HTTP/2 streams, so that one can be ended without the others.
//!
//! In: hyper's future of each stream. Out: local tasks, each known to its exchange, which share the
//! turns of their connection. Never: ends one by itself; ending it resets its stream.
//!
//! A hundred streams that have something to do are as much work as a hundred connections. After
//! [`POLLS`] of them within [`REFILLED`] the others wait for the connection's next turn, which is over with
//! the first of them that had more to do than there was time for.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::task::AbortHandle;
use weir_core::client::ClientKey;
use weir_core::turn::{self, Taken, Task};
use weir_core::turns;

/// Streams that are polled in one turn of their connection.
const POLLS: usize = 8;

/// Nobody waits whose connection has had no more than so many polls in this time.
const REFILLED: Duration = Duration::from_millis(2);

/// The task of one stream.
#[derive(Debug, Default)]
pub struct StreamTask(OnceCell<AbortHandle>);

/// Where the streams of one connection run.
#[derive(Clone)]
pub struct StreamExecutor {
    /// The exchange that was begun last: hyper has its future executed next.
    begun: Rc<Cell<Option<Rc<StreamTask>>>>,
    turns: Rc<Turns>,
}

/// The turns of one connection.
#[derive(Debug)]
struct Turns {
    client: ClientKey,
    /// Polls that are left.
    left: Cell<usize>,
    /// Since when they are counted.
    since: Cell<Instant>,
    /// Streams that wait, by when they came.
    waiting: RefCell<BTreeMap<u64, Waker>>,
    /// The turn is that of those which came before this one.
    called: Cell<u64>,
    /// The number of the next one that waits.
    next: Cell<u64>,
    /// A task asks for the next turn.
    asks: Cell<bool>,
}

/// A stream in its connection's turns.
struct InTurns<'a, F> {
    work: Pin<&'a mut F>,
    task: Task,
    turns: Rc<Turns>,
    number: Option<u64>,
}

impl StreamTask {
    pub fn end(&self) {
        if let Some(task) = self.0.get() {
            task.abort();
        }
    }
}

impl StreamExecutor {
    /// For a connection of this client.
    pub fn new(client: ClientKey) -> StreamExecutor {
        StreamExecutor { begun: Rc::default(), turns: Turns::of(client) }
    }

    /// An exchange begins whose future is executed next.
    pub fn begin(&self) -> Rc<StreamTask> {
        let task = Rc::<StreamTask>::default();
        self.begun.set(Some(task.clone()));
        task
    }
}

impl<F> hyper::rt::Executor<F> for StreamExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        let turns = self.turns.clone();
        let handle = tokio::task::spawn_local(async move {
            InTurns { work: pin!(future), task: Task::next(), turns, number: None }.await;
        });
        if let Some(task) = self.begun.take() {
            let _ = task.0.set(handle.abort_handle());
        }
    }
}

impl Turns {
    fn of(client: ClientKey) -> Rc<Turns> {
        Rc::new(Turns {
            client,
            left: Cell::new(POLLS),
            since: Cell::new(Instant::now()),
            waiting: RefCell::default(),
            called: Cell::default(),
            next: Cell::default(),
            asks: Cell::default(),
        })
    }

    /// Whether a stream may be polled, which has this number if it has waited: until it is called.
    fn admits(self: &Rc<Self>, number: &mut Option<u64>, cx: &Context<'_>) -> bool {
        if let Some(waited) = number.take_if(|number| *number < self.called.get()) {
            self.waiting.borrow_mut().remove(&waited);
            return true;
        }
        // Nobody passes those who wait.
        if number.is_none() && self.waiting.borrow().is_empty() && self.has_polls() {
            self.left.set(self.left.get() - 1);
            return true;
        }
        self.wait(number, cx);
        false
    }

    /// Time is asked for where there seems to be none left only.
    fn has_polls(&self) -> bool {
        if self.left.get() > 0 {
            return true;
        }
        let is_due = self.since.get().elapsed() >= REFILLED;
        if is_due {
            self.refill(POLLS);
        }
        is_due
    }

    fn refill(&self, polls: usize) {
        self.left.set(polls);
        self.since.set(Instant::now());
    }

    /// A stream had more to do than there was time for: who was called with it and has not run yet goes
    /// first in the next turn.
    fn is_over(self: &Rc<Self>, number: &mut Option<u64>, cx: &Context<'_>) {
        self.left.set(0);
        self.called.set(0);
        self.wait(number, cx);
    }

    fn wait(self: &Rc<Self>, number: &mut Option<u64>, cx: &Context<'_>) {
        let number = *number.get_or_insert_with(|| self.next.replace(self.next.get() + 1));
        self.waiting.borrow_mut().insert(number, cx.waker().clone());
        if !self.asks.replace(true) {
            tokio::task::spawn_local(self.clone().renewed());
        }
    }

    /// Turns come until nobody waits.
    async fn renewed(self: Rc<Self>) {
        while !self.waiting.borrow().is_empty() {
            let turn = turns::next_of(self.client).await;
            let waiting = self.waiting.borrow();
            let mut left = POLLS;
            for (number, waker) in waiting.iter().take(POLLS) {
                self.called.set(number + 1);
                waker.wake_by_ref();
                left -= 1;
            }
            self.refill(left);
            drop((waiting, turn));
            // Whoever was called has run when the next turn comes, or has to wait again.
        }
        self.asks.set(false);
    }
}

impl<F: Future> Future for InTurns<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        if !this.turns.admits(&mut this.number, cx) && !turns::is_called(this.task) {
            return Poll::Pending;
        }
        let Taken { result, was_short } = turn::take(this.task, || this.work.as_mut().poll(cx));
        if was_short && result.is_pending() {
            this.turns.is_over(&mut this.number, cx);
        }
        result
    }
}

impl<F> Drop for InTurns<'_, F> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.turns.waiting.borrow_mut().remove(&number);
        }
    }
}

#[cfg(test)]
mod tests;
