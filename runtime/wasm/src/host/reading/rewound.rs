//! A body whose beginning was read and put back.
//!
//! In: what was read, and the rest. Out: the same body once more. Never: loses what came, or why it ended.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use weir_core::error::Error;
use weir_core::http::Body;

/// A body whose beginning was read and put back.
pub struct Rewound {
    pub read: Option<Bytes>,
    /// What came beyond the limit.
    pub over: Option<Bytes>,
    pub trailers: Option<HeaderMap>,
    pub failed: Option<Error>,
    pub rest: Body,
}

impl HttpBody for Rewound {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if let Some(data) = this.read.take().or_else(|| this.over.take()) {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(trailers) = this.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        if let Some(error) = this.failed.take() {
            this.rest = Body::Empty;
            return Poll::Ready(Some(Err(error)));
        }
        Pin::new(&mut this.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_none()
            && self.over.is_none()
            && self.trailers.is_none()
            && self.failed.is_none()
            && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let pieces = self.read.iter().chain(&self.over);
        let read = pieces.map(|piece| piece.len() as u64).sum::<u64>();
        let rest = HttpBody::size_hint(&self.rest);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper().filter(|_| self.failed.is_none()) {
            hint.set_upper(upper + read);
        }
        hint
    }
}
