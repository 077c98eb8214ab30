//! The connections of one endpoint on one worker.
//!
//! In: requests. Out: responses, each with the [`Lease`] of the connection it arrives on. Never:
//! shared between workers, so there is no lock; never hands out a connection that is known to be
//! closed, or one whose last exchange did not end cleanly.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body::Body as _;
use hyper::client::conn::http2;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::alarm::Alarm;
use super::connector::{Connector, Sender};
use super::http1::{Connection, Tunnel};
use super::message::{Answer, Outgoing};
use super::unanswered::Unanswered;
use crate::config;
use crate::error::{Error, Kind, Result, Side};
use crate::http::hop::Found;
use crate::http::{Body, UploadState};
use crate::telemetry::metrics::{ConnectionState, EndpointMetrics, UpstreamConnectionGuard};

/// HTTP/2 streams on a connection before another one is opened.
const STREAMS_PER_CONNECTION: usize = 100;

/// Connections to one endpoint.
pub struct Pool {
    connector: Connector,
    limits: config::Pool,
    /// The one used last is at the end and is taken first, so that a quiet pool shrinks.
    idle: RefCell<Vec<Idle>>,
    http2: RefCell<Vec<Http2>>,
    /// HTTP/1.1 connections that are open or being opened.
    open: Cell<usize>,
    waiting: RefCell<VecDeque<oneshot::Sender<()>>>,
    /// No request comes here any more.
    retired: Cell<bool>,
    metrics: EndpointMetrics,
}

/// How long to wait for a response's head.
pub struct Patience {
    /// When the request was sent.
    pub sent: Instant,
    /// From the last byte of the request; while its body makes progress the time starts anew, so a
    /// response may take up to twice as long after a long upload.
    pub first_byte: Duration,
    pub upload: Option<Arc<UploadState>>,
}

/// The connection of one exchange. [`Lease::finish`] gives it back; dropping it closes it.
pub struct Lease {
    held: Held,
    /// It was open before this exchange.
    pub reused: bool,
    /// What connecting took, where it was opened for this exchange.
    pub connect: Option<Duration>,
}

enum Held {
    Http1(Option<Box<Http1>>),
    Http2(#[expect(dead_code, reason = "held for its drop")] OpenStream),
}

/// A response's head, or why there is none.
pub type Answered = Result<(Answer, Lease), Box<Unanswered>>;

struct Idle {
    connection: Box<Http1>,
    since: Instant,
}

/// One HTTP/1.1 connection. Dropping it closes it.
struct Http1 {
    connection: Arc<Connection>,
    /// What goes on sending after the response began.
    upload: Option<Upload>,
    slot: Slot,
    guard: UpstreamConnectionGuard,
    /// For the response's head.
    alarm: Alarm,
    served: bool,
}

/// A task that sends what is left of a request. Dropping it ends that at once.
struct Upload(JoinHandle<()>);

/// One HTTP/2 connection and the streams on it that have not ended.
#[derive(Clone)]
struct Http2 {
    sender: http2::SendRequest<Body>,
    streams: Rc<Cell<usize>>,
    tls: bool,
    #[expect(dead_code, reason = "counts the connection until it is dropped")]
    guard: Rc<UpstreamConnectionGuard>,
}

/// A place among the open connections; dropping it gives the place to the next one waiting. The
/// pool holds its idle connections, and they their places: by a strong reference neither would ever
/// go when a reload removes the endpoint.
pub struct Slot(Weak<Pool>);

/// A stream on an HTTP/2 connection; dropping it ends its count.
struct OpenStream(Rc<Cell<usize>>);

impl Pool {
    pub fn new(connector: Connector, limits: config::Pool, metrics: EndpointMetrics) -> Rc<Pool> {
        Rc::new(Pool {
            connector,
            limits,
            idle: RefCell::default(),
            http2: RefCell::default(),
            open: Cell::new(0),
            waiting: RefCell::default(),
            retired: Cell::new(false),
            metrics,
        })
    }

    /// Sends a request on an idle connection, or a new one, and waits for the response's head.
    /// `body` is taken when it is sent, and there again where nothing of it was.
    ///
    /// Cancel safety: a cancelled call closes the connection it had.
    pub async fn send(
        self: &Rc<Self>,
        outgoing: &Outgoing<'_>,
        body: &mut Option<Body>,
        patience: Patience,
    ) -> Answered {
        if let Some(connection) = self.checkout() {
            return connection.exchange(outgoing, body, None, patience).await;
        }
        // Boxed, so that the future of the usual case stays small: it is moved for each request.
        Box::pin(self.send_elsewhere(outgoing, body, patience)).await
    }

