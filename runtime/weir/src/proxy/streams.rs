//! The tasks of a client's HTTP/2 streams, so that one can be ended without the others.
//!
//! In: hyper's future of each stream. Out: local tasks, each known to its exchange, which take turns with
//! whatever else their client has under way. Never: ends one by itself; ending it resets its stream.

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::task::AbortHandle;
use weir_core::client::ClientKey;
use weir_core::turns::{self, Flow};

/// The task of one stream.
#[derive(Debug, Default)]
pub struct StreamTask(OnceCell<AbortHandle>);

/// Where the streams of one connection run.
#[derive(Clone)]
pub struct StreamExecutor {
    /// The exchange that was begun last: hyper has its future executed next.
    begun: Rc<Cell<Option<Rc<StreamTask>>>>,
    flow: Flow,
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
        StreamExecutor { begun: Rc::default(), flow: Flow::of(client) }
    }

    /// Ready as long as no more than so many streams wait for their first turn, or their next one: until
    /// then the connection is not to be asked for more of them.
    pub fn poll_room(&self, most: usize, cx: &Context<'_>) -> Poll<()> {
        self.flow.poll_room(most, cx)
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
        let handle = turns::spawn_of(self.flow.clone(), future);
        if let Some(task) = self.begun.take() {
            let _ = task.0.set(handle.abort_handle());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use hyper::rt::Executor as _;
    use weir_core::turn;

    use super::*;
    use crate::busy::run;

    #[test]
    fn one_is_ended_without_the_others() {
        run(async {
            let executor = StreamExecutor::new(ClientKey::of("192.0.2.1"));
            let dropped = |task: Rc<()>| async move {
                let _held = task;
                pending::<()>().await;
            };
            let (one, other) = (Rc::new(()), Rc::new(()));
            let stream = executor.begin();
            executor.execute(dropped(one.clone()));
            let _left = executor.begin();
            executor.execute(dropped(other.clone()));
            tokio::task::yield_now().await;
            stream.end();
            tokio::task::yield_now().await;
            assert_eq!((Rc::strong_count(&one), Rc::strong_count(&other)), (1, 2));
        });
    }

    #[test]
    fn streams_work_in_turns() {
        let measured = Rc::<Cell<Option<bool>>>::default();
        let told = measured.clone();
        run(async {
            let stream = async move { told.set(Some(turn::task().is_some())) };
            StreamExecutor::new(ClientKey::default()).execute(stream);
            tokio::task::yield_now().await;
        });
        assert_eq!(measured.get(), Some(true));
    }
}
