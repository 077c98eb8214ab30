//! The connection of one exchange, of either version, from the request to the response's end.
//!
//! In: a connection that the pool hands out, and a request. Out: the response's head with the lease
//! of the connection. Never: gives back a connection whose last exchange did not end cleanly.

use std::any::Any;
use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body::Body as _;
use hyper::client::conn::http2::SendRequest;
use tokio::task::JoinHandle;
use weir_core::clock;
use weir_core::http::{Body, Pause, Received, UploadState};
use weir_core::telemetry::metrics::{ConnectionState, UpstreamConnectionGuard};
use weir_core::turns;

use super::alarm::Alarm;
use super::attempt::Attempt;
use super::attempt_error::AttemptError;
use super::executor::{Executor, Sent, Whose};
use super::http1::{Codec, Fault, Tunnel};
use super::http2;
use super::message::Answer;
use super::queue::{Claim, Place};
use crate::net::Stall;

/// The connection of one exchange. [`Lease::finish`] gives it back; dropping it closes it.
pub struct Lease {
    held: Held,
    /// Behind the connection: whoever gets it next finds that one.
    place: Place,
    /// It was open before this exchange.
    pub reused: bool,
    /// What connecting took, where it was opened for this exchange.
    pub connect: Option<Duration>,
}

enum Held {
    Http1(Option<Box<Http1>>),
    Http2(#[expect(dead_code, reason = "counts the stream until it is dropped")] Rc<OpenStream>),
}

/// A response's head, or why there is none.
pub type Answered = Result<(Answer, Lease), Box<AttemptError>>;

/// One HTTP/1.1 connection. Dropping it closes it.
pub struct Http1 {
    connection: Arc<Codec>,
    /// What goes on sending after the response began.
    upload: Option<Rest>,
    slot: Slot,
    guard: UpstreamConnectionGuard,
    /// For the response's head.
    alarm: Alarm,
    served: bool,
}

/// A task that sends what is left of a request. Dropping it ends that at once.
struct Rest(JoinHandle<()>);

/// One HTTP/2 connection. Clones share it; the last one closes it, once its streams have ended.
#[derive(Clone)]
pub struct Http2 {
    sender: SendRequest<Sent>,
    shared: Rc<Shared>,
}

/// What the streams of an HTTP/2 connection share.
struct Shared {
    executor: Executor,
    /// Streams that have not ended.
    streams: Cell<usize>,
    /// Since when there is none, as a sweep found it.
    idle: Cell<Option<Instant>>,
    opened: Instant,
    /// When it was first found to be over.
    ended: Cell<Option<Instant>>,
    stall: Arc<Stall>,
    tls: bool,
    slot: Slot,
    #[expect(dead_code, reason = "counts the connection until it is dropped")]
    guard: UpstreamConnectionGuard,
}

/// Where a connection comes from, and goes back to: its pool.
pub trait Home {
    /// Whether a connection that is through with its exchange is to be kept.
    fn wants_back(&self) -> bool;
    /// A connection is through with its exchange.
    fn take_back(&self, connection: Box<Http1>, now: Instant);
    /// A connection was closed.
    fn closed(&self);
    /// A request that has a place may look for a connection again.
    fn has_room(&self);
    /// From now on it has to give way while nothing comes, where its client has more than his share.
    fn may_give_way(&self, pending: &Arc<UploadState>, claim: &Rc<Claim>);
}

/// One of the connections that may be open, until it is dropped. The
/// pool holds its idle connections, and they their places: by a strong reference neither would ever
/// go when a reload removes the endpoint.
pub struct Slot(Weak<dyn Home>);

/// The place of a connection that became a tunnel.
pub struct TunnelPlace {
    slot: Slot,
    place: Place,
    _guard: UpstreamConnectionGuard,
}

/// A stream on an HTTP/2 connection; dropping it makes room for another one.
struct OpenStream(Rc<Shared>);

impl Slot {
    pub(super) fn of(home: Rc<dyn Home>) -> Slot {
        Slot(Rc::downgrade(&home))
    }
}

impl TunnelPlace {
    /// One side has closed: it gives way to others while nothing comes.
    pub fn may_give_way(&self, pending: &Arc<UploadState>) {
        if let Some(pool) = self.slot.0.upgrade() {
            pool.may_give_way(pending, self.place.claim());
        }
    }
}

impl Http1 {
    pub(super) fn new(
        connection: Arc<Codec>,
        slot: Slot,
        guard: UpstreamConnectionGuard,
    ) -> Box<Http1> {
        let (alarm, upload, served) = (Alarm::default(), None, false);
        Box::new(Http1 { connection, upload, slot, guard, alarm, served })
    }

