//! The connections of one endpoint on one worker.
//!
//! In: requests. Out: responses, each with the [`Lease`](super::Lease) of the connection it arrives on. Never:
//! shared between workers, so there is no lock; never hands out a connection that is known to be
//! closed, or one whose last exchange did not end cleanly; never has more than it may, of either
//! version.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::connector::{Connector, Sender};
use super::lease::{Answered, Http1, Http2, Slot};
use super::message::Outgoing;
use super::patience::Patience;
use super::queue::{Queue, Standing};
use super::unanswered::Unanswered;
use super::usage::Usage;
use crate::config;
use crate::error::{Error, Kind, Result, Side};
use crate::http::{Body, UploadState};
use crate::telemetry::metrics::{ConnectionState, EndpointMetrics};

/// HTTP/2 streams on a connection before another one is opened, where the endpoint allows more.
pub const STREAMS_PER_CONNECTION: usize = 100;

/// Sweeps in which a client may send nothing of the body it owes while somebody else waits.
const QUIET_SWEEPS: u32 = 2;

/// How often the log tells of certificates that are not trusted.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Connections to one endpoint.
pub struct Pool {
    connector: Connector,
    limits: config::Pool,
    /// The one used last is at the end and is taken first, so that a quiet pool shrinks.
    idle: RefCell<Vec<Idle>>,
    http2: RefCell<Vec<Http2>>,
    queue: Queue,
    /// What may keep a connection without using it, and whose it is: bodies of requests on their
    /// way, tunnels with one side closed.
    pending: RefCell<Vec<(Weak<UploadState>, Rc<Usage>)>>,
    /// No request comes here any more.
    retired: Cell<bool>,
    /// When the log was last told of a certificate, and how many times it was not since.
    told: Cell<Option<Instant>>,
    untold: Cell<u32>,
    metrics: EndpointMetrics,
}

struct Idle {
    connection: Box<Http1>,
    since: Instant,
}

/// What a request that waited gets.
enum Room {
    Slot(Slot),
    Http1(Box<Http1>),
    Http2(Http2),
}

