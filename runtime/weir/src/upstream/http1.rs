//! HTTP/1.1 towards an endpoint (RFC 9112): one connection, one exchange at a time.
//!
//! In: a connected stream; for each exchange a request's head, by reference, and its body. Out: the
//! response's head and a body that is read as it is wanted. Never: a task, a channel or a copy of
//! the head of its own: whoever waits for the response moves the bytes. Only an upload that goes on
//! after the response has begun gets a task (see [`Codec::upload`]).
//!
//! Own code, where hyper would do, because this is what a reverse proxy does most: hyper's client
//! runs a second task behind a channel and owns the request that it sends, so that the head is
//! copied and every exchange wakes two tasks; that was a third of the instructions of a plain
//! request. Heads are parsed by httparse, as hyper does.
//!
//! ```text
//! Outgoing ─▶ writer (head, then body: length or chunked) ─▶ Transport
//! Answer   ◀─ reader (head, then body: none, length, chunked, until close) ◀─┘
//! ```

mod chunked;
mod head;
mod names;
mod reader;
#[cfg(test)]
mod tests;
mod transport;
mod writer;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use tokio::io::AsyncWrite;
use tokio::task::coop::unconstrained;
use tokio::time::{Sleep, sleep};
use weir_core::error::{Error, Kind, Side};
use weir_core::http::{Body, Received, Source};
use weir_core::turn;

pub use transport::{Transport, Tunnel};

use super::message::{Answer, Outgoing};
use reader::Reader;
use writer::{Failed, Writer};

/// One connection. Its body's reader, its lease and its upload share it; they are all on one
/// worker, so the lock is never waited for.
pub struct Codec(Mutex<State>);

struct State {
    transport: Transport,
    reader: Reader,
    writer: Writer,
    /// How long a body still waits to be asked for.
    asking: Option<Pin<Box<Sleep>>>,
}

/// How long an endpoint has to ask for a body with a 100, before it gets it all the same: some do
/// not know of it (RFC 9110, 10.1.1).
const TIME_TO_ASK: Duration = Duration::from_secs(1);

/// Why there is no response.
#[derive(Debug)]
pub enum Fault {
    /// The endpoint closed the connection before a response's head was complete.
    Closed,
    /// The transport failed.
    Io(io::Error),
    /// The response's head is longer, or has more fields, than is taken.
    TooLarge,
    /// What came is no response, or one that two parsers could read as two.
    Malformed(String),
    /// The request's own body failed.
    Body(Error),
}

impl Codec {
    /// Takes over a stream that nothing was sent on.
    pub fn new(transport: Transport) -> Arc<Codec> {
        let (reader, writer) = (Reader::default(), Writer::default());
        Arc::new(Codec(Mutex::new(State { transport, reader, writer, asking: None })))
    }

    /// Sends a request and waits for the response's head. The caller sees to the time it takes.
    ///
    /// Cancel safety: after a cancelled call the connection is good for nothing but being dropped.
    pub async fn exchange(
        self: &Arc<Self>,
        outgoing: &Outgoing<'_>,
        body: Body,
    ) -> Result<Answer, Fault> {
        self.begin(outgoing, body);
        let mut answer = None;
        poll_fn(|cx| self.poll_answer(&mut answer, cx)).await?;
        answer.ok_or(Fault::Closed)
    }

    /// Makes a request ready to be sent by [`Codec::poll_answer`].
    pub fn begin(&self, outgoing: &Outgoing<'_>, body: Body) {
        let mut state = self.state();
        state.asking = None;
        state.reader.begin(outgoing.head.method == http::Method::HEAD);
        state.writer.begin(outgoing, body);
    }

