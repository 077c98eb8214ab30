//! One endpoint of an upstream: what all workers know of it.
//!
//! In: what it is in the configuration, and whoever it replaces. Out: its health, its counts, and its
//! names for logs. Never: connects to it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;
use weir_core::config;
use weir_core::health::Check;
use weir_core::telemetry::metrics::{EndpointMetrics, Metrics};

/// What is known of one endpoint; outlives reloads that keep it.
pub struct EndpointState {
    pub endpoint: config::Endpoint,
    pub upstream: Arc<str>,
    /// `host:port`, for logs and metrics.
    pub address: Arc<str>,
    /// `NAME host:port`, as completion hooks see it.
    pub label: Arc<str>,
    /// What `host = "endpoint"` sends.
    pub authority: HeaderValue,
    pub metrics: EndpointMetrics,
    healthy: AtomicBool,
    in_flight: AtomicU32,
    /// The prober's; kept here so that a reload does not forget it.
    check: Mutex<Option<Check>>,
}

/// A request on its way to an endpoint, counted until this is dropped.
pub struct InFlightRequest(Arc<EndpointState>);

impl EndpointState {
    pub(super) fn new(
        upstream: &config::Upstream,
        endpoint: &config::Endpoint,
        metrics: &Metrics,
        before: Option<&Arc<EndpointState>>,
    ) -> EndpointState {
        let address: Arc<str> = endpoint.address().into();
        let state = EndpointState {
            endpoint: endpoint.clone(),
            upstream: upstream.name.clone(),
            label: format!("{} {address}", upstream.name).into(),
            // A checked host has nothing that a field value could not have.
            authority: HeaderValue::try_from(endpoint.authority())
                .unwrap_or(HeaderValue::from_static("localhost")),
            metrics: metrics.upstream_endpoint(&upstream.name, &address),
            address,
            healthy: AtomicBool::new(before.is_none_or(|before| before.is_healthy())),
            in_flight: AtomicU32::new(0),
            check: Mutex::new(before.and_then(|before| before.check().clone())),
        };
        state.metrics.set_healthy(state.is_healthy());
        state
    }

    /// What the active check says; true where there is none.
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    pub fn set_healthy(&self, healthy: bool) {
        self.healthy.store(healthy, Ordering::Relaxed);
        self.metrics.set_healthy(healthy);
    }

    /// What the active check knows; none: it was never asked.
    pub(super) fn check(&self) -> MutexGuard<'_, Option<Check>> {
        self.check.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody asks it any more, and so nobody says that it is ill.
    pub(super) fn forget_check(&self) {
        *self.check() = None;
        self.set_healthy(true);
    }

    /// Requests on their way, of all workers.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether it is this one, whatever its weight.
    pub(super) fn is_at(&self, endpoint: &config::Endpoint) -> bool {
        self.endpoint.identity() == endpoint.identity()
    }
}

impl InFlightRequest {
    pub(super) fn begin(state: &Arc<EndpointState>) -> InFlightRequest {
        state.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlightRequest(state.clone())
    }

    pub fn state(&self) -> &Arc<EndpointState> {
        &self.0
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
