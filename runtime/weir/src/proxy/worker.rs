//! What a worker serves from: its snapshot, and the connections it serves.
//!
//! In: what `server` bound together for one configuration. Out: references for the length of an exchange.
//! Never: shared with another worker; a new snapshot is swapped in between two polls, so a request
//! sees one snapshot only.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use http::HeaderValue;
use weir_core::chain::{Chain, Completions, ExchangeId};
use weir_core::client::ClientKey;
use weir_core::clock::Clock;
use weir_core::config::{DropAmbiguous, Limits, Steps, TooLong};
use weir_core::http::Client;
use weir_core::http::concealed::Concealed;
use weir_core::http::forwarded::{ForwardedFields, TrustedProxies};
use weir_core::router::Router;
use weir_core::telemetry::access_log::WorkerLog;
use weir_core::telemetry::metrics::{Metrics, RouteMetrics};

use super::refusal::Refusal;
use super::route::Route;
use super::stalled::{Allowance, StalledBodies};
use super::streams::StreamExecutor;
use crate::net::Activity;
use crate::upstream::Usage;

/// The name that stands for "no route" in hooks, log and metrics. No route can have it: names are
/// TOML keys of letters, digits, `-` and `_`.
pub const NO_ROUTE: &str = "(none)";

/// One worker, as its exchanges see it.
pub struct Worker {
    pub index: u16,
    /// Random, one for the process.
    pub process: u32,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    /// [`NO_ROUTE`].
    pub no_route: Arc<str>,
    pub log: RefCell<Option<WorkerLog>>,
    /// Responses whose clients may take nothing.
    pub(super) stalled: Rc<StalledBodies>,
    /// `Date` of responses that have none, as of the last [`Worker::tick`].
    date: RefCell<HeaderValue>,
    snapshot: RefCell<Rc<Snapshot>>,
    serial: Cell<u64>,
}

/// One worker's part of everything built from one configuration.
pub struct Snapshot {
    /// By the listener's number, which a name keeps over reloads; a removed one is `None`.
    pub listeners: Vec<Option<Listener>>,
    /// For requests of a listener that this configuration has no more.
    pub nowhere: Rc<Binding>,
}

/// A route as one listener serves it, or what the listener does without one. All that an exchange
/// holds of its snapshot until its response's head is out: a reload while an endpoint takes its
/// time leaves nothing of the other routes behind.
pub struct Binding {
    /// The listener's plugins, then the route's own.
    pub chain: Chain,
    pub route: Option<Rc<Route>>,
    pub ending: Rc<Ending>,
}

/// All that an exchange holds of its snapshot from its response's head to its last byte, which a
/// tunnel may be days away from.
pub struct Ending {
    /// The listener's name.
    pub listener: Arc<str>,
    /// The route's name.
    pub route: Option<Arc<str>>,
    pub metrics: RouteMetrics,
    pub completions: Completions,
    /// What of a target is not logged.
    pub concealed: Rc<Concealed>,
}

/// Where paths that endpoints may read differently are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StrictPaths {
    Nowhere,
    /// Where they take, or may be read as, the path of a route that wants it.
    OfRoutes,
    /// Whatever route they take.
    Everywhere,
}

/// A listener's part in a snapshot.
pub struct Listener {
    pub strict_paths: StrictPaths,
    pub limits: Limits,
    /// Peers whose own forwarding fields are believed.
    pub trusted: Rc<TrustedProxies>,
    pub via: bool,
    pub drop_ambiguous: DropAmbiguous,
    /// Finds places in `reach`.
    pub router: Arc<Router>,
    /// The routes that requests of this listener can reach.
    pub reach: Arc<[usize]>,
    /// By route.
    pub bindings: Vec<Rc<Binding>>,
    /// The listener's plugins alone, for requests without a route.
    pub unrouted: Rc<Binding>,
}

