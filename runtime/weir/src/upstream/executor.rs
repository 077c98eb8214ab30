//! Where the futures of an HTTP/2 connection to an endpoint run: each in its client's turns.
//!
//! In: bodies for the endpoint, each with whose it is, and the codec's futures. Out: local tasks: of a
//! stream among its client's, of the connection by itself. Never: has one client's streams wait for
//! another's because they share a connection.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use weir_core::error::Error;
use weir_core::http::Body;
use weir_core::turns::{self, Flow};

use super::streams::StreamLimit;

/// Of one connection. Its first future reads the socket, and is looked at for new SETTINGS.
#[derive(Clone)]
pub struct Executor {
    limit: Rc<StreamLimit>,
    reads: Rc<Cell<bool>>,
    begun: Begun,
}

/// Whose stream was begun last: the codec has its futures executed next.
type Begun = Rc<RefCell<Option<Flow>>>;

/// A request's body on its way to the endpoint.
pub struct Sent {
    body: Body,
    whose: Option<Flow>,
    begun: Begun,
}

/// A future whose every turn may have changed the limit.
struct Reading<F> {
    future: Pin<Box<F>>,
    limit: Rc<StreamLimit>,
}

impl Executor {
    pub fn new(limit: Rc<StreamLimit>) -> Executor {
        Executor { limit, reads: Rc::default(), begun: Rc::default() }
    }

    /// A body for a stream of the connection, and whose it is; none: it is our own.
    pub fn body(&self, body: Body, whose: Option<Flow>) -> Sent {
        Sent { body, whose, begun: self.begun.clone() }
    }
}

impl<F> hyper::rt::Executor<F> for Executor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        if !self.reads.replace(true) {
            // An endpoint may send without end.
            let reading = Reading { future: Box::pin(future), limit: self.limit.clone() };
            turns::spawn_for_all(reading);
            return;
        }
        // The rest of a body, or the wait for an answer.
        match self.begun.borrow().clone() {
            Some(whose) => turns::spawn_of(whose, future),
            None => turns::spawn_for_all(future),
        };
    }
}

impl Sent {
    /// It was not sent.
    pub fn into_body(self) -> Body {
        self.body
    }

    fn begin(&self) {
        self.begun.replace(self.whose.clone());
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    /// The codec asks whenever it begins a stream, right before it has the stream's futures executed.
    fn is_end_stream(&self) -> bool {
        self.begin();
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
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
mod tests;
