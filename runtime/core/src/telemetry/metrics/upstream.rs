//! What upstreams and their endpoints do.
//!
//! In: requests sent, connections opened and moved between idle and active, health. Out:
//! `weir_upstream_requests_total`, `weir_upstream_connections`, `weir_upstream_connect_seconds`,
//! `weir_upstream_healthy`, `weir_upstream_retries_total`. Never: decides on health or retries.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::cell::{Durations, DurationsSum, Sharded};
use super::exposition::Exposition;
use super::series::SeriesMap;

/// Bounds of `weir_upstream_connect_seconds`, in nanoseconds: 0.1 ms to 10 s.
const BOUNDS: [u64; 14] = [
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    1_000_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// The handle of one upstream.
#[derive(Debug, Clone)]
pub struct UpstreamMetrics(Arc<Sharded<AtomicU64>>);

/// The handle of one endpoint.
#[derive(Debug, Clone)]
pub struct EndpointMetrics(Arc<Endpoint>);

/// How one attempt at an endpoint went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A response of this class came: `1xx` to `5xx`.
    Informational,
    Successful,
    Redirection,
    ClientError,
    ServerError,
    /// No connection could be made.
    ConnectFailed,
    /// A timeout, of any phase after the connection was there.
    Timeout,
    /// The connection or the protocol failed after the request was sent.
    Failed,
    /// The client went away first.
    Cancelled,
}

/// What an upstream connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// In the pool.
    Idle,
    /// At least one request is on it.
    Active,
}

/// One upstream connection; dropping it closes it.
#[derive(Debug)]
pub struct UpstreamConnectionGuard {
    endpoint: EndpointMetrics,
    state: ConnectionState,
}

#[derive(Debug)]
struct Endpoint {
    cells: Sharded<Cells>,
    healthy: AtomicBool,
}

#[derive(Debug, Default)]
struct Cells {
    outcomes: [AtomicU64; Outcome::ALL.len()],
    connections: [AtomicI64; 2],
    connect: Durations,
}

impl UpstreamMetrics {
    pub(super) fn new() -> Self {
        UpstreamMetrics(Arc::default())
    }

    /// A request is sent once more.
    pub fn retried(&self) {
        self.0.local().fetch_add(1, Relaxed);
    }
}

impl EndpointMetrics {
    pub(super) fn new() -> Self {
        let endpoint = Endpoint { cells: Sharded::new(), healthy: AtomicBool::new(true) };
        EndpointMetrics(Arc::new(endpoint))
    }

    /// An attempt is over, or its response's head is there.
    #[inline]
    pub fn request(&self, outcome: Outcome) {
        if let Some(cell) = self.0.cells.local().outcomes.get(outcome as usize) {
            cell.fetch_add(1, Relaxed);
        }
    }

    /// A connection was made, in `duration` (TCP and TLS): active until said otherwise.
    pub fn connected(&self, duration: Duration) -> UpstreamConnectionGuard {
        let cells = self.0.cells.local();
        cells.connect.observe(&BOUNDS, duration);
        self.shift(ConnectionState::Active, 1);
        UpstreamConnectionGuard { endpoint: self.clone(), state: ConnectionState::Active }
    }

    /// Whether requests are sent to it; true until said otherwise.
    pub fn set_healthy(&self, healthy: bool) {
        self.0.healthy.store(healthy, Relaxed);
    }

    #[inline]
    fn shift(&self, state: ConnectionState, by: i64) {
        if let Some(cell) = self.0.cells.local().connections.get(state as usize) {
            cell.fetch_add(by, Relaxed);
        }
    }
}

impl UpstreamConnectionGuard {
    /// The connection went to the pool, or was taken from it.
    #[inline]
    pub fn set(&mut self, state: ConnectionState) {
        if self.state != state {
            self.endpoint.shift(self.state, -1);
            self.endpoint.shift(state, 1);
            self.state = state;
        }
    }
}

