//! Bodies that a test writes piece by piece.
//!
//! In: pieces, and trailers. Out: a [`Body`] of them, which ends when its writer is dropped. Never: a piece
//! before it was written.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use weir_core::error::Error;
use weir_core::http::Body;

/// Where it is written.
pub struct Pipe(UnboundedSender<Frame<Bytes>>);

struct Piped(UnboundedReceiver<Frame<Bytes>>);

/// A body, and where it is written.
pub fn piped() -> (Pipe, Body) {
    let (write, read) = unbounded_channel();
    (Pipe(write), Body::Stream(Box::pin(Piped(read))))
}

impl Pipe {
    pub fn data(&self, data: &'static str) {
        // Whoever read it may have given up.
        let _ = self.0.send(Frame::data(Bytes::from_static(data.as_bytes())));
    }

    pub fn trailers(&self, trailers: HeaderMap) {
        let _ = self.0.send(Frame::trailers(trailers));
    }
}

impl HttpBody for Piped {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.get_mut().0.poll_recv(cx).map(|frame| frame.map(Ok))
    }
}