    /// See [`Codec::is_quiet`].
    pub(super) fn is_quiet(&self) -> bool {
        self.connection.is_quiet()
    }

    pub(super) fn set(&mut self, state: ConnectionState) {
        self.guard.set(state);
    }

    pub(super) async fn exchange(
        mut self: Box<Self>,
        attempt: &Attempt<'_>,
        body: &mut Option<Body>,
        place: Place,
        connect: Option<Duration>,
    ) -> Answered {
        let reused = std::mem::replace(&mut self.served, true);
        let Some(sending) = body.take() else { return Err(AttemptError::unsent()) };
        let Http1 { connection, alarm, upload, .. } = &mut *self;
        connection.begin(&attempt.outgoing, sending);
        // Left where it stays: an answer is large, and each hand that it passes would copy it.
        let mut answer = None;
        match attempt.timeout.wait(alarm, |cx| connection.poll_answer(&mut answer, cx)).await {
            Ok(Ok(())) => {
                let Some(answer) = answer else {
                    return Err(AttemptError::faulty(Fault::Closed, false, reused, false));
                };
                if !connection.is_sent() {
                    let connection = connection.clone();
                    let rest = async move { connection.upload().await };
                    *upload = Some(Rest(turns::spawn_of(attempt.client.flow(), rest)));
                }
                Ok((answer, Lease { held: Held::Http1(Some(self)), place, reused, connect }))
            }
            Ok(Err(fault)) => {
                let unsent = connection.is_untouched();
                if unsent {
                    *body = connection.take_body();
                }
                Err(AttemptError::faulty(fault, unsent, reused, !connection.has_heard()))
            }
            Err(waited) => Err(AttemptError::silent(waited)),
        }
    }

    fn give_back(mut self: Box<Self>, now: Instant) {
        let Some(pool) = self.slot.0.upgrade() else { return };
        if pool.wants_back() && self.connection.rest() {
            self.upload = None;
            self.guard.set(ConnectionState::Idle);
            pool.take_back(self, now);
        }
    }
}

impl Http2 {
    pub(super) fn new(
        sender: SendRequest<Sent>,
        executor: Executor,
        stall: Arc<Stall>,
        tls: bool,
        slot: Slot,
        guard: UpstreamConnectionGuard,
    ) -> Http2 {
        let (streams, idle, ended) = Default::default();
        let opened = clock::now();
        let shared = Shared { executor, streams, idle, opened, ended, stall, tls, slot, guard };
        Http2 { sender, shared: Rc::new(shared) }
    }

    /// Whether it was opened after that.
    pub(super) fn is_fresh(&self, after: Instant) -> bool {
        self.shared.opened > after
    }