impl Drop for UpstreamConnectionGuard {
    fn drop(&mut self) {
        self.endpoint.shift(self.state, -1);
    }
}

impl Outcome {
    const ALL: [Outcome; Outcome::Cancelled as usize + 1] = [
        Outcome::Informational,
        Outcome::Successful,
        Outcome::Redirection,
        Outcome::ClientError,
        Outcome::ServerError,
        Outcome::ConnectFailed,
        Outcome::Timeout,
        Outcome::Failed,
        Outcome::Cancelled,
    ];

    /// The outcome of an attempt that a response came of.
    pub fn of_status(status: u16) -> Self {
        match status / 100 {
            1 => Outcome::Informational,
            2 => Outcome::Successful,
            3 => Outcome::Redirection,
            4 => Outcome::ClientError,
            _ => Outcome::ServerError,
        }
    }

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Informational => "1xx",
            Outcome::Successful => "2xx",
            Outcome::Redirection => "3xx",
            Outcome::ClientError => "4xx",
            Outcome::ServerError => "5xx",
            Outcome::ConnectFailed => "connect_failed",
            Outcome::Timeout => "timeout",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
        }
    }
}

pub(super) fn expose(
    upstreams: &SeriesMap<Arc<str>, UpstreamMetrics>,
    endpoints: &SeriesMap<(Arc<str>, Arc<str>), EndpointMetrics>,
    out: &mut Exposition,
) {
    let mut retries = out.counter("weir_upstream_retries_total", "Requests sent once more.");
    upstreams.each(|upstream, UpstreamMetrics(cells)| {
        retries.sample(&[("upstream", upstream)], cells.sum(|shard| shard) as f64);
    });
    let mut requests =
        out.counter("weir_upstream_requests_total", "Attempts at an endpoint, by outcome.");
    endpoints.each(|(upstream, endpoint), EndpointMetrics(inner)| {
        for outcome in Outcome::ALL {
            let cells = inner.cells.iter().filter_map(|shard| shard.outcomes.get(outcome as usize));
            let count: u64 = cells.map(|cell| cell.load(Relaxed)).sum();
            if count > 0 {
                let outcome = ("outcome", outcome.as_str());
                let labels = [("upstream", &**upstream), ("endpoint", &**endpoint), outcome];
                requests.sample(&labels, count as f64);
            }
        }
    });
    let mut connections =
        out.gauge("weir_upstream_connections", "Connections to an endpoint that are open.");
    endpoints.each(|(upstream, endpoint), EndpointMetrics(inner)| {
        for (state, name) in [(ConnectionState::Idle, "idle"), (ConnectionState::Active, "active")]
        {
            let cells =
                inner.cells.iter().filter_map(|shard| shard.connections.get(state as usize));
            let count: i64 = cells.map(|cell| cell.load(Relaxed)).sum();
            let labels = [("upstream", &**upstream), ("endpoint", &**endpoint), ("state", name)];
            connections.sample(&labels, count as f64);
        }
    });
    let mut connect = out.histogram(
        "weir_upstream_connect_seconds",
        "Time to connect to an endpoint, TCP and TLS together.",
    );
    endpoints.each(|(upstream, endpoint), EndpointMetrics(inner)| {
        let mut sum = DurationsSum::default();
        inner.cells.iter().for_each(|shard| sum.add(&shard.connect));
        connect.durations(&[("upstream", upstream), ("endpoint", endpoint)], &BOUNDS, &sum);
    });
    let mut healthy =
        out.gauge("weir_upstream_healthy", "1 where requests are sent to the endpoint, else 0.");
    endpoints.each(|(upstream, endpoint), EndpointMetrics(inner)| {
        let value = if inner.healthy.load(Relaxed) { 1.0 } else { 0.0 };
        healthy.sample(&[("upstream", upstream), ("endpoint", endpoint)], value);
    });
}
