//! Tasks that have more to do than their turn take the next one in a line.
//!
//! In: tasks. Out: their output. Never: two turns from the line between two looks at the worker's
//! sockets, however many are busy, so that who has little to do waits for one of them at most; a line
//! in which one client's tasks stand before all of another's.
//!
//! ```text
//! task ─ polled ─▶ has done what there was                      ─▶ waits for its peers
//!          └─────▶ its turn is over ─▶ line, clients alternate ─▶ sockets were looked at ─▶ polled
//! ```

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_local, yield_now};

use crate::client::ClientKey;
use crate::shares::{Key, Share, Shares};
use crate::turn::{self, Taken};

/// A line of a worker for turns of one kind.
pub type Line<K = ClientKey> = Arc<Shares<K>>;

/// The next turn of a line. None: the worker ends.
pub type Next<K = ClientKey> = Pin<Box<dyn Future<Output = Option<Share<K>>> + Send>>;

thread_local! {
    /// Apart from the guests' line: a task may wait here whose guest has its turn there.
    static TASKS: Line = line();
}

/// A task in turns. Dropping it gives it up.
struct InTurns<'a, F> {
    task: Pin<&'a mut F>,
    client: ClientKey,
    waits: Option<Next>,
}

/// Starts a task of the calling worker that works in turns, for this client.
pub fn spawn<F>(client: ClientKey, task: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_local(async move { InTurns { task: pin!(task), client, waits: None }.await })
}

/// An empty line.
pub fn line<K: Key>() -> Line<K> {
    Shares::new(1, usize::MAX)
}

/// The permission to work for one turn, after those that waited before, and after the worker has
/// looked at its sockets. Takes its place in the line now.
pub fn next<K>(line: &Line<K>, whose: K) -> Next<K>
where
    K: Key + Send + 'static,
{
    let waiting = line.wait(whose);
    Box::pin(async move {
        let turn = match waiting {
            Some(turn) => turn.await,
            None => None,
        };
        looked_at_sockets().await;
        turn
    })
}

/// Returns once the worker has looked at its sockets. By a task of its own: one that waits here may be
/// polled for other reasons, which a yield would take for its end.
async fn looked_at_sockets() {
    match Handle::try_current() {
        Ok(worker) => drop(worker.spawn(yield_now()).await),
        // Nobody else is there.
        Err(_) => yield_now().await,
    }
}

/// The next turn of a task of this client.
pub fn next_of(client: ClientKey) -> Next {
    TASKS.with(|line| next(line, client))
}

impl<F: Future> Future for InTurns<'_, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.get_mut();
        let its_turn = match &mut this.waits {
            Some(waits) => ready!(waits.as_mut().poll(cx)),
            None => None,
        };
        this.waits = None;
        let Taken { result, was_short } = turn::take(|| this.task.as_mut().poll(cx));
        // The next one's, before this one asks again.
        drop(its_turn);
        if was_short && result.is_pending() {
            let mut waits = next_of(this.client);
            // Never there yet: sockets come first.
            let _ = waits.as_mut().poll(cx);
            this.waits = Some(waits);
        }
        result
    }
}

#[cfg(test)]
mod tests;
