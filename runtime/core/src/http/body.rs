//! Message bodies on their way through the proxy.
//!
//! In: bodies as they come from peers, bytes a plugin made, transforms. Out: one [`Body`] type that
//! hyper and the connections to endpoints take. Never: buffers more than it was asked to; a
//! streaming body is polled only when its reader wants more, which is the back-pressure.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};

use super::received::Received;
use super::trailer::Withheld;
use crate::error::{Error, Kind, Side};

/// A request's or a response's body.
#[derive(Default)]
pub enum Body {
    /// No body at all.
    #[default]
    Empty,
    /// Bytes that are already here.
    Full(Bytes),
    /// As a client sends it.
    Incoming(hyper::body::Incoming),
    /// As an endpoint sends it.
    Received(Received),
    /// Anything else: transforms, deadlines, counters.
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = Error> + Send>>),
}

/// Why [`Body::collect`] gave up.
#[derive(Debug)]
pub enum CollectError {
    /// More than the limit. What was read is lost; the body cannot be forwarded any more.
    TooLarge,
    /// The stream failed.
    Failed(Error),
}

impl Body {
    /// Bytes, or [`Body::Empty`] for none.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        if bytes.is_empty() { Body::Empty } else { Body::Full(bytes) }
    }

    /// As a client sends it, or [`Body::Empty`] where its head said that there is none.
    #[inline]
    pub fn of_client(body: hyper::body::Incoming) -> Self {
        if body.is_end_stream() { Body::Empty } else { Body::Incoming(body) }
    }

    /// Whether the same body can be sent twice: it is here as a whole.
    pub fn is_replayable(&self) -> bool {
        match self {
            Body::Empty | Body::Full(_) => true,
            Body::Incoming(body) => body.is_end_stream(),
            Body::Received(_) | Body::Stream(_) => false,
        }
    }

    /// Whether it is what an endpoint sent, as it was sent.
    pub fn is_from_endpoint(&self) -> bool {
        matches!(self, Body::Received(_))
    }

    /// Bounds the time between two frames of what an endpoint sends; others bound themselves.
    pub fn pause_at_most(&mut self, pause: Duration) {
        if let Body::Received(body) = self {
            body.pause_at_most(pause);
        }
    }

    /// Bounds the time until the end of what an endpoint sends; others bound themselves.
    pub fn end_by(&mut self, due: Instant) {
        if let Body::Received(body) = self {
            body.end_by(due.into());
        }
    }

    /// What does not come behind what an endpoint sends; other bodies see to it themselves.
    pub fn withhold(&mut self, trailers: Withheld) {
        if let Body::Received(body) = self {
            body.withhold(trailers);
        }
    }

    /// What it takes to send a replayable body once more, by [`Body::full`].
    pub fn replay(&self) -> Option<Bytes> {
        match self {
            Body::Full(bytes) => Some(bytes.clone()),
            _ => self.is_replayable().then(Bytes::new),
        }
    }

    /// Reads everything and keeps it: afterwards `self` is [`Body::Full`] (trailers are dropped).
    ///
    /// Cancel safety: none, a cancelled call loses what was read.
    pub async fn collect(&mut self, limit: u64) -> Result<Bytes, CollectError> {
        if let Body::Full(bytes) = self {
            let fits = bytes.len() as u64 <= limit;
            return if fits { Ok(bytes.clone()) } else { Err(CollectError::TooLarge) };
        }
        if HttpBody::size_hint(self).lower() > limit {
            return Err(CollectError::TooLarge);
        }
        let mut whole: Option<Bytes> = None;
        let mut more = BytesMut::new();
        loop {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut *self).poll_frame(cx)).await;
            match frame {
                None => break,
                Some(Err(error)) => return Err(CollectError::Failed(error)),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    let length = whole.as_ref().map_or(0, Bytes::len) + more.len() + data.len();
                    if length as u64 > limit {
                        return Err(CollectError::TooLarge);
                    }
                    match whole.take() {
                        None if more.is_empty() => whole = Some(data),
                        first => {
                            more.extend_from_slice(first.as_deref().unwrap_or_default());
                            more.extend_from_slice(data.chunk());
                        }
                    }
                }
            }
        }
        let bytes = whole.unwrap_or_else(|| more.freeze());
        *self = Body::full(bytes.clone());
        Ok(bytes)
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        match this {
            Body::Empty => Poll::Ready(None),
            Body::Full(_) => {
                let Body::Full(bytes) = std::mem::take(this) else { return Poll::Ready(None) };
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Body::Incoming(body) => {
                let frame = Pin::new(body).poll_frame(cx);
                frame.map_err(incomplete)
            }
            Body::Received(body) => body.poll_frame(cx),
            Body::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Full(_) => false,
            Body::Incoming(body) => body.is_end_stream(),
            Body::Received(body) => body.is_end_stream(),
            Body::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Incoming(body) => body.size_hint(),
            Body::Received(body) => body.size_hint(),
            Body::Stream(body) => body.size_hint(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Empty => f.write_str("Empty"),
            Body::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Body::Incoming(_) => f.write_str("Incoming"),
            Body::Received(body) => write!(f, "Received({:?} bytes left)", body.left()),
            Body::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// The client stopped, or broke the framing, before the end of its message.
fn incomplete(error: hyper::Error) -> Error {
    let ended = Error::new(Kind::HttpRequestError, Side::Downstream, "body ended early");
    ended.caused_by(error)
}
