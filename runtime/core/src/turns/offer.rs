//! The next turn of a line, for work within a task: whoever owns it may not get to it when it comes.
//!
//! In: a line, and whose turn it is to be. Out: the turn, once the worker has looked at its sockets; the
//! task is run for it, even where it waits for a turn of its own. Never: keeps a turn from others while
//! the work that asked for it is not polled: what is not taken within two looks passes on, and its owner
//! stands in line anew when it asks. Nor offers two turns between two looks, whatever lines they are of.

use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, spawn_local, yield_now};

use super::{Called, Line};
use crate::shares::{Key, Share, Waiting};
use crate::turn;

/// Looks at the sockets within which a turn is taken, or passes on: whoever was woken for it has been run
/// by then.
const LOOKS: usize = 2;

thread_local! {
    /// Between two looks a turn of one line comes. Whoever is first in another one waits here: of each
    /// line there is one at most, so that they alternate.
    static LOOK: Arc<Semaphore> = Arc::new(Semaphore::new(1));
}

/// Work may be done now. Dropping it makes it the next one's turn.
#[derive(Debug)]
pub struct Turn<K: Key> {
    _place: Share<K>,
    _look: OwnedSemaphorePermit,
}

/// The turn that is waited for; none: the worker ends. Dropping it leaves the line.
#[derive(Debug)]
pub struct Offer<K: Key> {
    offered: Arc<Offered<K>>,
    /// Stands in line for it.
    clerk: AbortHandle,
}

#[derive(Debug)]
struct Offered<K: Key> {
    state: Mutex<State<K>>,
    asked: Notify,
}

#[derive(Debug)]
enum State<K: Key> {
    /// Who is to be told, if it was asked yet.
    InLine(Option<Asker>),
    /// To be taken now.
    There(Turn<K>),
    /// It was not taken.
    PassedOn,
    Ended,
}

impl<K: Key + Send + 'static> Offer<K> {
    /// Takes its place in the line now.
    ///
    /// # Panics
    /// Outside of a `LocalSet`; every worker is one.
    pub fn next(line: &Line<K>, whose: K) -> Offer<K> {
        let offered =
            Arc::new(Offered { state: Mutex::new(State::InLine(None)), asked: Notify::new() });
        let waiting = line.wait(whose);
        let clerk = spawn_local(stand(line.clone(), whose, waiting, offered.clone()));
        Offer { offered, clerk: clerk.abort_handle() }
    }
}

#[derive(Debug)]
struct Asker {
    waker: Waker,
    task: Option<turn::Task>,
}

async fn stand<K: Key>(
    line: Line<K>,
    whose: K,
    mut waiting: Option<Waiting<K>>,
    offered: Arc<Offered<K>>,
) {
    loop {
        let turn = match waiting {
            Some(place) => turn_of(place).await,
            None => None,
        };
        yield_now().await;
        let Some(turn) = turn else {
            offered.set(State::Ended);
            return;
        };
        let called = Called::new(offered.set(State::There(turn)));
        for _ in 0..LOOKS {
            yield_now().await;
        }
        drop(called);
        if !offered.passes_on() {
            return;
        }
        offered.asked.notified().await;
        waiting = line.wait(whose);
    }
}

/// The line's turn, once it has the next look.
async fn turn_of<K: Key>(waiting: Waiting<K>) -> Option<Turn<K>> {
    let place = waiting.await?;
    let look = LOOK.with(Arc::clone).acquire_owned().await.ok()?;
    Some(Turn { _place: place, _look: look })
}

impl<K: Key> Offered<K> {
    /// Wakes who waits; gives its task.
    fn set(&self, next: State<K>) -> Option<turn::Task> {
        let State::InLine(Some(asker)) = self.replace(next) else { return None };
        asker.waker.wake();
        asker.task
    }

    /// The turn is the next one's, unless it was taken.
    fn passes_on(&self) -> bool {
        let mut state = self.state();
        if !matches!(*state, State::There(_)) {
            return false;
        }
        let turn = mem::replace(&mut *state, State::PassedOn);
        drop(state);
        // Tells whose it is next, which is not done within the lock.
        drop(turn);
        true
    }

    fn replace(&self, next: State<K>) -> State<K> {
        mem::replace(&mut *self.state(), next)
    }

    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Key> Future for Offer<K> {
    type Output = Option<Turn<K>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.offered.state();
        match mem::replace(&mut *state, State::Ended) {
            State::There(turn) => Poll::Ready(Some(turn)),
            State::Ended => Poll::Ready(None),
            before => {
                let asker = Asker { waker: cx.waker().clone(), task: turn::task() };
                *state = State::InLine(Some(asker));
                if matches!(before, State::PassedOn) {
                    self.offered.asked.notify_one();
                }
                Poll::Pending
            }
        }
    }
}

impl<K: Key> Drop for Offer<K> {
    fn drop(&mut self) {
        self.clerk.abort();
        // What is offered already goes back at once.
        drop(self.offered.replace(State::Ended));
    }
}
