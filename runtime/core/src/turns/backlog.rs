//! What is to be done to many at once, done to a few between two looks at the worker's sockets.
//!
//! In: whoever is to be woken, cut or closed, as a sweep finds them. Out: each of them once, in order.
//! Never: more than [`AT_ONCE`] between two looks, so that ten thousand connections whose time is over
//! in one moment are no stop for whoever has a request.

use std::cell::RefCell;
use std::collections::VecDeque;

use tokio::sync::Notify;
use tokio::task::yield_now;

/// To wake a connection, which looks at its socket and goes, takes some 30 microseconds: these are a turn.
const AT_ONCE: usize = 8;

/// Those to whom it is not done yet: as many as their owner puts in.
#[derive(Debug)]
pub struct Backlog<T> {
    waiting: RefCell<VecDeque<T>>,
    added: Notify,
}

impl<T> Default for Backlog<T> {
    fn default() -> Self {
        Backlog { waiting: RefCell::default(), added: Notify::new() }
    }
}

impl<T> Backlog<T> {
    pub fn put(&self, one: T) {
        self.waiting.borrow_mut().push_back(one);
        self.added.notify_one();
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.borrow().is_empty()
    }

    /// Who is next.
    pub fn take(&self) -> Option<T> {
        self.waiting.borrow_mut().pop_front()
    }

    /// Ready when there is somebody.
    pub async fn filled(&self) {
        while self.is_empty() {
            self.added.notified().await;
        }
    }

    /// Does it to each, until nobody waits. Cancel safe: whoever was not taken is by the next call.
    pub async fn work_off(&self, mut each: impl FnMut(T)) {
        loop {
            for _ in 0..AT_ONCE {
                let Some(one) = self.take() else { return };
                each(one);
            }
            // The runtime goes on with this after its next look.
            yield_now().await;
        }
    }
}
