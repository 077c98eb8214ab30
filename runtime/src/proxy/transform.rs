//! Bodies that plugins rewrite on their way.
//!
//! In: a body and the transforms it passes, in order. Out: a body of the rewritten bytes. Never:
//! holds more than one chunk; trailers pass unchanged after the last rewritten byte.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, HeaderValue};
use http_body::{Body as HttpBody, Frame};

use crate::chain::{Failure, Transforms};
use crate::error::{Error, Kind, Side};
use crate::http::Body;

/// Most bytes of what came that the transforms are given at once: their deadline is that of a
/// hook, however fast a peer sends.
const MAX_CHUNK: usize = 64 << 10;

/// A body behind transforms.
struct Rewritten {
    body: Body,
    transforms: Transforms,
    /// What came and was not given to the transforms yet.
    came: Bytes,
    /// Frames that are ready: the transforms' last bytes, then trailers.
    ready: VecDeque<Frame<Bytes>>,
    ended: bool,
}

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const DIGEST: HeaderName = HeaderName::from_static("digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// Puts a body behind transforms.
pub fn rewrite(body: Body, transforms: Transforms) -> Body {
    let (came, ready) = (Bytes::new(), VecDeque::new());
    Body::Stream(Box::pin(Rewritten { body, transforms, came, ready, ended: false }))
}

/// Makes the fields that describe a body's bytes fit one that was replaced (`length` known) or is
/// being rewritten (unknown).
pub fn reframe(headers: &mut HeaderMap, length: Option<u64>) {
    match length {
        Some(length) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            headers.remove(CONTENT_LENGTH);
        }
    }
    for stale in [ACCEPT_RANGES, CONTENT_RANGE, CONTENT_MD5, DIGEST, CONTENT_DIGEST] {
        headers.remove(stale);
    }
    // A strong validator promises the same bytes (RFC 9110, 8.8.1); a weak one the same meaning.
    if let Some(tag) = headers.get(ETAG)
        && !tag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
}

impl Rewritten {
    fn push(&mut self, mut chunk: Bytes) -> Result<Bytes, Error> {
        for transform in &mut self.transforms {
            if chunk.is_empty() {
                break;
            }
            chunk = transform.push(chunk).map_err(|failure| failed(&failure))?;
        }
        Ok(chunk)
    }

    /// The last bytes of each transform still pass the ones behind it.
    fn finish(&mut self) -> Result<(), Error> {
        self.ended = true;
        let mut rest = Bytes::new();
        for transform in &mut self.transforms {
            let pushed = if rest.is_empty() {
                Bytes::new()
            } else {
                transform.push(rest).map_err(|failure| failed(&failure))?
            };
            let last = transform.finish().map_err(|failure| failed(&failure))?;
            rest = match (pushed.is_empty(), last.is_empty()) {
                (true, _) => last,
                (_, true) => pushed,
                _ => [pushed, last].concat().into(),
            };
        }
        self.transforms.clear();
        if !rest.is_empty() {
            self.ready.push_back(Frame::data(rest));
        }
        Ok(())
    }
}

impl HttpBody for Rewritten {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        loop {
            if let Some(frame) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            if !this.came.is_empty() {
                let chunk = this.came.split_to(this.came.len().min(MAX_CHUNK));
                let data = this.push(chunk)?;
                if !data.is_empty() {
                    this.ready.push_back(Frame::data(data));
                }
                continue;
            }
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => this.came = data,
                    Err(trailers) => {
                        this.finish()?;
                        this.ready.push_back(trailers);
                    }
                },
                None => this.finish()?,
            }
        }
    }
}

/// The head is gone by now: all that is left is to end the message as broken.
fn failed(failure: &Failure) -> Error {
    let detail = format!("plugin {}: {}", failure.plugin, failure.reason);
    Error { status: Some(500), ..Error::new(Kind::ProxyInternalError, Side::Plugin, detail) }
}