impl Pool {
    pub fn new(connector: Connector, limits: config::Pool, metrics: EndpointMetrics) -> Rc<Pool> {
        Rc::new(Pool {
            connector,
            queue: Queue::new(limits.max_connections),
            limits,
            idle: RefCell::default(),
            http2: RefCell::default(),
            pending: RefCell::default(),
            retired: Cell::new(false),
            told: Cell::default(),
            untold: Cell::default(),
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
        patience: &Patience<'_>,
    ) -> Answered {
        if let Some(upload) = patience.upload {
            self.may_give_way(upload, patience.client);
        }
        let standing = self.queue.standing(patience.client, patience.on_connection);
        if patience.fresh {
            self.make_room();
        } else if let Some(connection) = self.checkout(standing) {
            return connection.exchange(outgoing, body, None, patience).await;
        }
        // Boxed, so that the future of the usual case stays small: it is moved for each request.
        Box::pin(self.send_elsewhere(outgoing, body, patience, standing)).await
    }

    /// On an HTTP/2 connection, or a new one of either kind.
    async fn send_elsewhere(
        self: &Rc<Self>,
        outgoing: &Outgoing<'_>,
        body: &mut Option<Body>,
        patience: &Patience<'_>,
        standing: Standing,
    ) -> Answered {
        if !patience.fresh
            && let Some(connection) = self.checkout_http2()
        {
            return connection.exchange(outgoing, body, None, patience).await;
        }
        let slot = match self.slot(standing, patience.client).await {
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
            Err(error) => {
                self.tell(&error);
                Err(Unanswered::connecting(error))
            }
            Ok(Sender::Http1(connection)) => {
                let took = started.elapsed();
                let connection = Http1::new(connection, slot, self.metrics.connected(took));
                connection.exchange(outgoing, body, Some(took), patience).await
            }
            Ok(Sender::Http2(sender, limit)) => {
                let took = started.elapsed();
                let pool = Rc::downgrade(self);
                limit.on_raise(move || {
                    if let Some(pool) = pool.upgrade() {
                        pool.queue.wake_all();
                    }
                });
                let (tls, guard) = (self.connector.endpoint.tls, self.metrics.connected(took));
                let connection = Http2::new(sender, limit, tls, slot, guard);
                if !self.retired.get() {
                    self.http2.borrow_mut().push(connection.clone());
                }
                let exchange = connection.exchange(outgoing, body, Some(took), patience);
                // It has room for those that wait, but for this one's stream.
                self.queue.wake_all();
                exchange.await
            }
        }
    }

    /// Closes what is idle for too long or was closed by the endpoint.
    pub fn sweep(&self, now: Instant) {
        let after = self.limits.idle_timeout;
        let (keep, expired) = self.idle.take().into_iter().partition(|entry: &Idle| {
            entry.connection.is_quiet() && now.saturating_duration_since(entry.since) < after
        });
        self.idle.replace(keep);
        drop(expired);
        let (keep, ended) = self.http2.take().into_iter().partition(|connection: &Http2| {
            !connection.is_closed() && !connection.is_useless(now, after)
        });
        self.http2.replace(keep);
        drop(ended);
        self.reclaim();
    }

    /// From now on it has to give way while nothing comes, where its client has more than his share.
    pub(super) fn may_give_way(&self, pending: &Arc<UploadState>, client: &Rc<Usage>) {
        self.pending.borrow_mut().push((Arc::downgrade(pending), client.clone()));
    }

    /// Has clients with more than their share that owe bytes, and send none, give way to requests
    /// that wait: first whoever has most.
    fn reclaim(&self) {
        let mut quiet = Vec::new();
        self.pending.borrow_mut().retain(|(pending, client)| {
            let Some(pending) = pending.upgrade().filter(|pending| pending.is_pending()) else {
                return false;
            };
            if pending.quiet_sweeps() > QUIET_SWEEPS {
                quiet.push((pending, client.clone()));
            }
            true
        });
        let Some(mut wanted) = self.queue.wanted() else { return };
        quiet.sort_by_key(|(_, client)| std::cmp::Reverse(client.exchanges()));
        for (pending, client) in quiet {
            if wanted.take(&client) {
                pending.give_way();
            }
        }
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
        (self.idle.borrow().len(), self.queue.open())
    }

    /// Whether a connection that is through with its exchange is to be kept.
    pub(super) fn wants_back(&self) -> bool {
        !self.retired.get() && self.idle.borrow().len() < self.limits.max_idle
    }

    /// A connection is through with its exchange.
    pub(super) fn take_back(&self, connection: Box<Http1>, now: Instant) {
        self.idle.borrow_mut().push(Idle { connection, since: now });
        self.has_room();
    }

    /// A connection was closed.
    pub(super) fn closed(&self) {
        self.queue.leave();
        self.has_room();
    }

    /// A request that waits may look again.
    pub(super) fn has_room(&self) {
        self.queue.wake_one(self.unused());
    }

    /// Whether a request waits to which what this client has must give way.
    pub(super) fn is_wanted_from(&self, client: &Usage) -> bool {
        self.queue.is_wanted_from(client)
    }

    /// Idle connections. While the list itself is worked on there is none to hand out.
    fn unused(&self) -> usize {
        self.idle.try_borrow().map_or(0, |idle| idle.len())
    }

    /// Closes an idle connection where a new one is wanted and there may be no more.
    fn make_room(&self) {
        if self.queue.open() >= self.queue.most() {
            let closed = self.idle.borrow_mut().pop();
            drop(closed);
        }
    }

    fn checkout(&self, standing: Standing) -> Option<Box<Http1>> {
        if self.queue.is_reserved(standing, self.unused()) {
            return None;
        }
        loop {
            let Idle { mut connection, .. } = { self.idle.borrow_mut().pop()? };
            if connection.is_quiet() {
                connection.set(ConnectionState::Active);
                return Some(connection);
            }
        }
    }

    fn checkout_http2(&self) -> Option<Http2> {
        let mut connections = self.http2.borrow_mut();
        connections.retain(|connection| !connection.is_closed());
        connections
            .iter()
            .filter(|connection| connection.has_room(STREAMS_PER_CONNECTION))
            .min_by_key(|connection| connection.streams())
            .cloned()
    }

    /// Waits for room for one more connection, or for one that was given back meanwhile.
    async fn slot(self: &Rc<Self>, standing: Standing, client: &Usage) -> Result<Room> {
        let deadline = tokio::time::Instant::now() + self.connector.timeout;
        while !self.queue.enter(standing, self.unused()) {
            let mut turn = self.queue.join(standing, client.key(), || self.has_room());
            if tokio::time::timeout_at(deadline, turn.come()).await.is_err() {
                let detail = format!(
                    "all {} connections stayed busy for {:?}",
                    self.queue.most(),
                    self.connector.timeout
                );
                let error = Error::new(Kind::ConnectionLimitReached, Side::Upstream, detail);
                return Err(error.unsent());
            }
            if let Some(connection) = self.checkout(standing) {
                return Ok(Room::Http1(connection));
            }
            if let Some(connection) = self.checkout_http2() {
                return Ok(Room::Http2(connection));
            }
        }
        Ok(Room::Slot(Slot::of(self)))
    }

    /// Says why an endpoint is not trusted: once in a while, for it happens to every request.
    fn tell(&self, error: &Error) {
        if !matches!(error.kind, Kind::TlsCertificateError | Kind::TlsProtocolError) {
            return;
        }
        let now = Instant::now();
        if self.told.get().is_some_and(|told| now.saturating_duration_since(told) < TELL_EVERY) {
            self.untold.set(self.untold.get().saturating_add(1));
            return;
        }
        self.told.set(Some(now));
        let endpoint = &self.connector.endpoint;
        tracing::warn!(
            endpoint = %format_args!("{}:{}", endpoint.host, endpoint.port),
            error = %error.detail,
            suppressed = self.untold.replace(0),
            "no TLS with an endpoint"
        );
    }
}
