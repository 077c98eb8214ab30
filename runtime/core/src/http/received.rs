//! Bodies as endpoints send them.
//!
//! In: a connection of HTTP/1.1, or a stream of HTTP/2. Out: frames, and an error where the endpoint
//! stops for longer than it may, or ends before its end. Never: waits without a bound, whoever polls
//! it: the client's connection, a hook or a transform.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::IdleTimer;
use super::merging::{Grace, Merging};
use super::trailer::Withheld;
use crate::error::{Error, Kind, Side};
use crate::turn;

/// Where a [`Received`] body of HTTP/1.1 comes from. Shared with whoever holds the connection.
pub trait Source: Send + Sync {
    /// The next frame; none at the end.
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>>;

    /// How many bytes are still to come, where that is known.
    fn left(&self) -> Option<u64>;
}

/// A body that an endpoint's connection is read for. At its end it lets go of the connection, which
/// may be about the next exchange then.
pub struct Received {
    from: From,
    merging: Merging,
    /// How long the endpoint may pause; zero: as long as it likes.
    pause: Duration,
    /// When it is over, at its end or not.
    due: Option<Instant>,
    /// What does not come behind it.
    withheld: Withheld,
    /// Made when it keeps us waiting.
    idle: Option<Box<IdleTimer>>,
}

enum From {
    Http1 {
        source: Arc<dyn Source>,
        left: Option<u64>,
    },
    Http2(Incoming),
    /// It came to its end, or failed.
    Nowhere,
}

impl Received {
    /// On HTTP/1.1; `left` bytes of it, where that is known.
    pub fn http1(source: Arc<dyn Source>, left: Option<u64>) -> Received {
        Received::from(From::Http1 { source, left })
    }

    /// On HTTP/2.
    pub fn http2(stream: Incoming) -> Received {
        Received::from(From::Http2(stream))
    }

    fn from(from: From) -> Received {
        let (merging, withheld) = Default::default();
        Received { from, merging, pause: Duration::ZERO, due: None, withheld, idle: None }
    }

    /// Holds trailers back beyond those that never pass.
    pub fn withhold(&mut self, trailers: Withheld) {
        self.withheld = trailers;
    }

    /// Bounds the time between two frames.
    pub fn pause_at_most(&mut self, pause: Duration) {
        self.pause = pause;
    }

    /// Bounds the time until its end.
    pub fn end_by(&mut self, due: Instant) {
        self.due = Some(due);
    }

    /// How many bytes are still to come, where that is known.
    pub fn left(&self) -> Option<u64> {
        match &self.from {
            From::Http1 { left, .. } => *left,
            From::Http2(stream) => stream.size_hint().exact(),
            From::Nowhere => Some(0),
        }
    }

    /// Whether what is not read of it costs its connection's codec far more than its bytes.
    pub fn is_dear_to_keep(&self) -> bool {
        matches!(self.from, From::Http2(_)) && self.merging.is_of_tiny_frames()
    }

    pub fn is_end_stream(&self) -> bool {
        self.from.is_end_stream() && self.merging.is_empty()
    }

    pub fn size_hint(&self) -> SizeHint {
        self.left().map_or_else(SizeHint::new, SizeHint::with_exact)
    }

    pub fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = match self.merging.poll_frame(&mut self.from, Grace::Nothing, cx) {
            Poll::Ready(Some(Ok(_))) if self.is_over() => Some(Err(over())),
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => {
                Some(self.withheld.filter(frame).map_err(|why| malformed(&why)))
            }
            Poll::Ready(frame) => frame,
            // It is this side that has no time now, whatever the endpoint sent.
            Poll::Pending if turn::is_over() => return Poll::Pending,
            Poll::Pending => Some(Err(ready!(self.waits(cx)))),
        };
        if let Some(idle) = &mut self.idle {
            idle.progress();
        }
        if !matches!(frame, Some(Ok(_))) {
            self.from = From::Nowhere;
        }
        Poll::Ready(frame)
    }

    /// Nothing came. An endpoint may pause for so long only.
    fn waits(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if self.pause.is_zero() {
            return Poll::Pending;
        }
        let pause = self.pause;
        let idle = self.idle.get_or_insert_with(|| Box::new(IdleTimer::new(pause)));
        ready!(idle.poll_until(self.due, cx));
        if self.is_over() {
            return Poll::Ready(over());
        }
        let detail = format!("no byte of the response within {pause:?}");
        Poll::Ready(Error::new(Kind::ConnectionReadTimeout, Side::Upstream, detail))
    }
}

impl Received {
    fn is_over(&self) -> bool {
        self.due.is_some_and(|due| due <= Instant::now())
    }
}

fn over() -> Error {
    let detail = "the request's time was over within the response";
    Error::new(Kind::HttpResponseTimeout, Side::Upstream, detail)
}

impl HttpBody for From {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        match this {
            From::Nowhere => Poll::Ready(None),
            From::Http1 { source, left } => {
                let frame = ready!(source.poll_frame(cx));
                *left = source.left();
                if *left == Some(0) {
                    *this = From::Nowhere;
                }
                Poll::Ready(frame)
            }
            From::Http2(stream) => {
                Poll::Ready(match ready!(Pin::new(&mut *stream).poll_frame(cx)) {
                    Some(Ok(frame)) => Some(Ok(frame)),
                    Some(Err(error)) => Some(Err(ended_early(&error))),
                    // A reset without an error looks like an end (RFC 9113, 8.1), and is none.
                    None if !stream.is_end_stream() => {
                        Some(Err(ended_early(&"the stream was reset")))
                    }
                    None => None,
                })
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            From::Http1 { .. } => false,
            From::Http2(stream) => stream.is_end_stream(),
            From::Nowhere => true,
        }
    }
}

/// The endpoint's message came to its end, and has one that is none.
fn malformed(why: &dyn std::fmt::Display) -> Error {
    Error::new(Kind::HttpProtocolError, Side::Upstream, format!("malformed response: {why}"))
}

/// The endpoint stopped, or broke the framing, before the end of its message.
fn ended_early(why: &dyn std::fmt::Display) -> Error {
    let detail = format!("body ended early: {why}");
    Error::new(Kind::HttpResponseIncomplete, Side::Upstream, detail)
}
