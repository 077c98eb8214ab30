//! How many streams an HTTP/2 connection to an endpoint may have (RFC 9113, 5.1.2).
//!
//! In: the endpoint's SETTINGS, as they come, also later and lower. Out: the limit, and a call when
//! it rises. Never: assumes one: until the first SETTINGS came it is zero.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use weir_core::client::ClientKey;
use weir_core::turns;

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

/// Where the futures of one client connection run, in turns: it is many clients' and so nobody's but its
/// own. Its first one reads the socket, and is looked at for new SETTINGS.
#[derive(Clone)]
pub struct Executor {
    limit: Rc<StreamLimit>,
    reads: Rc<Cell<bool>>,
    line: ClientKey,
}

/// A future whose every turn may have changed the limit.
struct Reading<F> {
    future: Pin<Box<F>>,
    limit: Rc<StreamLimit>,
}

impl StreamLimit {
    pub fn now(&self) -> usize {
        self.now.get()
    }

    /// Where its futures are to run.
    pub fn executor(self: &Rc<Self>) -> Executor {
        let (limit, line) = (self.clone(), ClientKey::of_connection());
        Executor { limit, reads: Rc::default(), line }
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

    fn look(&self) {
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

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        if self.reads.replace(true) {
            // A client's body.
            turns::spawn(self.line, future);
            return;
        }
        // An endpoint may send without end.
        let reading = Reading { future: Box::pin(future), limit: self.limit.clone() };
        turns::spawn(self.line, reading);
    }
}

impl<F: Future<Output = ()>> Future for Reading<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.future.as_mut().poll(cx);
        self.limit.look();
        polled
    }
}

#[cfg(test)]
mod tests {
    use hyper::rt::Executor as _;
    use weir_core::turn;

    use super::*;
    use crate::busy::run;

    /// It read as long as its endpoint sent, a hundred and twenty-eight times in a row.
    #[test]
    fn who_reads_the_socket_does_so_in_turns() {
        let measured = Rc::<Cell<Option<bool>>>::default();
        let told = measured.clone();
        run(async {
            let reads = async move { told.set(Some(turn::task().is_some())) };
            Rc::<StreamLimit>::default().executor().execute(reads);
            tokio::task::yield_now().await;
        });
        assert_eq!(measured.get(), Some(true));
    }
}
