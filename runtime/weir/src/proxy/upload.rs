//! The request's body on its way from the client: limits, idle time, pace, and a count.
//!
//! In: the body as hyper reads it. Out: the same bytes, or why they cannot go on: too many, too few
//! in their time, or a client that broke its framing. Never: buffers, but for small frames that come
//! together; a frame is asked for when the endpoint wants it, which is the back-pressure.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use weir_core::clock;
use weir_core::config::Limits;
use weir_core::error::Error;
use weir_core::http::merging::{Grace, Merging};
use weir_core::http::trailer::Withheld;
use weir_core::http::{Body, IdleTimer, Pace, UploadState};
use weir_core::turn;

use crate::net::{Activity, LINGER_BYTES, LINGER_TIME};

/// The request's body on its way from the client.
pub struct Upload {
    body: Body,
    merging: Merging,
    idle: IdleTimer,
    /// `None`: it may be as slow as it likes.
    pace: Option<Pace>,
    /// Since when the client is waited for.
    waits: Option<Instant>,
    /// What does not come behind it.
    withheld: Withheld,
    state: Arc<UploadState>,
    activity: Arc<Activity>,
}

impl Upload {
    pub fn new(
        body: Body,
        grpc: bool,
        limits: &Limits,
        idle: Duration,
        withheld: Withheld,
        state: Arc<UploadState>,
        activity: Arc<Activity>,
    ) -> Upload {
        state.begin();
        state.least(if grpc { 0 } else { limits.min_body_rate });
        let bounded = limits.min_body_rate > 0 && !grpc;
        let pace = bounded.then(|| Pace::new(limits.min_body_rate, limits.min_body_rate_window));
        let idle = IdleTimer::new(idle);
        if activity.is_multiplexed() {
            activity.begin_upload();
        }
        let merging = Merging::default();
        Upload { body, merging, idle, pace, waits: None, withheld, state, activity }
    }

    pub fn into_body(self) -> Body {
        Body::Stream(Box::pin(self))
    }

    fn ended(&self) {
        self.state.end();
        self.activity.end_body();
    }

    fn broken(&self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.state.fail(&error);
        Poll::Ready(Some(Err(error)))
    }

    /// Bytes came, and were waited for. Whether they come fast enough.
    fn keeps_pace(&mut self, bytes: usize) -> bool {
        let Some(pace) = &mut self.pace else { return true };
        let waited = self.waits.take().map_or_else(Default::default, clock::since);
        // Whoever answers while it still listens has a conversation, which may have pauses.
        pace.came(waited, bytes as u64) || self.state.is_answered()
    }
}

impl HttpBody for Upload {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let frame = match this.merging.poll_frame(&mut this.body, Grace::Turn, cx) {
            Poll::Ready(frame) => frame,
            // It is this side that has no time now, whatever the client sent.
            Poll::Pending if turn::is_over() => return Poll::Pending,
            Poll::Pending => {
                this.state.set_starved(true);
                if this.state.has_to_give_way() {
                    let detail = "no byte of the body came, and others waited for its connection";
                    return this.broken(Error::request(408, detail));
                }
                this.state.read_by(cx.waker());
                if this.pace.is_some() {
                    this.waits.get_or_insert_with(clock::now);
                }
                ready!(this.idle.poll(cx));
                let detail = format!("no byte of the body within {:?}", this.idle.after());
                return this.broken(Error::request(408, detail));
            }
        };
        this.state.set_starved(false);
        this.idle.progress();
        let frame = match frame {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return this.broken(error),
            None => {
                this.ended();
                return Poll::Ready(None);
            }
        };
        if let Some(data) = frame.data_ref() {
            let sum = this.state.add(data.len() as u64);
            if let Some(limit) = this.state.exceeded_by(sum) {
                return this.broken(too_long(limit));
            }
            if !this.keeps_pace(data.len()) {
                let detail = "the body comes too slowly: see the listener's min_body_rate";
                return this.broken(Error::request(408, detail));
            }
        }
        // Nothing comes after trailers, and nobody asks.
        if frame.is_trailers() || this.is_end_stream() {
            this.ended();
        }
        if !frame.is_trailers() {
            return Poll::Ready(Some(Ok(frame)));
        }
        match this.withheld.filter(frame) {
            Ok(frame) => Poll::Ready(Some(Ok(frame))),
            Err(why) => this.broken(Error::request(400, why)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream() && self.merging.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream is reset once nobody has its body any more. A reset that comes with the answer's last
/// byte makes clients forget the answer (they should not: RFC 9113, 8.1): first the rest is discarded
/// for a moment.
impl Drop for Upload {
    fn drop(&mut self) {
        if !self.activity.is_multiplexed() {
            return;
        }
        self.activity.end_upload();
        self.state.set_starved(false);
        if self.state.is_pending()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(discard(std::mem::take(&mut self.body), self.state.clone()));
        }
    }
}

/// Reads and drops a body until its exchange is over, and a moment longer. No more than its client
/// may send over HTTP/1.1 after an answer; from then on nothing is granted to it.
async fn discard(mut body: Body, state: Arc<UploadState>) {
    let mut left = LINGER_BYTES;
    let mut read = |cx: &mut Context<'_>| {
        while left > 0 {
            match ready!(Pin::new(&mut body).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                }
                Some(Err(_)) | None => return Poll::Ready(()),
            }
        }
        Poll::Pending
    };
    let ended = poll_fn(|cx| {
        state.read_by(cx.waker());
        let ended = read(cx).map(|()| true);
        if ended.is_pending() && state.is_over() { Poll::Ready(false) } else { ended }
    });
    if !ended.await {
        let _ = tokio::time::timeout(LINGER_TIME, poll_fn(read)).await;
    }
}

/// What a client is told whose body is longer than `limit` bytes.
pub fn too_long(limit: u64) -> Error {
    Error::request(413, format!("the body is longer than {limit} bytes"))
}
