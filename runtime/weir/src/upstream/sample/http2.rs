//! Endpoints that a test plays over HTTP/2.
//!
//! In: a connection's end, and what to answer. Out: a server that can fall silent: then it reads nothing,
//! writes nothing and closes nothing, as a machine does that is gone. Never: a socket.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::task::spawn_local;

use super::played::End;

/// A server's side of a connection.
pub struct Http2End {
    silent: Rc<Cell<bool>>,
    ended: Rc<Cell<bool>>,
}

/// Where a connection's streams run.
#[derive(Clone)]
struct Local;

impl<F: Future + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(async move { drop(future.await) });
    }
}

impl Http2End {
    /// Allows so many streams at a time, and answers each when `answer` is ready, which gives the body.
    pub fn serve<F>(end: End, streams: u32, answer: impl Fn() -> F + 'static) -> Http2End
    where
        F: Future<Output = &'static str> + 'static,
    {
        let service = service_fn(move |_: Request<Incoming>| {
            let answer = answer();
            async move {
                let body = Full::new(Bytes::from_static(answer.await.as_bytes()));
                Ok::<_, Infallible>(Response::new(body))
            }
        });
        let mut builder = http2::Builder::new(Local);
        builder.timer(TokioTimer::new()).max_concurrent_streams(streams);
        let io = TokioIo::new(end.into_stream());
        let mut serving = Box::pin(builder.serve_connection(io, service));
        let (silent, ended) = <(Rc<Cell<bool>>, Rc<Cell<bool>>)>::default();
        let told = Http2End { silent: silent.clone(), ended: ended.clone() };
        spawn_local(poll_fn(move |cx| {
            if silent.get() {
                return Poll::Pending;
            }
            let over = Pin::new(&mut serving).poll(cx).map(drop);
            ended.set(over.is_ready());
            over
        }));
        told
    }

    /// From now on nothing comes from it.
    pub fn fall_silent(&self) {
        self.silent.set(true);
    }

    /// The other side has closed.
    pub fn is_over(&self) -> bool {
        self.ended.get()
    }
}
