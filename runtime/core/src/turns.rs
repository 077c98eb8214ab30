//! Tasks that have more to do than their turn take the next one in a line.
//!
//! In: tasks. Out: their output. Never: two turns, of whichever line, between two looks at the worker's
//! sockets, however many are busy, so that who has little to do waits for one of them at most; a line
//! in which one client's tasks stand before all of another's; a turn that is kept while nobody uses it.
//! Nor, where there is anybody else, more than a few of one client's tasks between two looks, however
//! little each has to do: see [`crowd`].
//!
//! ```text
//! task ─ polled ─▶ has done what there was                      ─▶ waits for its peers
//!   │      └─────▶ its turn is over ─▶ line, clients alternate ─▶ sockets were looked at ─▶ polled
//!   └ many of its client's were ─▶ line ─▶ as many of the client's again
//! ```

mod backlog;
mod crowd;
mod offer;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tokio::task::{JoinHandle, spawn_local};

use self::crowd::Place;
use crate::client::ClientKey;
use crate::shares::{Key, Shares};
use crate::turn::{self, Taken, Task};

pub use backlog::Backlog;
pub use crowd::Flow;
pub use offer::{Offer, Turn};

/// A line of a worker for turns of one kind. Lines alternate.
pub type Line<K = ClientKey> = Arc<Shares<K>>;

/// The next turn of a task, or of a crowd. None: the worker ends.
type Next = Offer<(ClientKey, Who)>;

/// What a client has turns for: one of them never waits for all of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Who {
    /// One task that has more to do.
    Busy,
    /// As many as may be polled in a turn.
    Crowd,
}

thread_local! {
    /// Apart from the guests' line: a task may wait here whose guest has its turn there.
    static TASKS: Line<(ClientKey, Who)> = line();
    /// Tasks that are to be run for a turn of another line, whatever they wait for.
    static CALLED: RefCell<BTreeSet<Task>> = const { RefCell::new(BTreeSet::new()) };
}

/// As long as this is there, its task is run for a turn of another line.
struct Called(Option<Task>);

pin_project! {
    /// A task in turns. Dropping it gives it up.
    struct InTurns<F> {
        #[pin]
        work: F,
        task: Task,
        client: ClientKey,
        // Among its client's tasks. None: it is nobody's.
        place: Option<Place>,
        waits: Option<Next>,
    }
}

/// Starts a task of the calling worker that works in turns, for this client: a connection.
///
/// # Panics
/// Outside of a `LocalSet`; every worker is one.
pub fn spawn<F>(client: ClientKey, task: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_of(Flow::of(client), task)
}

/// As [`spawn`], one of several tasks of this flow.
pub fn spawn_of<F>(flow: Flow, task: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let (client, place) = (flow.client(), Place::of(flow));
    spawn_local(InTurns::new(client, Some(place), task))
}

/// Starts a task that works for many clients, as a connection to an endpoint does. It works in turns, but
/// is counted as nobody's: all of them would wait whenever it had been polled a few times.
pub fn spawn_for_all<F>(task: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    let client = ClientKey::of_connection();
    spawn_local(InTurns::new(client, None, task))
}

/// An empty line.
pub fn line<K: Key>() -> Line<K> {
    Shares::new(1, usize::MAX)
}

/// The next turn of this client.
fn next_of(client: ClientKey, who: Who) -> Next {
    TASKS.with(|line| Offer::next(line, (client, who)))
}

/// Whether this task is to be run now, though it waits for its turn: it has one in another line.
pub fn is_called(task: Task) -> bool {
    CALLED.with_borrow(|called| called.contains(&task))
}

impl Called {
    fn new(task: Option<Task>) -> Called {
        if let Some(task) = task {
            CALLED.with_borrow_mut(|called| called.insert(task));
        }
        Called(task)
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        if let Some(task) = self.0 {
            CALLED.with_borrow_mut(|called| called.remove(&task));
        }
    }
}

impl<F> InTurns<F> {
    fn new(client: ClientKey, place: Option<Place>, work: F) -> InTurns<F> {
        InTurns { work, task: Task::next(), client, place, waits: None }
    }
}

/// Whether a task may be polled though it has no turn in the line.
fn is_admitted(task: Task, place: Option<&mut Place>, cx: &Context<'_>) -> bool {
    let Some(place) = place else { return true };
    // First: what it would wait with is its flow's.
    if is_called(task) {
        place.leave();
        return true;
    }
    place.admits(cx)
}

impl<F: Future> Future for InTurns<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut its_turn = None;
        if let Some(waits) = this.waits {
            match Pin::new(waits).poll(cx) {
                Poll::Ready(turn) => {
                    its_turn = turn;
                    *this.waits = None;
                }
                Poll::Pending if is_called(*this.task) => {}
                Poll::Pending => return Poll::Pending,
            }
        } else if !is_admitted(*this.task, this.place.as_mut(), cx) {
            return Poll::Pending;
        }
        let Taken { result, was_short } = turn::take(*this.task, || this.work.poll(cx));
        if let Some(place) = this.place {
            place.polled(was_short && its_turn.is_none());
        }
        // The next one's, before this one asks again.
        drop(its_turn);
        if was_short && result.is_pending() && this.waits.is_none() {
            let mut waits = next_of(*this.client, Who::Busy);
            // Never there yet: sockets come first.
            let _ = Pin::new(&mut waits).poll(cx);
            *this.waits = Some(waits);
        }
        result
    }
}

#[cfg(test)]
mod tests;
