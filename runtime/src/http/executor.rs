//! Where hyper's own futures run: on the worker that the connection belongs to.
//!
//! In: futures of HTTP/2 streams and connections. Out: local tasks. Never: moves one to another
//! thread. Must be used inside a worker's local runtime.

use std::future::Future;

/// Spawns on the current thread's local runtime.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn_local(future);
    }
}
