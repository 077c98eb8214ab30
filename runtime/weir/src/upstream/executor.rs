//! Where the futures of an HTTP/2 connection to an endpoint run: each in its client's turns.
//!
//! In: bodies for the endpoint, each with whose it is, and the codec's futures. Out: local tasks: of a
//! stream among its client's, of the connection by itself. Never: has one client's streams wait for
//! another's because they share a connection.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use pin_project_lite::pin_project;
use weir_core::error::Error;
use weir_core::http::Body;
use weir_core::turns::{self, Flow};

use super::streams::StreamLimit;

/// Of one connection. Its first future reads the socket, and is looked at for new SETTINGS.
#[derive(Clone)]
pub struct Executor {
    limit: Rc<StreamLimit>,
    reads: Rc<Cell<bool>>,
    begun: Rc<Begun>,
}

/// Whose stream was begun last: the codec has its futures executed next, and begins no other while that one
/// waits for its place.
#[derive(Default)]
struct Begun {
    /// The codec may begin one now; at any other time it asks for what else it wants to know of a body.
    may: Cell<bool>,
    whose: RefCell<Option<Whose>>,
}

/// Whose a stream is.
#[derive(Clone)]
pub struct Whose {
    pub flow: Flow,
    /// What is to be kept until the codec is through with the stream, which a client who gave it up does
    /// not wait for.
    pub keeps: Weak<dyn Any>,
}

/// A request's body on its way to the endpoint.
pub struct Sent {
    body: Body,
    whose: Option<Whose>,
    begun: Rc<Begun>,
}

pin_project! {
    /// A future of a stream, with what is kept for it.
    struct Keeping<F> {
        #[pin]
        future: F,
        keeps: Option<Rc<dyn Any>>,
    }
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

    /// How many streams the connection may have.
    pub fn limit(&self) -> &Rc<StreamLimit> {
        &self.limit
    }

    /// A body for a stream of the connection, and whose it is; none: it is our own.
    pub fn body(&self, body: Body, whose: Option<Whose>) -> Sent {
        Sent { body, whose, begun: self.begun.clone() }
    }

    /// Polls what begins the streams.
    pub fn begins<R>(&self, poll: impl FnOnce() -> R) -> R {
        self.begun.may.set(true);
        let polled = poll();
        self.begun.may.set(false);
        polled
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
        match self.begun.whose.borrow().clone() {
            Some(Whose { flow, keeps }) => {
                turns::spawn_of(flow, Keeping { future, keeps: keeps.upgrade() })
            }
            None => turns::spawn_for_all(future),
        };
    }
}

impl Sent {
    /// It was not sent.
    pub fn into_body(self) -> Body {
        self.body
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

    /// The codec asks whenever it begins a stream, before it has the stream's futures executed.
    fn is_end_stream(&self) -> bool {
        if self.begun.may.get() {
            self.begun.whose.replace(self.whose.clone());
        }
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F: Future<Output = ()>> Future for Keeping<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().future.poll(cx)
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
