//! Metrics in the Prometheus sense: conventional names, seconds and bytes, bounded labels.
//!
//! In: counts through handles ([`RouteMetrics`], [`PluginMetrics`], …) that a build step resolved
//! by name. Out: the text exposition format, version 0.0.4. Never: on a request's way more than an
//! index and an atomic addition, into cells that the calling thread has for itself.

mod cell;
mod custom;
mod exposition;
mod listener;
mod plugin;
mod process;
mod route;
mod series;
#[cfg(test)]
mod tests;
mod upstream;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use self::cell::Sharded;
use self::exposition::Exposition;
use self::series::SeriesMap;
use crate::error::Kind;

pub use self::custom::{MAX_LABELS, PluginCustomMetrics, WorkerCustomMetrics};
pub use self::exposition::CONTENT_TYPE;
pub use self::listener::{ConnectionGuard, ListenerMetrics};
pub use self::plugin::{CallOutcome, Hook, InstanceGuard, PluginMetrics};
pub use self::route::RouteMetrics;
pub use self::upstream::{
    ConnectionState, EndpointMetrics, Outcome, UpstreamConnectionGuard, UpstreamMetrics,
};

/// All metrics of the process. Clones are the same metrics.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

/// A series that lives as long as its name is configured; see [`Metrics::retain`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Series<'a> {
    Route(&'a str),
    Plugin(&'a str),
    Upstream(&'a str),
    Endpoint { upstream: &'a str, endpoint: &'a str },
    Listener(&'a str),
}

/// One request in flight; dropping it ends it.
#[derive(Debug)]
pub struct RequestGuard(Metrics);

#[derive(Debug)]
struct Inner {
    traffic: Sharded<Traffic>,
    routes: SeriesMap<Arc<str>, RouteMetrics>,
    plugins: SeriesMap<Arc<str>, PluginMetrics>,
    upstreams: SeriesMap<Arc<str>, UpstreamMetrics>,
    endpoints: SeriesMap<(Arc<str>, Arc<str>), EndpointMetrics>,
    listeners: SeriesMap<Arc<str>, ListenerMetrics>,
    custom: custom::Names,
    certificates: Mutex<Vec<Certificate>>,
    reloads: Reloads,
    access_log_dropped: Arc<AtomicU64>,
}

/// Counts that no name divides.
#[derive(Debug)]
struct Traffic {
    in_flight: AtomicI64,
    errors: [AtomicU64; Kind::ALL.len()],
}

#[derive(Debug, Default)]
struct Reloads {
    succeeded: AtomicU64,
    failed: AtomicU64,
    /// Unix time in milliseconds.
    last_success: AtomicU64,
}

#[derive(Debug)]
struct Certificate {
    listener: Arc<str>,
    subject: String,
    /// Unix time in seconds.
    expires: i64,
}

impl Metrics {
    /// Everything at zero.
    pub fn new() -> Self {
        Metrics(Arc::new(Inner {
            traffic: Sharded::new(),
            routes: SeriesMap::default(),
            plugins: SeriesMap::default(),
            upstreams: SeriesMap::default(),
            endpoints: SeriesMap::default(),
            listeners: SeriesMap::default(),
            custom: custom::Names::default(),
            certificates: Mutex::default(),
            reloads: Reloads::default(),
            access_log_dropped: Arc::default(),
        }))
    }

    /// The handle of a route. Takes a lock: call it when a snapshot is built.
    pub fn route(&self, name: &str) -> RouteMetrics {
        self.0.routes.obtain(name.into(), RouteMetrics::new)
    }

    /// The handle of a plugin. Takes a lock: call it when a snapshot is built.
    pub fn plugin(&self, name: &str) -> PluginMetrics {
        let names = &self.0.custom;
        self.0.plugins.obtain(name.into(), || PluginMetrics::new(name, names.clone()))
    }

    /// The handle of an upstream. Takes a lock: call it when a snapshot is built.
    pub fn upstream(&self, name: &str) -> UpstreamMetrics {
        self.0.upstreams.obtain(name.into(), UpstreamMetrics::new)
    }

    /// The handle of an endpoint (`host:port`). Takes a lock: call it when a snapshot is built.
    pub fn upstream_endpoint(&self, upstream: &str, endpoint: &str) -> EndpointMetrics {
        self.0.endpoints.obtain((upstream.into(), endpoint.into()), EndpointMetrics::new)
    }

    /// The handle of a listener. Takes a lock: call it when a snapshot is built.
    pub fn listener(&self, name: &str) -> ListenerMetrics {
        self.0.listeners.obtain(name.into(), ListenerMetrics::new)
    }

    /// Forgets the series for which `keep` is false: names that a reload removed. Handles that
    /// requests in flight still hold go on counting, unseen.
    pub fn retain(&self, mut keep: impl FnMut(Series<'_>) -> bool) {
        let inner = &*self.0;
        inner.routes.retain(|name| keep(Series::Route(name)));
        inner.plugins.retain(|name| keep(Series::Plugin(name)));
        inner.upstreams.retain(|name| keep(Series::Upstream(name)));
        inner
            .endpoints
            .retain(|(upstream, endpoint)| keep(Series::Endpoint { upstream, endpoint }));
        inner.listeners.retain(|name| keep(Series::Listener(name)));
        let mut certificates = inner.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        certificates.retain(|certificate| keep(Series::Listener(&certificate.listener)));
        drop(certificates);
        let mut plugins = Vec::new();
        inner.plugins.each(|_, plugin| plugins.push(plugin.custom().clone()));
        inner.custom.retain_used(&plugins);
    }

    /// A request began: one more in flight until the guard is dropped.
    pub fn request(&self) -> RequestGuard {
        self.0.traffic.local().in_flight.fetch_add(1, Relaxed);
        RequestGuard(self.clone())
    }

    /// An exchange failed, for `weir_errors_total`.
    pub fn error(&self, kind: Kind) {
        if let Some(cell) = self.0.traffic.local().errors.get(kind as usize) {
            cell.fetch_add(1, Relaxed);
        }
    }

    /// A configuration was taken into use at `now`: the first one.
    pub fn configured(&self, now: SystemTime) {
        let millis = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        self.0.reloads.last_success.store(u64::try_from(millis).unwrap_or(u64::MAX), Relaxed);
    }

    /// The same, in the place of another one.
    pub fn reload_succeeded(&self, now: SystemTime) {
        self.configured(now);
        self.0.reloads.succeeded.fetch_add(1, Relaxed);
    }

    /// A configuration was refused; the old one goes on.
    pub fn reload_failed(&self) {
        self.0.reloads.failed.fetch_add(1, Relaxed);
    }

    /// Replaces what is known of a listener's certificates: subject and expiry (Unix seconds).
    pub fn set_certificates<'a>(
        &self,
        listener: &str,
        certificates: impl IntoIterator<Item = (&'a str, i64)>,
    ) {
        let listener: Arc<str> = listener.into();
        let mut known = self.0.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|certificate| certificate.listener != listener);
        for (subject, expires) in certificates {
            // Two files with one subject would be two samples of one series: the sooner counts.
            let same =
                known.iter_mut().find(|old| old.listener == listener && old.subject == subject);
            match same {
                Some(old) => old.expires = old.expires.min(expires),
                None => known.push(Certificate {
                    listener: listener.clone(),
                    subject: subject.to_owned(),
                    expires,
                }),
            }
        }
    }

    /// The counter of access log lines that were dropped, to hand to the access log.
    pub fn access_log_dropped(&self) -> Arc<AtomicU64> {
        self.0.access_log_dropped.clone()
    }

    /// The text exposition format ([`CONTENT_TYPE`]), with HELP and TYPE for each family.
    pub fn render(&self) -> String {
        let mut out = Exposition::default();
        self.expose_process(&mut out);
        self.expose_traffic(&mut out);
        route::expose(&self.0.routes, &mut out);
        listener::expose(&self.0.listeners, &mut out);
        upstream::expose(&self.0.upstreams, &self.0.endpoints, &mut out);
        plugin::expose(&self.0.plugins, &mut out);
        let mut registered = Vec::new();
        self.0.plugins.each(|_, plugin| registered.push(plugin.custom().clone()));
        self.0.custom.expose(&registered, &mut out);
        out.render()
    }

    fn expose_traffic(&self, out: &mut Exposition) {
        let traffic = &self.0.traffic;
        let in_flight: i64 = traffic.iter().map(|shard| shard.in_flight.load(Relaxed)).sum();
        out.gauge("weir_requests_in_flight", "Requests that are being served.")
            .sample(&[], in_flight as f64);
        let mut errors =
            out.counter("weir_errors_total", "Exchanges that failed, by RFC 9209 error type.");
        for kind in Kind::ALL {
            let sum: u64 = traffic
                .iter()
                .filter_map(|shard| shard.errors.get(kind as usize))
                .map(|cell| cell.load(Relaxed))
                .sum();
            errors.sample(&[("kind", kind.as_str())], sum as f64);
        }
        out.counter(
            "weir_access_log_dropped_total",
            "Access log lines lost because the writer could not keep up, or the disk was full.",
        )
        .sample(&[], self.0.access_log_dropped.load(Relaxed) as f64);
        out.counter(
            "weir_log_dropped_total",
            "Lines of the daemon's own log lost because nobody read them, or the disk was full.",
        )
        .sample(&[], crate::telemetry::log::dropped() as f64);
    }

    fn expose_process(&self, out: &mut Exposition) {
        process::expose(out);
        out.gauge("weir_build_info", "Always 1; the label says what runs.")
            .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        let reloads = &self.0.reloads;
        out.counter("weir_reloads_total", "Configurations taken into use or refused.")
            .sample(&[("result", "success")], reloads.succeeded.load(Relaxed) as f64)
            .sample(&[("result", "failure")], reloads.failed.load(Relaxed) as f64);
        out.gauge(
            "weir_config_last_reload_success_timestamp_seconds",
            "When the configuration in use was taken into use (Unix time).",
        )
        .sample(&[], reloads.last_success.load(Relaxed) as f64 / 1e3);
        let mut expiry = out.gauge(
            "weir_certificate_expiry_timestamp_seconds",
            "When a listener's certificate expires (Unix time).",
        );
        let certificates = self.0.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        for Certificate { listener, subject, expires } in certificates.iter() {
            expiry.sample(&[("listener", listener), ("subject", subject)], *expires as f64);
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

impl Default for Traffic {
    fn default() -> Self {
        Traffic { in_flight: AtomicI64::new(0), errors: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.0.traffic.local().in_flight.fetch_sub(1, Relaxed);
    }
}
