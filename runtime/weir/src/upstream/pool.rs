//! The connections of one endpoint on one worker.
//!
//! In: requests. Out: responses, each with the [`Lease`](super::Lease) of the connection it arrives on. Never:
//! shared between workers, so there is no lock; never hands out a connection that is known to be
//! closed, or one whose last exchange did not end cleanly; never has more than it may, of either
//! version; never lets a client into the last places who has his share ([`super::queue`]).

mod opening;
mod owing;
mod untrusted;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_core::clock;
use weir_core::config;
use weir_core::error::{Error, Kind, Result, Side};
use weir_core::http::{Body, UploadState};
use weir_core::telemetry::metrics::{ConnectionState, EndpointMetrics};

use super::attempt::Attempt;
use super::attempt_error::AttemptError;
use super::connector::{Connector, Sender};
use super::lease::{Answered, Home, Http1, Http2, Slot};
use super::queue::{Claim, Place, Queue};
use super::streams::STREAMS_PER_CONNECTION;
use opening::{Joined, Openings};
use owing::Owing;
use tokio::sync::Notify;
use tokio::time;
use untrusted::Untrusted;

/// Connections to one endpoint.
pub struct Pool {
    connector: Connector,
    limits: config::Pool,
    /// The one used last is at the end and is taken first, so that a quiet pool shrinks.
    idle: RefCell<Vec<Idle>>,
    http2: RefCell<Vec<Http2>>,
    /// Connections on which there will be room for several.
    openings: Openings,
    queue: Rc<Queue>,
    /// Requests that have a place and no connection, for the endpoint allows fewer streams than
    /// before.
    short: Cell<usize>,
    has_room: Notify,
    /// What may keep a place without using it.
    owing: Owing,
    /// No request comes here any more.
    retired: Cell<bool>,
    untrusted: Untrusted,
    metrics: EndpointMetrics,
}

struct Idle {
    connection: Box<Http1>,
    since: Instant,
}

/// What a request goes on.
enum Room {
    There(Opened),
    /// It is here soon, or whatever came of it was taken by others.
    Opening(Joined),
    /// A new one of its own.
    Slot(Slot),
}

/// A connection of either version.
enum Opened {
    Http1(Box<Http1>),
    Http2(Http2),
}

/// One more request that has a place and no connection, until this is dropped.
struct Short<'a>(&'a Cell<usize>);

impl Pool {
    pub fn new(connector: Connector, limits: config::Pool, metrics: EndpointMetrics) -> Rc<Pool> {
        Rc::new(Pool {
            openings: Openings::new(connector.may_share()),
            connector,
            queue: Queue::new(limits.max_connections),
            limits,
            idle: RefCell::default(),
            http2: RefCell::default(),
            short: Cell::default(),
            has_room: Notify::new(),
            owing: Owing::default(),
            retired: Cell::new(false),
            untrusted: Untrusted::default(),
            metrics,
        })
    }

    /// Sends a request on an idle connection, or a new one, and waits for the response's head.
    /// `body` is taken when it is sent, and there again where nothing of it was.
    ///
    /// Cancel safety: a cancelled call closes the connection it had.
    pub async fn send(self: &Rc<Self>, attempt: &Attempt<'_>, body: &mut Option<Body>) -> Answered {
        let claim = attempt.client.claim(&self.queue);
        if let Some(upload) = attempt.timeout.upload {
            self.may_give_way(upload, &claim);
        }
        let place = match self.queue.enter(&claim) {
            Some(place) if attempt.opened_after.is_none() => match self.checkout() {
                Some(connection) => {
                    return connection.exchange(attempt, body, place, None).await;
                }
                None => Some(place),
            },
            place => place,
        };
        // Boxed, so that the future of the usual case stays small: it is moved for each request.
        Box::pin(self.send_elsewhere(attempt, body, claim, place)).await
    }