    /// On an HTTP/2 connection, or a new one of either kind.
    async fn send_elsewhere(
        self: &Rc<Self>,
        outgoing: &Outgoing<'_>,
        body: &mut Option<Body>,
        patience: Patience,
    ) -> Answered {
        if let Some(connection) = self.checkout_http2() {
            return connection.exchange(outgoing, body, None, patience).await;
        }
        let slot = match self.slot().await {
            Ok(Room::Slot(slot)) => slot,
            Ok(Room::Http1(connection)) => {
                return connection.exchange(outgoing, body, None, patience).await;
            }
            Ok(Room::Http2(connection)) => {
                return connection.exchange(outgoing, body, None, patience).await;
            }
            Err(error) => return Err(Unanswered::connecting(error)),
        };
        let started = Instant::now();
        match self.connector.connect().await {
            Err(error) => Err(Unanswered::connecting(error)),
            Ok(Sender::Http1(connection)) => {
                let took = started.elapsed();
                let guard = self.metrics.connected(took);
                let (alarm, upload, served) = (Alarm::default(), None, false);
                let connection = Box::new(Http1 { connection, upload, slot, guard, alarm, served });
                connection.exchange(outgoing, body, Some(took), patience).await
            }
            Ok(Sender::Http2(sender)) => {
                let took = started.elapsed();
                let guard = Rc::new(self.metrics.connected(took));
                let tls = self.connector.endpoint.tls;
                let connection = Http2 { sender, streams: Rc::default(), tls, guard };
                self.http2.borrow_mut().push(connection.clone());
                // It has room for those that wait, and takes none of HTTP/1.1's.
                drop(slot);
                connection.exchange(outgoing, body, Some(took), patience).await
            }
        }
    }

    /// Closes what is idle for too long or was closed by the endpoint.
    pub fn sweep(&self, now: Instant) {
        let (keep, expired) = self.idle.take().into_iter().partition(|entry: &Idle| {
            entry.connection.connection.is_quiet()
                && now.saturating_duration_since(entry.since) < self.limits.idle_timeout
        });
        self.idle.replace(keep);
        drop(expired);
        self.http2.borrow_mut().retain(|connection| !connection.sender.is_closed());
    }

    /// Closes what is idle, and from now on what is given back: another configuration serves, and
    /// nobody sweeps here.
    pub fn retire(&self) {
        self.retired.set(true);
        drop(self.idle.take());
        drop(self.http2.take());
    }

    /// Idle and open connections, for metrics.
    pub fn counts(&self) -> (usize, usize) {
        (self.idle.borrow().len(), self.open.get() + self.http2.borrow().len())
    }

    fn checkout(&self) -> Option<Box<Http1>> {
        loop {
            let Idle { mut connection, .. } = self.idle.borrow_mut().pop()?;
            if connection.connection.is_quiet() {
                connection.guard.set(ConnectionState::Active);
                return Some(connection);
            }
        }
    }

    fn checkout_http2(&self) -> Option<Http2> {
        let mut connections = self.http2.borrow_mut();
        if connections.is_empty() {
            return None;
        }
        connections.retain(|connection| !connection.sender.is_closed());
        connections
            .iter()
            .filter(|connection| connection.streams.get() < STREAMS_PER_CONNECTION)
            .min_by_key(|connection| connection.streams.get())
            .cloned()
    }

    /// Waits for room for one more connection, or for one that was given back meanwhile.
    async fn slot(self: &Rc<Self>) -> Result<Room> {
        let deadline = tokio::time::Instant::now() + self.connector.timeout;
        while self.open.get() >= self.limits.max_connections {
            let (told, wait) = oneshot::channel();
            self.waiting.borrow_mut().push_back(told);
            let mut turn = Turn { pool: self, wait };
            if tokio::time::timeout_at(deadline, &mut turn.wait).await.is_err() {
                let detail = format!(
                    "all {} connections stayed busy for {:?}",
                    self.limits.max_connections, self.connector.timeout
                );
                let error = Error::new(Kind::ConnectionLimitReached, Side::Upstream, detail);
                return Err(error.unsent());
            }
            if let Some(connection) = self.checkout() {
                return Ok(Room::Http1(connection));
            }
            if let Some(connection) = self.checkout_http2() {
                return Ok(Room::Http2(connection));
            }
        }
        self.open.set(self.open.get() + 1);
        Ok(Room::Slot(Slot(Rc::downgrade(self))))
    }

    fn wake_one(&self) {
        while let Some(waiter) = { self.waiting.borrow_mut().pop_front() } {
            if waiter.send(()).is_ok() {
                return;
            }
        }
    }
}

/// A turn that is waited for; one that came and was not taken passes to the next in line.
struct Turn<'a> {
    pool: &'a Pool,
    wait: oneshot::Receiver<()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.wait.try_recv().is_ok() {
            self.pool.wake_one();
        }
    }
}

