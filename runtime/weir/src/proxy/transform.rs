//! Bodies that plugins rewrite on their way.
//!
//! In: a body and the transforms it passes, in order. Out: a body of the rewritten bytes. Never:
//! holds more than a chunk and what came next; trailers pass unchanged after the last rewritten byte. Never lets
//! transforms wait on behalf of a peer that is gone.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, HeaderValue};
use http::response::Parts;
use http_body::{Body as HttpBody, Frame};
use weir_core::chain::{Failure, Transforms};
use weir_core::error::{Error, Kind, Side};
use weir_core::http::Body;
use weir_core::turn;

/// Most bytes of what came that the transforms are given at once: their deadline is that of a
/// hook, however fast a peer sends.
const MAX_CHUNK: usize = 64 << 10;

/// A body behind transforms.
struct Rewritten {
    body: Body,
    state: State,
    /// What came and was not given to the transforms yet.
    came: Bytes,
    /// What came next, while they wait: who sends it may be gone, and then they need not.
    next: Option<Option<Frame<Bytes>>>,
    /// Frames that are ready: the transforms' last bytes, then trailers.
    ready: VecDeque<Frame<Bytes>>,
}

/// Where the transforms are.
enum State {
    /// Waiting for what comes.
    Idle(Transforms),
    /// A chunk passes them.
    Pushing(Passing<(Transforms, Bytes)>),
    /// The last bytes pass them; then the trailers.
    Finishing(Passing<Vec<Bytes>>, Option<Frame<Bytes>>),
    /// They are done, or one of them failed.
    Ended,
}

type Passing<T> = Pin<Box<dyn Future<Output = Result<T, Box<Failure>>> + Send>>;

const CONTENT_MD5: HeaderName = HeaderName::from_static("content-md5");
const DIGEST: HeaderName = HeaderName::from_static("digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// Puts a body behind transforms.
pub fn rewrite(body: Body, transforms: Transforms) -> Body {
    let (came, next, ready) = (Bytes::new(), None, VecDeque::new());
    Body::Stream(Box::pin(Rewritten { body, state: State::Idle(transforms), came, next, ready }))
}

/// Puts a response's body behind transforms, where there are any, and makes its head fit.
pub fn rewrite_response(parts: &mut Parts, body: Body, transforms: Transforms) -> Body {
    if transforms.is_empty() {
        return body;
    }
    reframe(parts, None);
    if body.is_end_stream() { body } else { rewrite(body, transforms) }
}

/// Makes the fields that describe a body's bytes fit one that was replaced (`length` known) or is
/// being rewritten (unknown); also where only a GET would have the body.
pub fn reframe(parts: &mut Parts, length: Option<u64>) {
    let headers = &mut parts.headers;
    match length {
        Some(length) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            headers.remove(CONTENT_LENGTH);
        }
    }
    for stale in [ACCEPT_RANGES, CONTENT_MD5, DIGEST, CONTENT_DIGEST] {
        headers.remove(stale);
    }
    // Without it nobody could tell which part a 206 is, or how much there would have been of what a
    // 416 refuses (RFC 9110, 15.3.7.1 and 15.5.17): it is about the representation, not these bytes.
    let ranged = [StatusCode::PARTIAL_CONTENT, StatusCode::RANGE_NOT_SATISFIABLE];
    if !ranged.contains(&parts.status) {
        headers.remove(CONTENT_RANGE);
    }
    // A strong validator promises the same bytes (RFC 9110, 8.8.1); a weak one the same meaning.
    if let Some(tag) = headers.get(ETAG)
        && !tag.as_bytes().starts_with(b"W/")
        && let Ok(weak) = HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
}

/// A chunk through each transform in turn.
async fn push(
    mut transforms: Transforms,
    mut chunk: Bytes,
) -> Result<(Transforms, Bytes), Box<Failure>> {
    let mut passed = Transforms::with_capacity(transforms.len());
    for transform in transforms.drain(..) {
        if chunk.is_empty() {
            passed.push(transform);
            continue;
        }
        let (transform, made) = transform.push(chunk).await?;
        passed.push(transform);
        chunk = made;
    }
    Ok((passed, chunk))
}

/// The last bytes of each transform still pass the ones behind it.
async fn finish(transforms: Transforms) -> Result<Vec<Bytes>, Box<Failure>> {
    // As pieces: put together they would be there twice, and the second time on no account.
    let mut rest = Vec::new();
    for mut transform in transforms {
        let mut made = Vec::with_capacity(rest.len() + 1);
        for piece in rest {
            let pushed;
            (transform, pushed) = transform.push(piece).await?;
            made.push(pushed);
        }
        made.push(transform.finish().await?);
        made.retain(|piece| !piece.is_empty());
        rest = made;
    }
    Ok(rest)
}

impl Rewritten {
    /// The next frame of what is rewritten, or its end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, Error>> {
        if let Some(next) = self.next.take() {
            return Poll::Ready(Ok(next));
        }
        Pin::new(&mut self.body).poll_frame(cx).map(Option::transpose)
    }

    /// Goes on with the chunk, or the end, that is on its way. Nothing to do is ready.
    fn poll_transforms(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let passed = match &mut self.state {
            State::Idle(_) | State::Ended => return Poll::Ready(Ok(())),
            State::Pushing(passing) => {
                let passed = ready!(passing.as_mut().poll(cx));
                passed.map(|(transforms, data)| (State::Idle(transforms), vec![data], None))
            }
            State::Finishing(passing, trailers) => {
                let passed = ready!(passing.as_mut().poll(cx));
                let trailers = trailers.take();
                passed.map(|data| (State::Ended, data, trailers))
            }
        };
        self.state = State::Ended;
        let (state, data, trailers) = passed.map_err(|failure| failed(&failure))?;
        self.state = state;
        self.ready.extend(data.into_iter().filter(|data| !data.is_empty()).map(Frame::data));
        self.ready.extend(trailers);
        Poll::Ready(Ok(()))
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
            if this.poll_transforms(cx)?.is_pending() {
                if matches!(this.state, State::Pushing(_))
                    && this.next.is_none()
                    && let Poll::Ready(next) = this.poll_next(cx)?
                {
                    this.next = Some(next);
                }
                return Poll::Pending;
            }
            if let Some(frame) = this.ready.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if !matches!(this.state, State::Idle(_)) {
                return Poll::Ready(None);
            }
            // What is here already may be hundreds of chunks, and nothing comes out of some.
            ready!(turn::poll_proceed(cx));
            let mut trailers = None;
            if this.came.is_empty() {
                match ready!(this.poll_next(cx))?.map(Frame::into_data) {
                    Some(Ok(data)) if data.is_empty() => continue,
                    Some(Ok(data)) => this.came = data,
                    Some(Err(frame)) => trailers = Some(frame),
                    None => {}
                }
            }
            let State::Idle(transforms) = std::mem::replace(&mut this.state, State::Ended) else {
                return Poll::Ready(None);
            };
            this.state = if this.came.is_empty() {
                State::Finishing(Box::pin(finish(transforms)), trailers)
            } else {
                let chunk = this.came.split_to(this.came.len().min(MAX_CHUNK));
                State::Pushing(Box::pin(push(transforms, chunk)))
            };
        }
    }
}

/// The head is gone by now: all that is left is to end the message as broken.
fn failed(failure: &Failure) -> Error {
    let detail = format!("plugin {}: {}", failure.plugin, failure.reason);
    let status = if failure.is_busy() { 503 } else { 500 };
    Error::new(Kind::ProxyInternalError, Side::Plugin, detail).with_status(status)
}

#[cfg(test)]
mod tests;