    /// On an HTTP/2 connection, or a new one of either kind.
    async fn send_elsewhere(
        self: &Rc<Self>,
        attempt: &Attempt<'_>,
        body: &mut Option<Body>,
        claim: Rc<Claim>,
        place: Option<Place>,
    ) -> Answered {
        let deadline = attempt.timeout.no_later(clock::now() + self.connector.timeout);
        let place = match place {
            Some(place) => Some(place),
            None => self.turn(&claim, deadline).await,
        };
        let Some(place) = place else { return Err(self.too_busy(attempt)) };
        let (opened, connect) = match self.connection(attempt, deadline).await {
            Ok(Some(found)) => found,
            Ok(None) => return Err(self.too_busy(attempt)),
            Err(error) => return Err(AttemptError::connecting(error)),
        };
        match opened {
            Opened::Http1(connection) => connection.exchange(attempt, body, place, connect).await,
            Opened::Http2(connection) => connection.exchange(attempt, body, place, connect).await,
        }
    }

    /// A connection for a request that has a place, with what connecting took if it was waited for.
    /// `None`: there was none before its time was over.
    async fn connection(
        self: &Rc<Self>,
        attempt: &Attempt<'_>,
        deadline: Instant,
    ) -> Result<Option<(Opened, Option<Duration>)>> {
        loop {
            let room = self.room(attempt.opened_after, deadline).await;
            let since = clock::now();
            let opened = match room {
                None => return Ok(None),
                Some(Room::There(opened)) => return Ok(Some((opened, None))),
                Some(Room::Slot(slot)) => Some(attempt.timeout.connect(self.connect(slot)).await?),
                Some(Room::Opening(joined)) => attempt.timeout.connect(joined.over()).await?,
            };
            if let Some(opened) = opened {
                return Ok(Some((opened, Some(clock::since(since)))));
            }
            if clock::now() >= deadline {
                return Ok(None);
            }
        }
    }

    /// Opens a connection, which others find here if they may share it.
    async fn connect(self: &Rc<Self>, slot: Slot) -> Result<Opened> {
        let started = clock::now();
        let tell = |error: &Error| self.untrusted.tell(&self.connector.endpoint, error);
        let sender = self.connector.connect().await.inspect_err(tell)?;
        let guard = self.metrics.connected(clock::since(started));
        self.openings.set_shared(matches!(sender, Sender::Http2(..)));
        Ok(match sender {
            Sender::Http1(connection) => Opened::Http1(Http1::new(connection, slot, guard)),
            Sender::Http2(sender, executor, stall) => {
                let pool = Rc::downgrade(self);
                executor.limit().on_raise(move || {
                    if let Some(pool) = pool.upgrade() {
                        pool.learn();
                    }
                });
                let tls = self.connector.endpoint.tls;
                let connection = Http2::new(sender, executor, stall, tls, slot, guard);
                if !self.retired.get() {
                    self.http2.borrow_mut().push(connection.clone());
                }
                self.learn();
                Opened::Http2(connection)
            }
        })
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
        self.learn();
        self.queue.look(now);
        self.owing.reclaim(&self.queue, now);
    }

    /// Looks how many streams the endpoint allows: so many places each connection has.
    fn learn(&self) {
        let connections = self.http2.borrow();
        let open = connections.iter().filter(|connection| !connection.is_closed());
        let Some(streams) = open.map(Http2::limit).max() else { return };
        drop(connections);
        let streams = streams.clamp(1, STREAMS_PER_CONNECTION);
        self.queue.set_streams(streams);
        self.openings.set_streams(streams);
        if self.short.get() > 0 {
            self.has_room.notify_waiters();
        }
    }

    /// Closes what is idle, and from now on what is given back: another configuration serves, and
    /// nobody sweeps here.
    pub fn retire(&self) {
        self.retired.set(true);
        drop(self.idle.take());
        drop(self.http2.take());
    }

    /// Idle and open connections.
    #[cfg(test)]
    pub fn counts(&self) -> (usize, usize) {
        (self.idle.borrow().len(), self.queue.open())
    }

    /// A connection has no exchange yet.
    fn keep(&self, mut connection: Box<Http1>) {
        if !self.retired.get() {
            connection.set(ConnectionState::Idle);
            self.take_back(connection, clock::now());
        }
    }

    /// Closes an idle connection where a new one is wanted and there may be no more.
    fn make_room(&self) {
        if self.queue.open() >= self.queue.most() {
            let closed = self.idle.borrow_mut().pop();
            drop(closed);
        }
    }