    /// For how long the endpoint has taken nothing, where that is a while: what comes next would wait
    /// behind all that was sent.
    pub(super) fn stalled(&self) -> Option<Duration> {
        self.shared.stall.lasts(clock::now)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Streams that the endpoint allows.
    pub(super) fn limit(&self) -> usize {
        self.shared.executor.limit().now()
    }

    /// Streams that have not ended.
    pub(super) fn streams(&self) -> usize {
        self.shared.streams.get()
    }

    /// Whether the endpoint allows one more stream. Its limit may be lower than before.
    pub(super) fn has_room(&self, most: usize) -> bool {
        self.streams() < most.min(self.shared.executor.limit().now())
    }

    /// Whether it has served nobody for so long, or may never serve anybody again.
    pub(super) fn is_useless(&self, now: Instant, after: Duration) -> bool {
        if self.streams() > 0 {
            self.shared.idle.set(None);
            return false;
        }
        let since = self.shared.idle.get().unwrap_or(now);
        self.shared.idle.set(Some(since));
        self.shared.executor.limit().now() == 0 || now.saturating_duration_since(since) >= after
    }

    pub(super) async fn exchange(
        mut self,
        attempt: &Attempt<'_>,
        body: &mut Option<Body>,
        place: Place,
        connect: Option<Duration>,
    ) -> Answered {
        // Who met a stale connection took one that was opened since.
        let is_fresh = attempt.opened_after.is_some_and(|then| self.is_fresh(then));
        let reused = connect.is_none() && !is_fresh;
        let Some(sending) = body.take() else { return Err(AttemptError::unsent()) };
        let stream = Rc::new(OpenStream::new(&self.shared));
        let keeps: Rc<dyn Any> = stream.clone();
        let whose = Whose { flow: attempt.client.flow(), keeps: Rc::downgrade(&keeps) };
        let sending = self.shared.executor.body(sending, Some(whose));
        let request = attempt.outgoing.to_http2(sending, self.shared.tls);
        // hyper's futures have room for the request: boxed, for those around them are moved.
        let mut sent = Box::pin(self.sender.try_send_request(request));
        match attempt.timeout.wait(&mut Alarm::default(), |cx| sent.as_mut().poll(cx)).await {
            Ok(Ok(response)) => {
                let (mut parts, body) = response.into_parts();
                let to_head = attempt.outgoing.head.method == http::Method::HEAD;
                let found = match http2::accept(&mut parts, to_head) {
                    Ok(found) => found,
                    Err(fault) => return Err(AttemptError::faulty(fault, false, reused, false)),
                };
                let body = match body.is_end_stream() {
                    true => Body::Empty,
                    false => Body::Received(Received::http2(body)),
                };
                let answer = Answer { parts, body, found };
                Ok((answer, Lease { held: Held::Http2(stream), place, reused, connect }))
            }
            Ok(Err(mut failed)) => {
                *body = failed.take_message().map(|request| request.into_body().into_body());
                let now = clock::now();
                let over = self.sender.is_closed().then(|| self.shared.ended.get().unwrap_or(now));
                self.shared.ended.set(over);
                Err(AttemptError::failed(failed.into_error(), body.is_some(), reused, over))
            }
            Err(waited) => Err(AttemptError::silent(waited)),
        }
    }
}

impl Lease {
    /// The exchange ended cleanly: both bodies were carried to their end.
    pub fn finish(mut self, now: Instant) {
        if let Held::Http1(connection) = &mut self.held
            && let Some(connection) = connection.take()
        {
            connection.give_back(now);
        }
    }

    /// Whether the exchange has to give way to somebody who waits for its place; then it counts as gone.
    pub fn gives_way(&self, pause: Pause) -> bool {
        let claim = self.place.claim();
        claim.queue.takes_from(claim, pause)
    }

    /// The connection became a tunnel (after a 101): it counts as open and active until its place is
    /// dropped. `None` where an upload is still under way, or the connection is HTTP/2's.
    pub fn into_tunnel(self) -> Option<(TunnelPlace, Tunnel)> {
        let Lease { held: Held::Http1(Some(connection)), place, .. } = self else { return None };
        let Http1 { connection, slot, guard, .. } = *connection;
        Some((TunnelPlace { slot, place, _guard: guard }, connection.into_tunnel()?))
    }
}

impl OpenStream {
    fn new(shared: &Rc<Shared>) -> OpenStream {
        shared.streams.set(shared.streams.get() + 1);
        OpenStream(shared.clone())
    }
}

impl Drop for Rest {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(pool) = self.0.upgrade() {
            pool.closed();
        }
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get().saturating_sub(1));
        if let Some(pool) = self.0.slot.0.upgrade() {
            pool.has_room();
        }
    }
}
