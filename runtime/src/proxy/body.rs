//! Bodies with the proxy's own duties: limits, idle timeouts, counts, and the end of an exchange.
//!
//! In: a request's body from the client, a response's body from the upstream. Out: the same bytes.
//! Never: buffers; a frame is asked for when the other side wants it, which is the back-pressure.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::completion::Completion;
use crate::error::{Error, Kind, Side};
use crate::http::{Body, UploadState};
use crate::net::Activity;

/// The request's body on its way from the client.
pub struct Upload {
    body: Body,
    idle: IdleTimer,
    state: Arc<UploadState>,
    activity: Arc<Activity>,
}

/// The response's body on its way to the client. Its end, or its drop, ends the exchange.
pub struct ResponseBody {
    body: Body,
    /// Made when an endpoint keeps us waiting.
    idle: Option<Box<IdleTimer>>,
    completion: Option<Box<Completion>>,
}

/// A timer that is armed only while the other side keeps us waiting.
struct IdleTimer {
    after: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Upload {
    pub fn new(
        body: Body,
        idle: Duration,
        state: Arc<UploadState>,
        activity: Arc<Activity>,
    ) -> Upload {
        state.begin();
        Upload { body, idle: IdleTimer::new(idle), state, activity }
    }

    fn ended(&self) {
        self.state.end();
        self.activity.end_body();
    }

    fn broken(&self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.state.fail(&error);
        Poll::Ready(Some(Err(error)))
    }

    pub fn into_body(self) -> Body {
        Body::Stream(Box::pin(self))
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
        let frame = match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                this.state.set_starved(true);
                ready!(this.idle.poll(cx));
                let detail = format!("no byte of the body within {:?}", this.idle.after);
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
        }
        // Nothing comes after trailers, and nobody asks.
        if frame.is_trailers() || this.body.is_end_stream() {
            this.ended();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What a client is told whose body is longer than `limit` bytes.
pub fn too_long(limit: u64) -> Error {
    Error::request(413, format!("the body is longer than {limit} bytes"))
}

impl ResponseBody {
    pub fn new(body: Body, completion: Box<Completion>) -> ResponseBody {
        ResponseBody { body, idle: None, completion: Some(completion) }
    }

    /// A body of an exchange that is told of elsewhere.
    pub fn bare(body: Body) -> ResponseBody {
        ResponseBody { body, idle: None, completion: None }
    }

    /// The response's body is through. The connection goes back if the request's is too.
    fn ended(&mut self) {
        if let Some(completion) = self.completion.take() {
            completion.finish();
        }
    }

    /// Nothing came. An endpoint may pause for so long only.
    fn waits(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Some(completion) = self.completion.as_ref().filter(|known| known.lease.is_some())
        else {
            return Poll::Pending;
        };
        let idle = self.idle.get_or_insert_with(|| Box::new(IdleTimer::new(completion.idle)));
        ready!(idle.poll(cx));
        let detail = format!("no byte of the response within {:?}", idle.after);
        Poll::Ready(Error::new(Kind::ConnectionReadTimeout, Side::Upstream, detail))
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        let frame = match Pin::new(&mut this.body).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => Some(Err(ready!(this.waits(cx)))),
        };
        if let Some(idle) = &mut this.idle {
            idle.progress();
        }
        match &frame {
            Some(Ok(frame)) => {
                if let (Some(data), Some(completion)) = (frame.data_ref(), &mut this.completion) {
                    completion.response_bytes += data.len() as u64;
                }
                if this.body.is_end_stream() {
                    this.ended();
                }
            }
            Some(Err(error)) => {
                if let Some(completion) = &mut this.completion {
                    completion.failed(error);
                }
            }
            None => this.ended(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // hyper does not poll a body that says it is at its end, nor the body of a HEAD response.
        if self.body.is_end_stream() {
            self.ended();
        }
    }
}

impl IdleTimer {
    fn new(after: Duration) -> Self {
        IdleTimer { after, sleep: None, armed: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let after = self.after;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
        if !self.armed {
            self.armed = true;
            sleep.as_mut().reset(Instant::now() + after);
        }
        sleep.as_mut().poll(cx)
    }

    fn progress(&mut self) {
        self.armed = false;
    }
}