    /// Sends, and waits for the response's head, which it leaves in `answer`. A response may come
    /// before all is sent: [`Codec::is_sent`] tells.
    pub fn poll_answer(
        self: &Arc<Self>,
        answer: &mut Option<Answer>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Fault>> {
        let mut state = self.state();
        let State { transport, reader, writer, asking } = &mut *state;
        let head = loop {
            // An endpoint that will not read to the end may have said why before it closed: a
            // transport that takes no more is still read.
            if let Poll::Ready(Err(Failed::Body(error))) = writer.poll(transport, cx) {
                return Poll::Ready(Err(Fault::Body(error)));
            }
            let head = reader.poll_head(transport, cx);
            if head.is_ready() || !writer.is_held() {
                break head;
            }
            if !reader.has_continued() {
                let asking = asking.get_or_insert_with(|| Box::pin(sleep(TIME_TO_ASK)));
                ready!(asking.as_mut().poll(cx));
            }
            writer.release();
        };
        let (parts, found) = match ready!(head) {
            Ok(head) => head,
            Err(Fault::Closed) => {
                let failed = writer.take_io_error();
                return Poll::Ready(Err(failed.map_or(Fault::Closed, Fault::Io)));
            }
            Err(fault) => return Poll::Ready(Err(fault)),
        };
        writer.answered();
        *asking = None;
        if parts.status == StatusCode::SWITCHING_PROTOCOLS && !writer.is_done() {
            let why = "101 before the end of the request's body".to_owned();
            return Poll::Ready(Err(Fault::Malformed(why)));
        }
        let body = match reader.left() {
            Some(0) => Body::Empty,
            left => Body::Received(Received::http1(self.clone(), left)),
        };
        *answer = Some(Answer { parts, body, found });
        Poll::Ready(Ok(()))
    }

    /// Goes on sending after the response's head came. Ends when all is sent, or nothing more can
    /// be. An endpoint that waits for the rest of a body that broke is told so.
    pub async fn upload(&self) {
        let sent = poll_fn(|cx| {
            let State { transport, writer, .. } = &mut *self.state();
            writer.poll(transport, cx)
        })
        .await;
        if let Err(Failed::Body(error)) = sent {
            tracing::debug!(error = error.told(), "an upload broke after its response had begun");
            let _ = poll_fn(|cx| Pin::new(&mut self.state().transport).poll_shutdown(cx)).await;
        }
    }

    /// The request went out to its last byte.
    pub fn is_sent(&self) -> bool {
        self.state().writer.is_done()
    }

    /// Nothing of the request was sent, and nothing of its body read: it may go elsewhere.
    pub fn is_untouched(&self) -> bool {
        self.state().writer.is_untouched()
    }

    /// Gives the request's body back.
    pub fn take_body(&self) -> Option<Body> {
        self.state().writer.take_body()
    }

    /// A byte came since the request began.
    pub fn has_heard(&self) -> bool {
        self.state().reader.has_heard()
    }

    /// The exchange is over, and both sides want another one. Frees what a long one made large.
    pub fn rest(&self) -> bool {
        let mut state = self.state();
        state.writer.is_done() && !state.writer.is_cut() && state.reader.rest()
    }

    /// Still open, and the endpoint has said nothing that nobody asked for. To be asked between
    /// exchanges; what is said then would be taken for the next request's response.
    pub fn is_quiet(&self) -> bool {
        let State { transport, reader, .. } = &mut *self.state();
        if !transport.may_read() {
            return true;
        }
        // A task that has used up its turn would find nothing, whatever there is.
        let reading = poll_fn(|cx| reader.poll_fill(transport, cx));
        let mut cx = Context::from_waker(Waker::noop());
        turn::unmeasured(|| pin!(unconstrained(reading)).poll(&mut cx).is_pending())
    }

    /// The stream of another protocol after a 101. `None` while its body is still being read or
    /// sent.
    pub fn into_tunnel(self: Arc<Self>) -> Option<Tunnel> {
        let state = Arc::into_inner(self)?.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some(Tunnel::new(state.transport, state.reader.into_ahead()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for Codec {
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let State { transport, reader, .. } = &mut *self.state();
        reader.poll_frame(transport, cx).map_err(|why| {
            let detail = format!("body ended early: {why}");
            Error::new(Kind::HttpResponseIncomplete, Side::Upstream, detail)
        })
    }

    fn left(&self) -> Option<u64> {
        self.state().reader.left()
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Closed => f.write_str("the connection was closed before the response"),
            Fault::Io(_) => f.write_str("the connection failed"),
            Fault::TooLarge => write!(
                f,
                "the response's head has more than {} fields or {} bytes",
                head::MAX_FIELDS,
                head::MAX_BYTES
            ),
            Fault::Malformed(why) => write!(f, "malformed response: {why}"),
            Fault::Body(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Fault::Io(error) => Some(error),
            Fault::Body(error) => error.source(),
            Fault::Closed | Fault::TooLarge | Fault::Malformed(_) => None,
        }
    }
}
