//! The connections of one endpoint on one worker.
//!
//! In: requests. Out: responses, each with the [`Lease`] of the connection it arrives on. Never:
//! shared between workers, so there is no lock; never hands out a connection that is known to be
//! closed, or one whose last exchange did not end cleanly.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::alarm::Alarm;
use super::connector::{Connector, Sender};
use super::heard::Heard;
use super::unanswered::Unanswered;
use crate::config;
use crate::error::{Error, Kind, Result, Side};
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
pub type Answered = Result<(Response<Incoming>, Lease), Box<Unanswered>>;

struct Idle {
    connection: Box<Http1>,
    since: Instant,
}

/// One HTTP/1.1 connection. Dropping it closes it.
struct Http1 {
    sender: http1::SendRequest<Body>,
    driver: Driver,
    heard: Heard,
    slot: Slot,
    guard: UpstreamConnectionGuard,
    /// For the response's head.
    alarm: Alarm,
    served: bool,
}

/// The task that moves a connection's bytes. Dropping it ends the connection at once: an upload
/// that an early response cut short would otherwise neither end nor close (hyper#4176).
struct Driver(Option<JoinHandle<()>>);

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
            metrics,
        })
    }

    /// Sends a request on an idle connection, or a new one, and waits for the response's head.
    /// `request` is taken when it is sent, and there again where nothing of it was.
    ///
    /// Cancel safety: a cancelled call closes the connection it had.
    pub async fn send(
        self: &Rc<Self>,
        request: &mut Option<Box<Request<Body>>>,
        patience: Patience,
    ) -> Answered {
        if let Some(connection) = self.checkout().await {
            return connection.exchange(request, None, patience).await;
        }
        // Boxed, so that the future of the usual case stays small: it is moved for each request.
        Box::pin(self.send_elsewhere(request, patience)).await
    }

    /// On an HTTP/2 connection, or a new one of either kind.
    async fn send_elsewhere(
        self: &Rc<Self>,
        request: &mut Option<Box<Request<Body>>>,
        patience: Patience,
    ) -> Answered {
        if let Some(connection) = self.checkout_http2() {
            return connection.exchange(request, None, patience).await;
        }
        let slot = match self.slot().await {
            Ok(Room::Slot(slot)) => slot,
            Ok(Room::Connection(connection)) => {
                return connection.exchange(request, None, patience).await;
            }
            Err(error) => return Err(Unanswered::connecting(error)),
        };
        let started = Instant::now();
        match self.connector.connect().await {
            Err(error) => Err(Unanswered::connecting(error)),
            Ok(Sender::Http1 { sender, driver, heard }) => {
                let took = started.elapsed();
                let guard = self.metrics.connected(took);
                let driver = Driver(Some(driver));
                let alarm = Alarm::default();
                let served = false;
                let connection =
                    Box::new(Http1 { sender, driver, heard, slot, guard, alarm, served });
                connection.exchange(request, Some(took), patience).await
            }
            Ok(Sender::Http2(sender)) => {
                let took = started.elapsed();
                let guard = Rc::new(self.metrics.connected(took));
                let tls = self.connector.endpoint.tls;
                let connection = Http2 { sender, streams: Rc::default(), tls, guard };
                self.http2.borrow_mut().push(connection.clone());
                connection.exchange(request, Some(took), patience).await
            }
        }
    }

    /// Closes what is idle for too long or was closed by the endpoint.
    pub fn sweep(&self, now: Instant) {
        let (keep, expired) = self.idle.take().into_iter().partition(|entry: &Idle| {
            !entry.connection.sender.is_closed()
                && now.saturating_duration_since(entry.since) < self.limits.idle_timeout
        });
        self.idle.replace(keep);
        drop(expired);
        self.http2.borrow_mut().retain(|connection| !connection.sender.is_closed());
    }

    /// Idle and open connections, for metrics.
    pub fn counts(&self) -> (usize, usize) {
        (self.idle.borrow().len(), self.open.get() + self.http2.borrow().len())
    }

    async fn checkout(&self) -> Option<Box<Http1>> {
        loop {
            let Idle { mut connection, .. } = self.idle.borrow_mut().pop()?;
            // The driver may not have come round to ask for more since the last response ended,
            // or may be about to notice that the endpoint closes.
            let usable = connection.sender.is_ready()
                || (!connection.sender.is_closed() && connection.sender.ready().await.is_ok());
            if usable {
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
            if tokio::time::timeout_at(deadline, wait).await.is_err() {
                let detail = format!(
                    "all {} connections stayed busy for {:?}",
                    self.limits.max_connections, self.connector.timeout
                );
                let error = Error::new(Kind::ConnectionLimitReached, Side::Upstream, detail);
                return Err(error.unsent());
            }
            if let Some(connection) = self.checkout().await {
                return Ok(Room::Connection(connection));
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

enum Room {
    Slot(Slot),
    Connection(Box<Http1>),
}

impl Http1 {
    async fn exchange(
        mut self: Box<Self>,
        request: &mut Option<Box<Request<Body>>>,
        connect: Option<Duration>,
        patience: Patience,
    ) -> Answered {
        let reused = std::mem::replace(&mut self.served, true);
        let before = self.heard.bytes();
        let Some(sending) = request.take() else { return Err(Unanswered::unsent()) };
        let Http1 { sender, alarm, .. } = &mut *self;
        // hyper's futures have room for the request: boxed, for those around them are moved.
        // A body that can be made anew need not come back, and its answer takes less room.
        let answered = if sending.body().is_replayable() {
            let mut sent = Box::pin(sender.send_request(*sending));
            patience.wait(alarm, sent.as_mut()).await
        } else {
            let mut sent = Box::pin(sender.try_send_request(*sending));
            let answered = patience.wait(alarm, sent.as_mut()).await;
            answered.map(|answer| {
                answer.map_err(|mut failed| {
                    *request = failed.take_message().map(Box::new);
                    failed.into_error()
                })
            })
        };
        match answered {
            Ok(Ok(response)) => {
                Ok((response, Lease { held: Held::Http1(Some(self)), reused, connect }))
            }
            Ok(Err(error)) => {
                let silent = self.heard.bytes() == before;
                // Canceled is hyper's word for a request that it had not begun to send.
                Err(Unanswered::failed(&error, error.is_canceled(), reused && silent))
            }
            Err(waited) => Err(Unanswered::silent(waited)),
        }
    }

    fn give_back(mut self: Box<Self>, now: Instant) {
        let Some(pool) = self.slot.0.upgrade() else { return };
        if self.sender.is_closed() || pool.idle.borrow().len() >= pool.limits.max_idle {
            return;
        }
        self.guard.set(ConnectionState::Idle);
        pool.idle.borrow_mut().push(Idle { connection: self, since: now });
        pool.wake_one();
    }
}

impl Http2 {
    async fn exchange(
        mut self,
        request: &mut Option<Box<Request<Body>>>,
        connect: Option<Duration>,
        patience: Patience,
    ) -> Answered {
        let reused = connect.is_none();
        let Some(mut sending) = request.take() else { return Err(Unanswered::unsent()) };
        absolute(&mut sending, self.tls);
        self.streams.set(self.streams.get() + 1);
        let stream = OpenStream(self.streams.clone());
        let mut sent = Box::pin(self.sender.try_send_request(*sending));
        match patience.wait(&mut Alarm::default(), sent.as_mut()).await {
            Ok(Ok(response)) => {
                Ok((response, Lease { held: Held::Http2(stream), reused, connect }))
            }
            Ok(Err(mut failed)) => {
                *request = failed.take_message().map(Box::new);
                Err(Unanswered::failed(failed.error(), request.is_some(), reused))
            }
            Err(waited) => Err(Unanswered::silent(waited)),
        }
    }
}

impl Patience {
    /// The answer, or how long it was waited for in vain.
    async fn wait<F: Future>(
        &self,
        alarm: &mut Alarm,
        mut sent: Pin<&mut F>,
    ) -> Result<F::Output, Duration> {
        let mut bytes = self.upload.as_ref().map_or(0, |upload| upload.bytes());
        alarm.set(self.sent + self.first_byte);
        poll_fn(|cx| {
            if let Poll::Ready(answer) = sent.as_mut().poll(cx) {
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

/// HTTP/2 has the authority in a pseudo-field (RFC 9113, 8.3.1), which hyper takes from the URI.
pub(super) fn absolute(request: &mut Request<Body>, tls: bool) {
    let Some(host) = request.headers_mut().remove(http::header::HOST) else { return };
    let mut uri = request.uri().clone().into_parts();
    uri.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
    uri.authority = Authority::try_from(host.as_bytes()).ok();
    if let Ok(uri) = Uri::from_parts(uri) {
        *request.uri_mut() = uri;
    }
    *request.version_mut() = Version::HTTP_2;
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

    /// The connection became a tunnel (after a 101): it counts as open until the slot is dropped,
    /// and its driver goes on until hyper hands the stream over.
    pub fn into_tunnel(mut self) -> Option<Slot> {
        let Held::Http1(connection) = &mut self.held else { return None };
        let Http1 { driver, slot, .. } = *connection.take()?;
        driver.detach();
        Some(slot)
    }
}

impl Driver {
    /// Lets the task go on by itself.
    fn detach(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
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
