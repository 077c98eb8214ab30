//! The connections of one endpoint on one worker.
//!
//! In: requests. Out: responses, each with the [`Lease`] of the connection it arrives on. Never:
//! shared between workers, so there is no lock; never hands out a connection that is known to be
//! closed, or one whose last exchange did not end cleanly.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

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
    Http1(Option<Http1>),
    Http2(#[expect(dead_code, reason = "held for its drop")] OpenStream),
}

struct Idle {
    connection: Http1,
    since: Instant,
}

/// One HTTP/1.1 connection. Dropping it closes it.
struct Http1 {
    sender: http1::SendRequest<Body>,
    driver: Driver,
    heard: Heard,
    slot: Slot,
    guard: UpstreamConnectionGuard,
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
    ///
    /// Cancel safety: a cancelled call closes the connection it had.
    pub async fn send(
        self: &Rc<Self>,
        request: Request<Body>,
        patience: Patience,
    ) -> Result<(Response<Incoming>, Lease), Box<Unanswered>> {
        if let Some(connection) = self.checkout().await {
            return connection.exchange(request, None, patience).await;
        }
        // Boxed, so that the future of the usual case stays small: it is moved for each request.
        Box::pin(self.send_elsewhere(request, patience)).await
    }

    /// On an HTTP/2 connection, or a new one of either kind.
    async fn send_elsewhere(
        self: &Rc<Self>,
        request: Request<Body>,
        patience: Patience,
    ) -> Result<(Response<Incoming>, Lease), Box<Unanswered>> {
        if let Some(connection) = self.checkout_http2() {
            return connection.exchange(request, None, patience).await;
        }
        let slot = match self.slot().await {
            Ok(Room::Slot(slot)) => slot,
            Ok(Room::Connection(connection)) => {
                return connection.exchange(request, None, patience).await;
            }
            Err(error) => return Err(Unanswered::connecting(error, request)),
        };
        let started = Instant::now();
        match self.connector.connect().await {
            Err(error) => Err(Unanswered::connecting(error, request)),
            Ok(Sender::Http1 { sender, driver, heard }) => {
                let took = started.elapsed();
                let guard = self.metrics.connected(took);
                let driver = Driver(Some(driver));
                let connection = Http1 { sender, driver, heard, slot, guard, served: false };
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

    async fn checkout(&self) -> Option<Http1> {
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
    Connection(Http1),
}

impl Http1 {
    async fn exchange(
        mut self,
        request: Request<Body>,
        connect: Option<Duration>,
        patience: Patience,
    ) -> Result<(Response<Incoming>, Lease), Box<Unanswered>> {
        let reused = std::mem::replace(&mut self.served, true);
        let before = self.heard.bytes();
        let sent = self.sender.try_send_request(request);
        match patience.wait(sent).await {
            Ok(Ok(response)) => {
                Ok((response, Lease { held: Held::Http1(Some(self)), reused, connect }))
            }
            Ok(Err(mut failed)) => {
                let request = failed.take_message();
                let silent = self.heard.bytes() == before;
                Err(Unanswered::failed(failed.error(), request, reused && silent))
            }
            Err(waited) => Err(Unanswered::silent(waited)),
        }
    }

    fn give_back(mut self) {
        let Some(pool) = self.slot.0.upgrade() else { return };
        if self.sender.is_closed() || pool.idle.borrow().len() >= pool.limits.max_idle {
            return;
        }
        self.guard.set(ConnectionState::Idle);
        pool.idle.borrow_mut().push(Idle { connection: self, since: Instant::now() });
        pool.wake_one();
    }
}

impl Http2 {
    async fn exchange(
        mut self,
        mut request: Request<Body>,
        connect: Option<Duration>,
        patience: Patience,
    ) -> Result<(Response<Incoming>, Lease), Box<Unanswered>> {
        let reused = connect.is_none();
        absolute(&mut request, self.tls);
        self.streams.set(self.streams.get() + 1);
        let stream = OpenStream(self.streams.clone());
        let sent = self.sender.try_send_request(request);
        match patience.wait(sent).await {
            Ok(Ok(response)) => {
                Ok((response, Lease { held: Held::Http2(stream), reused, connect }))
            }
            Ok(Err(mut failed)) => {
                let request = failed.take_message();
                Err(Unanswered::failed(failed.error(), request, reused))
            }
            Err(waited) => Err(Unanswered::silent(waited)),
        }
    }
}

impl Patience {
    async fn wait<F: Future>(&self, sent: F) -> Result<F::Output, Duration> {
        let mut sent = std::pin::pin!(sent);
        let Some(upload) = &self.upload else {
            let answered = tokio::time::timeout(self.first_byte, sent).await;
            return answered.map_err(|_| self.first_byte);
        };
        let mut bytes = upload.bytes();
        loop {
            if let Ok(answer) = tokio::time::timeout(self.first_byte, &mut sent).await {
                return Ok(answer);
            }
            // A client that owes bytes is watched by the body's own idle timeout; an endpoint that
            // takes no more of the body by this one.
            let before = std::mem::replace(&mut bytes, upload.bytes());
            if before == bytes && !upload.is_starved() {
                return Err(self.first_byte);
            }
        }
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
    pub fn finish(mut self) {
        if let Held::Http1(connection) = &mut self.held
            && let Some(connection) = connection.take()
        {
            connection.give_back();
        }
    }

    /// The connection became a tunnel (after a 101): it counts as open until the slot is dropped,
    /// and its driver goes on until hyper hands the stream over.
    pub fn into_tunnel(mut self) -> Option<Slot> {
        let Held::Http1(connection) = &mut self.held else { return None };
        let Http1 { driver, slot, .. } = connection.take()?;
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