enum Room {
    Slot(Slot),
    Http1(Box<Http1>),
    Http2(Http2),
}

impl Http1 {
    async fn exchange(
        mut self: Box<Self>,
        outgoing: &Outgoing<'_>,
        body: &mut Option<Body>,
        connect: Option<Duration>,
        patience: Patience,
    ) -> Answered {
        let reused = std::mem::replace(&mut self.served, true);
        let Some(sending) = body.take() else { return Err(Unanswered::unsent()) };
        let Http1 { connection, alarm, upload, .. } = &mut *self;
        connection.begin(outgoing, sending);
        match patience.wait(alarm, |cx| connection.poll_answer(cx)).await {
            Ok(Ok(answer)) => {
                if !connection.is_sent() {
                    let connection = connection.clone();
                    let rest = async move { connection.upload().await };
                    *upload = Some(Upload(tokio::task::spawn_local(rest)));
                }
                Ok((answer, Lease { held: Held::Http1(Some(self)), reused, connect }))
            }
            Ok(Err(fault)) => {
                let unsent = connection.is_untouched();
                if unsent {
                    *body = connection.take_body();
                }
                let silent = !connection.has_heard();
                Err(Unanswered::faulty(fault, unsent, reused && silent))
            }
            Err(waited) => Err(Unanswered::silent(waited)),
        }
    }

    fn give_back(mut self: Box<Self>, now: Instant) {
        let Some(pool) = self.slot.0.upgrade() else { return };
        let wanted = !pool.retired.get() && pool.idle.borrow().len() < pool.limits.max_idle;
        if !(wanted && self.connection.rest()) {
            return;
        }
        self.upload = None;
        self.guard.set(ConnectionState::Idle);
        pool.idle.borrow_mut().push(Idle { connection: self, since: now });
        pool.wake_one();
    }
}

impl Http2 {
    async fn exchange(
        mut self,
        outgoing: &Outgoing<'_>,
        body: &mut Option<Body>,
        connect: Option<Duration>,
        patience: Patience,
    ) -> Answered {
        let reused = connect.is_none();
        let Some(sending) = body.take() else { return Err(Unanswered::unsent()) };
        let request = outgoing.to_http2(sending, self.tls);
        self.streams.set(self.streams.get() + 1);
        let stream = OpenStream(self.streams.clone());
        // hyper's futures have room for the request: boxed, for those around them are moved.
        let mut sent = Box::pin(self.sender.try_send_request(request));
        match patience.wait(&mut Alarm::default(), |cx| sent.as_mut().poll(cx)).await {
            Ok(Ok(response)) => {
                let (parts, body) = response.into_parts();
                let body = match body.is_end_stream() {
                    true => Body::Empty,
                    false => Body::Incoming(body, Side::Upstream),
                };
                let found = Found::in_response(&parts.headers);
                let answer = Answer { parts, body, found };
                Ok((answer, Lease { held: Held::Http2(stream), reused, connect }))
            }
            Ok(Err(mut failed)) => {
                *body = failed.take_message().map(|request| request.into_body());
                Err(Unanswered::failed(failed.error(), body.is_some(), reused))
            }
            Err(waited) => Err(Unanswered::silent(waited)),
        }
    }
}

impl Patience {
    /// The answer, or how long it was waited for in vain.
    async fn wait<T>(
        &self,
        alarm: &mut Alarm,
        mut answer: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Duration> {
        let mut bytes = self.upload.as_ref().map_or(0, |upload| upload.bytes());
        alarm.set(self.sent + self.first_byte);
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer(cx) {
                return Poll::Ready(Ok(answer));
            }
            while alarm.poll(cx).is_ready() {
                let Some(upload) = &self.upload else {
                    return Poll::Ready(Err(self.first_byte));
                };
                // A client that owes bytes is watched by the body's own idle timeout; an endpoint
                // that takes no more of the body by this one.
                let before = std::mem::replace(&mut bytes, upload.bytes());
                if before == bytes && !upload.is_starved() {
                    return Poll::Ready(Err(self.first_byte));
                }
                alarm.set(Instant::now() + self.first_byte);
            }
            Poll::Pending
        })
        .await
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

    /// The connection became a tunnel (after a 101): it counts as open until the slot is dropped.
    /// `None` where an upload is still under way, or the connection is HTTP/2's.
    pub fn into_tunnel(mut self) -> Option<(Slot, Tunnel)> {
        let Held::Http1(connection) = &mut self.held else { return None };
        let Http1 { connection, slot, .. } = *connection.take()?;
        Some((slot, connection.into_tunnel()?))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(pool) = self.0.upgrade() else { return };
        pool.open.set(pool.open.get().saturating_sub(1));
        pool.wake_one();
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}