    fn checkout(&self) -> Option<Box<Http1>> {
        loop {
            let Idle { mut connection, .. } = { self.idle.borrow_mut().pop()? };
            if connection.is_quiet() {
                connection.set(ConnectionState::Active);
                return Some(connection);
            }
        }
    }

    /// Of those that may be had the one that takes what is sent and has the fewest streams.
    fn checkout_http2(&self, may_be_had: impl Fn(&Http2) -> bool) -> Option<Http2> {
        let mut connections = self.http2.borrow_mut();
        connections.retain(|connection| !connection.is_closed());
        connections
            .iter()
            .filter(|connection| connection.has_room(STREAMS_PER_CONNECTION))
            .filter(|connection| may_be_had(connection))
            .min_by_key(|connection| (connection.stalled(), connection.streams()))
            .cloned()
    }

    /// Waits for a place.
    async fn turn(&self, claim: &Rc<Claim>, deadline: Instant) -> Option<Place> {
        let mut turn = self.queue.join(claim, deadline - self.connector.timeout / 4);
        time::timeout_at(deadline.into(), turn.come()).await.ok().flatten()
    }

    /// A connection for a request that has a place, or the place for a new one: at once, unless the
    /// endpoint allows fewer streams than it was thought to.
    async fn room(self: &Rc<Self>, mut after: Option<Instant>, deadline: Instant) -> Option<Room> {
        loop {
            if after.is_none()
                && let Some(connection) = self.checkout()
            {
                return Some(Room::There(Opened::Http1(connection)));
            }
            let takes =
                |it: &Http2| it.stalled().is_none() && after.is_none_or(|then| it.is_fresh(then));
            if let Some(connection) = self.checkout_http2(takes) {
                return Some(Room::There(Opened::Http2(connection)));
            }
            if after.is_some() {
                self.make_room();
            }
            // As fresh as may be.
            if let Some(joined) = self.openings.join() {
                return Some(Room::Opening(joined));
            }
            if self.queue.open_one() {
                let slot = Slot::of(self.clone());
                return Some(match self.openings.are_shared() {
                    true => Room::Opening(self.openings.start(self, slot)),
                    false => Room::Slot(slot),
                });
            }
            // Rather one that was open before than none, and one that takes nothing for now.
            if after.take().is_some() {
                continue;
            }
            if let Some(connection) = self.checkout_http2(|_| true) {
                return Some(Room::There(Opened::Http2(connection)));
            }
            let _short = Short::new(&self.short);
            time::timeout_at(deadline.into(), self.has_room.notified()).await.ok()?;
        }
    }

    /// Why there is no connection: the client's time is over, or that of whoever waits for one.
    fn too_busy(&self, attempt: &Attempt<'_>) -> Box<AttemptError> {
        let most = self.queue.most();
        let over = || attempt.timeout.over(&format!("all {most} connections were busy"));
        AttemptError::connecting(over().unwrap_or_else(|| {
            let timeout = self.connector.timeout;
            let detail = format!("all {most} connections stayed busy for {timeout:?}");
            Error::new(Kind::ConnectionLimitReached, Side::Upstream, detail).unsent()
        }))
    }
}

impl Home for Pool {
    fn wants_back(&self) -> bool {
        !self.retired.get() && self.idle.borrow().len() < self.limits.max_idle
    }

    fn take_back(&self, connection: Box<Http1>, now: Instant) {
        self.idle.borrow_mut().push(Idle { connection, since: now });
        self.has_room();
    }

    fn closed(&self) {
        self.queue.leave();
        self.has_room();
    }

    fn has_room(&self) {
        if self.short.get() > 0 {
            self.has_room.notify_one();
        }
    }

    fn may_give_way(&self, pending: &Arc<UploadState>, claim: &Rc<Claim>) {
        self.owing.add(pending, claim);
    }
}

impl Short<'_> {
    fn new(count: &Cell<usize>) -> Short<'_> {
        count.set(count.get() + 1);
        Short(count)
    }
}

impl Drop for Short<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests;