/// One client connection.
pub struct ClientConnection {
    /// The number of the listener at its address; a reload may give the address another one.
    pub listener: Rc<Cell<usize>>,
    pub client: Arc<Client>,
    /// What its client holds at endpoints, on this connection and others.
    pub usage: Rc<Usage>,
    /// Whose turns are taken for it: its client's, or where the peer speaks for many its own.
    pub line: ClientKey,
    /// What all its requests say of its client.
    pub forwarded: ForwardedFields,
    /// Where its streams run, on HTTP/2.
    pub streams: Option<StreamExecutor>,
    /// What may be read ahead of responses that the client does not take yet.
    pub ahead: Allowance,
    /// For the sweep over slow peers.
    pub activity: Arc<Activity>,
    /// A request that was refused before hyper read it.
    pub refusal: Arc<Refusal>,
    /// Kept until the last exchange or tunnel of the connection is over: a drain waits for it.
    #[expect(dead_code, reason = "counts the connection until it is dropped")]
    pub open: Rc<dyn std::any::Any>,
}

impl Worker {
    pub fn new(
        index: u16,
        process: u32,
        clock: Clock,
        metrics: Arc<Metrics>,
        log: Option<WorkerLog>,
        snapshot: Rc<Snapshot>,
    ) -> Rc<Worker> {
        Rc::new(Worker {
            index,
            process,
            date: RefCell::new(date(&clock)),
            stalled: StalledBodies::start(clock.now()),
            clock,
            metrics,
            no_route: NO_ROUTE.into(),
            log: RefCell::new(log),
            snapshot: RefCell::new(snapshot),
            serial: Cell::new(0),
        })
    }

    /// The snapshot that a request arriving now is served from.
    pub fn snapshot(&self) -> Rc<Snapshot> {
        self.snapshot.borrow().clone()
    }

    /// Requests from now on are served from `next`; those in flight finish on theirs.
    pub fn swap(&self, next: Rc<Snapshot>) {
        let before = self.snapshot.replace(next);
        drop(before);
    }

    /// To be called with each sweep over the connections, more often than once in a second.
    pub fn tick(&self) {
        self.date.replace(date(&self.clock));
        self.stalled.sweep(self.clock.now());
    }

    /// The time as `Date` says it.
    pub fn date(&self) -> HeaderValue {
        self.date.borrow().clone()
    }

    /// A new exchange's identifier.
    pub fn next_id(&self) -> ExchangeId {
        let serial = self.serial.get() + 1;
        self.serial.set(serial);
        ExchangeId { process: self.process, worker: self.index, serial }
    }
}

/// IMF-fixdate (RFC 9110, 5.6.7).
fn date(clock: &Clock) -> HeaderValue {
    let date = httpdate::HttpDate::from(clock.wall()).to_string();
    // It is made of letters, digits, spaces, commas and colons.
    HeaderValue::try_from(date).unwrap_or(const { HeaderValue::from_static("") })
}

impl Snapshot {
    /// The listener, unless this configuration has it no more.
    pub fn listener(&self, number: usize) -> Option<&Listener> {
        self.listeners.get(number).and_then(Option::as_ref)
    }

    /// Where a listener's request stands before its route is known.
    pub fn unrouted(&self, listener: usize) -> &Rc<Binding> {
        self.listener(listener).map_or(&self.nowhere, |listener| &listener.unrouted)
    }
}

impl Binding {
    pub fn new(
        listener: Arc<str>,
        route: Option<Rc<Route>>,
        chain: Chain,
        metrics: RouteMetrics,
        concealed: &Rc<Concealed>,
    ) -> Rc<Binding> {
        let name = route.as_ref().map(|route| route.name.clone());
        let completions = chain.completions();
        let concealed = concealed.clone();
        let ending = Rc::new(Ending { listener, route: name, metrics, completions, concealed });
        Rc::new(Binding { chain, route, ending })
    }

    /// Whether its route refuses what endpoints may read differently.
    pub fn is_strict(&self) -> bool {
        self.route.as_ref().is_some_and(|route| route.strict_paths)
    }
}

impl Listener {
    /// What a request is served by: a route, or none.
    ///
    /// # Errors
    /// As [`Router::find`].
    pub fn find(
        &self,
        host: &str,
        path: &str,
        query: Option<&str>,
        parts: &http::request::Parts,
        steps: &Steps,
    ) -> Result<&Rc<Binding>, TooLong> {
        let place = self.router.find(host, path, query, parts, steps)?;
        let route = place.and_then(|place| self.reach.get(place));
        Ok(route.and_then(|route| self.bindings.get(*route)).unwrap_or(&self.unrouted))
    }
}
