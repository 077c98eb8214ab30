//! The response's body on its way to the client. Its end, or its drop, ends the exchange.
//!
//! In: the body of an endpoint, a plugin or the proxy. Out: the same frames, in pieces that the
//! client's protocol sends at once. Never: lets a client that takes nothing keep an endpoint's
//! connection: see [`super::stalled`]. Never: cuts off what came before a body broke.
//!
//! Most bodies are one frame. What is not over with its first one is shared with the worker's sweep.

use std::cell::RefCell;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::coop::unconstrained;
use weir_core::error::{Error, Kind, Side};
use weir_core::http::{Body, Pause, grpc};
use weir_core::turn;

use super::ahead::Ahead;
use super::completion::Completion;
use super::stalled::{MayStall, Progress};

/// Most bytes of a frame that an HTTP/2 stream is given at once: what it may send in a DATA frame
/// (RFC 9113, 4.2). What is given is kept until the client's windows let it go.
const PIECE: usize = 16 << 10;

/// The response's body, as hyper polls it.
pub struct ResponseBody(Place);

enum Place {
    Own(Body, Option<Box<Completion>>),
    Shared(Rc<RefCell<Download>>),
}

/// A body that is not over with its first frame.
pub struct Download {
    body: Body,
    /// Gone with the last frame.
    completion: Option<Box<Completion>>,
    /// What was read and not taken.
    ahead: Ahead,
    /// Its bytes, as far as the bounds on reading ahead count them.
    held: usize,
    /// What is left of a frame that was too large.
    rest: Bytes,
    /// Why there will be no end.
    broken: Option<Error>,
    /// The flushes of the connection when the last frame was taken.
    flushes: u32,
    /// When the client was given what it has not taken yet; `None`: it waits for us.
    given: Option<Instant>,
}

impl ResponseBody {
    pub fn new(body: Body, mut completion: Box<Completion>) -> ResponseBody {
        completion.flushes = completion.connection.activity.flushes();
        ResponseBody(Place::Own(body, Some(completion)))
    }

    /// A body of an exchange that is told of elsewhere.
    pub fn bare(body: Body) -> ResponseBody {
        ResponseBody(Place::Own(body, None))
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
        let (body, place) = match &mut this.0 {
            Place::Shared(download) => return download.borrow_mut().poll_frame(cx),
            Place::Own(body, completion) => (body, completion),
        };
        let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
        let Some(mut completion) = place.take() else { return Poll::Ready(frame) };
        let ends = body.is_end_stream();
        match &frame {
            None => completion.finish(),
            Some(Ok(frame)) if ends && length(frame) <= piece(&completion) => {
                completion.facts.response_bytes += length(frame) as u64;
                completion.finish();
            }
            _ => {
                let stalled = completion.worker.stalled.clone();
                let mut download = Download::new(std::mem::take(body), completion);
                download.begin(frame);
                let download = stalled.watch(download);
                this.0 = Place::Shared(download.clone());
                return download.borrow_mut().poll_frame(cx);
            }
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Place::Own(body, _) => body.is_end_stream(),
            Place::Shared(download) => download.borrow().is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Place::Own(body, _) => body.size_hint(),
            // Asked for before the first frame only.
            Place::Shared(_) => SizeHint::new(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // hyper does not poll a body that says it is at its end, nor the body of a HEAD response.
        if let Place::Own(body, completion) = &mut self.0
            && body.is_end_stream()
            && let Some(completion) = completion.take()
        {
            completion.finish();
        }
    }
}

impl Download {
    fn new(body: Body, completion: Box<Completion>) -> Download {
        Download {
            // The head went out with a flush of its own.
            flushes: completion.flushes,
            body,
            completion: Some(completion),
            ahead: Ahead::default(),
            held: 0,
            rest: Bytes::new(),
            broken: None,
            given: None,
        }
    }

    /// Takes the first frame, or why there is none.
    fn begin(&mut self, frame: Option<Result<Frame<Bytes>, Error>>) {
        match frame {
            Some(Ok(frame)) => self.ahead = Ahead::next(frame),
            Some(Err(error)) => self.fail(error),
            None => {}
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.given = None;
        let Some(frame) = ready!(self.next(cx)) else {
            self.finish();
            return Poll::Ready(None);
        };
        let frame = frame.map(|frame| self.piece_of(frame));
        // The endpoint's connection goes back before the client has taken everything.
        self.release();
        if let (Ok(frame), Some(completion)) = (&frame, &mut self.completion) {
            completion.facts.response_bytes += length(frame) as u64;
            self.flushes = completion.connection.activity.flushes();
            self.given = Some(completion.worker.stalled.now());
        }
        if self.is_over() {
            self.finish();
        }
        Poll::Ready(Some(frame))
    }

    /// What is taken next: what was read before, then what comes.
    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(std::mem::take(&mut self.rest)))));
        }
        if let Some((frame, cost)) = self.ahead.pop() {
            self.unhold(cost);
            return Poll::Ready(Some(Ok(frame)));
        }
        if self.broken.is_none() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Err(error)) => {
                    self.fail(error);
                    if let Some((trailers, _)) = self.ahead.pop() {
                        return Poll::Ready(Some(Ok(trailers)));
                    }
                }
                other => return Poll::Ready(other),
            }
        }
        ready!(self.poll_flushed(cx));
        Poll::Ready(self.broken.clone().map(Err))
    }

    /// An error makes hyper drop what it has not written yet, the head included: first all of that
    /// goes out. (RFC 9112, 8: a client may use what came of an incomplete message.)
    fn poll_flushed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(completion) = &self.completion else { return Poll::Ready(()) };
        let activity = &completion.connection.activity;
        if activity.flushes() != self.flushes {
            return Poll::Ready(());
        }
        activity.await_flush(cx.waker());
        Poll::Pending
    }

    /// As much of a frame as is sent at once.
    fn piece_of(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let most = self.completion.as_deref().map_or(usize::MAX, piece);
        if length(&frame) <= most {
            return frame;
        }
        frame.map_data(|mut data| {
            let piece = data.split_to(most);
            self.rest = data;
            piece
        })
    }

    /// Nothing is left to be taken.
    fn is_over(&self) -> bool {
        self.rest.is_empty()
            && self.ahead.is_empty()
            && self.broken.is_none()
            && self.body.is_end_stream()
    }

    /// The endpoint's connection goes back once its body is read.
    fn release(&mut self) {
        if let Some(completion) = &mut self.completion
            && completion.lease.is_some()
            && self.body.is_end_stream()
        {
            completion.release();
        }
    }

    fn finish(&mut self) {
        self.given = None;
        if let Some(completion) = self.completion.take() {
            completion.finish();
        }
    }

    fn fail(&mut self, error: Error) {
        if let Some(completion) = &mut self.completion {
            completion.failed(&error);
        }
        self.body = Body::Empty;
        match self.completion.as_ref().and_then(|completion| status_of_call(completion, &error)) {
            Some(trailers) => drop(self.ahead.push(Frame::trailers(trailers))),
            None => self.broken = Some(error),
        }
    }

    fn hold(&mut self, bytes: usize) {
        if let Some(completion) = &self.completion {
            self.held += bytes;
            completion.connection.ahead.take(bytes);
            completion.worker.stalled.ahead.take(bytes);
        }
    }

    fn unhold(&mut self, bytes: usize) {
        let bytes = bytes.min(self.held);
        self.held -= bytes;
        if let Some(completion) = &self.completion {
            completion.connection.ahead.give_back(bytes);
            completion.worker.stalled.ahead.give_back(bytes);
        }
    }
}

