//! The tasks of a client's HTTP/2 streams, so that one can be ended without the others.
//!
//! In: hyper's future of each stream. Out: local tasks, each known to its exchange. Never: ends one by
//! itself; ending it resets its stream.

use std::cell::{Cell, OnceCell};
use std::future::Future;
use std::rc::Rc;

use tokio::task::AbortHandle;

/// The task of one stream.
#[derive(Debug, Default)]
pub struct StreamTask(OnceCell<AbortHandle>);

/// Where the streams of one connection run.
#[derive(Clone, Default)]
pub struct StreamExecutor {
    /// The exchange that was begun last: hyper has its future executed next.
    begun: Rc<Cell<Option<Rc<StreamTask>>>>,
}

impl StreamTask {
    pub fn end(&self) {
        if let Some(task) = self.0.get() {
            task.abort();
        }
    }
}

impl StreamExecutor {
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
        let handle = tokio::task::spawn_local(future);
        if let Some(task) = self.begun.take() {
            let _ = task.0.set(handle.abort_handle());
        }
    }
}
