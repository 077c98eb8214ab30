//! How many streams an HTTP/2 connection to an endpoint may have (RFC 9113, 5.1.2).
//!
//! In: the endpoint's SETTINGS, as they come, also later and lower. Out: the limit, and a call when
//! it rises. Never: assumes one: until the first SETTINGS came it is zero.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// HTTP/2 streams on a connection before another one is opened, where the endpoint allows more.
pub const STREAMS_PER_CONNECTION: usize = 100;

/// What the endpoint allows.
#[derive(Default)]
pub struct StreamLimit {
    now: Cell<usize>,
    /// Asks the connection. Gone with it.
    source: RefCell<Option<Source>>,
    /// Whoever waits for the first SETTINGS.
    waiting: RefCell<Option<Waker>>,
    raised: RefCell<Option<Box<dyn Fn()>>>,
}

/// Says what the connection knows; nothing while it is being driven.
type Source = Box<dyn Fn() -> Option<usize>>;

impl StreamLimit {
    pub fn now(&self) -> usize {
        self.now.get()
    }

    /// From now on the limit is what `source` says, where it can say it.
    pub fn follow(&self, source: impl Fn() -> Option<usize> + 'static) {
        *self.source.borrow_mut() = Some(Box::new(source));
        self.look();
    }

    /// The connection is over.
    pub fn end(&self) {
        drop(self.source.take());
        self.now.set(0);
        if let Some(waiter) = self.waiting.take() {
            waiter.wake();
        }
    }

    /// Ready when a stream may be opened, or the connection is over.
    pub async fn opened(&self) {
        poll_fn(|cx| {
            if self.now.get() > 0 || self.source.borrow().is_none() {
                return Poll::Ready(());
            }
            self.waiting.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    /// Calls `raised` whenever more streams may be opened than before.
    pub fn on_raise(&self, raised: impl Fn() + 'static) {
        *self.raised.borrow_mut() = Some(Box::new(raised));
    }

    /// It may have changed.
    pub fn look(&self) {
        let Some(limit) = self.source.borrow().as_ref().and_then(|source| source()) else { return };
        let before = self.now.replace(limit);
        if limit > before {
            if let Some(waiter) = self.waiting.take() {
                waiter.wake();
            }
            if let Some(raised) = &*self.raised.borrow() {
                raised();
            }
        }
    }
}