impl MayStall for Download {
    fn stalled_since(&self) -> Option<Instant> {
        self.given
    }

    fn patience(&self) -> Duration {
        let completion = self.completion.as_ref();
        completion.map_or_else(Default::default, |known| known.connection.activity.body_timeout())
    }

    fn gives_way(&self, pause: Pause) -> bool {
        let completion = self.completion.as_ref();
        let lease = completion.and_then(|completion| completion.lease.as_ref());
        lease.is_some_and(|lease| lease.gives_way(pause))
    }

    fn cut(&mut self, why: String) {
        self.rest = Bytes::new();
        self.ahead = Ahead::default();
        self.unhold(self.held);
        self.given = None;
        self.fail(Error::new(Kind::ConnectionWriteTimeout, Side::Downstream, why));
        if let Some(completion) = &self.completion {
            completion.cut();
        }
    }

    fn may_read_ahead(&self) -> bool {
        let Some(completion) = &self.completion else { return false };
        let fits = match &self.body {
            Body::Received(body) => {
                body.left().is_none_or(|left| left <= completion.room_ahead() as u64)
            }
            _ => false,
        };
        fits && completion.lease.is_some() && completion.room_ahead() > 0
    }

    fn is_dear_to_keep(&self) -> bool {
        match &self.body {
            Body::Received(body) => body.is_dear_to_keep() && !self.may_read_ahead(),
            _ => false,
        }
    }

    fn read_ahead(&mut self) -> Progress {
        while self.given.is_some() && self.may_read_ahead() {
            // Whoever takes the next frame asks again, and is woken then.
            let body = &mut self.body;
            let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
            let mut cx = Context::from_waker(Waker::noop());
            match pin!(unconstrained(frame)).poll(&mut cx) {
                Poll::Pending if turn::is_over() => return Progress::More,
                Poll::Pending => return Progress::Nothing,
                Poll::Ready(Some(Err(error))) => self.fail(error),
                Poll::Ready(None) => self.release(),
                Poll::Ready(Some(Ok(frame))) => {
                    let cost = self.ahead.push(frame);
                    self.hold(cost);
                    self.release();
                    if turn::poll_proceed(&mut cx).is_pending() {
                        return Progress::More;
                    }
                }
            }
        }
        Progress::Nothing
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        self.unhold(self.held);
    }
}

/// How a gRPC call ends whose time was over within its answer, where its client takes trailers.
fn status_of_call(completion: &Completion, error: &Error) -> Option<HeaderMap> {
    let is_late = matches!(error.kind, Kind::ConnectionReadTimeout | Kind::HttpResponseTimeout);
    let is_told = completion.asked.grpc && completion.connection.activity.is_multiplexed();
    (is_late && is_told && error.side == Side::Upstream)
        .then(|| HeaderMap::from_iter([(grpc::STATUS, grpc::DEADLINE_EXCEEDED.into())]))
}

/// Most bytes of a frame for this client.
fn piece(completion: &Completion) -> usize {
    if completion.connection.activity.is_multiplexed() { PIECE } else { usize::MAX }
}

fn length(frame: &Frame<Bytes>) -> usize {
    frame.data_ref().map_or(0, Bytes::len)
}
