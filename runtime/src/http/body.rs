//! Message bodies on their way through the proxy.
//!
//! In: bodies as they come from peers, bytes a plugin made, transforms. Out: one [`Body`] type that
//! hyper and the connections to endpoints take. Never: buffers more than it was asked to; a
//! streaming body is polled only when its reader wants more, which is the back-pressure.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::error::{Error, Kind, Side};

/// A request's or a response's body.
#[derive(Default)]
pub enum Body {
    /// No body at all.
    #[default]
    Empty,
    /// Bytes that are already here.
    Full(Bytes),
    /// As hyper receives it from a peer; `Side` says which, for errors.
    Incoming(hyper::body::Incoming, Side),
    /// As an endpoint sends it on HTTP/1.1.
    Received(Received),
    /// Anything else: transforms, deadlines, counters.
    Stream(Pin<Box<dyn HttpBody<Data = Bytes, Error = Error> + Send>>),
}

/// Where a [`Received`] body comes from. Shared with whoever holds the connection.
pub trait Source: Send + Sync {
    /// The next frame; none at the end.
    fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>>;

    /// How many bytes are still to come, where that is known.
    fn left(&self) -> Option<u64>;
}

/// A body that a connection is read for. At its end it lets go of the connection, which may be
/// about the next exchange then.
pub struct Received {
    source: Option<Arc<dyn Source>>,
    left: Option<u64>,
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

    /// Whether the same body can be sent twice: it is here as a whole.
    pub fn is_replayable(&self) -> bool {
        match self {
            Body::Empty | Body::Full(_) => true,
            Body::Incoming(body, _) => body.is_end_stream(),
            Body::Received(_) | Body::Stream(_) => false,
        }
    }

    /// Whether it is what an endpoint sent, as it was sent.
    pub fn is_from_endpoint(&self) -> bool {
        matches!(self, Body::Incoming(_, Side::Upstream) | Body::Received(_))
    }

    /// A copy of a replayable body; [`Body::Empty`] stands for any other.
    pub fn replay(&self) -> Body {
        match self {
            Body::Full(bytes) => Body::Full(bytes.clone()),
            _ => Body::Empty,
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
            Body::Incoming(body, side) => {
                let side = *side;
                Pin::new(body).poll_frame(cx).map_err(|error| incomplete(&error, side))
            }
            Body::Received(body) => body.poll_frame(cx),
            Body::Stream(body) => body.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Body::Empty => true,
            Body::Full(_) => false,
            Body::Incoming(body, _) => body.is_end_stream(),
            Body::Received(body) => body.source.is_none(),
            Body::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Empty => SizeHint::with_exact(0),
            Body::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Body::Incoming(body, _) => body.size_hint(),
            Body::Received(body) => body.left.map_or_else(SizeHint::new, SizeHint::with_exact),
            Body::Stream(body) => body.size_hint(),
        }
    }
}

impl Received {
    pub fn new(source: Arc<dyn Source>, left: Option<u64>) -> Received {
        Received { source: Some(source), left }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(source) = &self.source else { return Poll::Ready(None) };
        let frame = ready!(source.poll_frame(cx));
        self.left = match &frame {
            Some(Ok(_)) => source.left(),
            Some(Err(_)) | None => Some(0),
        };
        if self.left == Some(0) {
            self.source = None;
        }
        Poll::Ready(frame)
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Body::Empty => f.write_str("Empty"),
            Body::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Body::Incoming(_, side) => write!(f, "Incoming({side:?})"),
            Body::Received(body) => write!(f, "Received({:?} bytes left)", body.left),
            Body::Stream(_) => f.write_str("Stream"),
        }
    }
}

/// The peer stopped, or broke the framing, before the end of its message.
fn incomplete(error: &hyper::Error, side: Side) -> Error {
    let kind = match side {
        Side::Upstream => Kind::HttpResponseIncomplete,
        _ => Kind::HttpRequestError,
    };
    Error::new(kind, side, format!("body ended early: {error}"))
}
