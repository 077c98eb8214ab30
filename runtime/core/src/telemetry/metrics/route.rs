//! What a route serves: requests by status code, their duration, bytes of bodies.
//!
//! In: one call for each finished exchange. Out: `weir_requests_total`,
//! `weir_request_duration_seconds`, `weir_request_body_bytes_total`, `weir_response_body_bytes_total`.
//! Never: a label string on a request's way; codes are array indices.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::cell::{Durations, DurationsSum, Sharded};
use super::exposition::Exposition;
use super::series::SeriesMap;

/// Bounds of `weir_request_duration_seconds`, in nanoseconds: 0.5 ms to 30 s.
const BOUNDS: [u64; 15] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];

/// The handle of one route.
#[derive(Debug, Clone)]
pub struct RouteMetrics(Arc<Sharded<Cells>>);

#[derive(Debug, Default)]
struct Cells {
    /// By the code's first digit less one, made when the first such code comes.
    classes: [OnceLock<Box<Class>>; 5],
    /// No response was sent, or a code that no HTTP response can have.
    none: AtomicU64,
    duration: Durations,
    request_bytes: AtomicU64,
    response_bytes: AtomicU64,
}

/// A hundred status codes.
#[derive(Debug)]
struct Class([AtomicU64; 100]);

impl RouteMetrics {
    pub(super) fn new() -> Self {
        RouteMetrics(Arc::default())
    }

    /// An exchange of the route is over. `status` is 0 where no response was sent; it is counted
    /// as the code `0`. Bytes are those of bodies, without framing.
    #[inline]
    pub fn finished(
        &self,
        status: u16,
        duration: Duration,
        request_bytes: u64,
        response_bytes: u64,
    ) {
        let cells = self.0.local();
        cells.code(status).fetch_add(1, Relaxed);
        cells.duration.observe(&BOUNDS, duration);
        // Most requests have no body; an addition costs more than the question.
        if request_bytes > 0 {
            cells.request_bytes.fetch_add(request_bytes, Relaxed);
        }
        if response_bytes > 0 {
            cells.response_bytes.fetch_add(response_bytes, Relaxed);
        }
    }
}

impl Cells {
    #[inline]
    fn code(&self, status: u16) -> &AtomicU64 {
        let status = usize::from(status);
        let class = (status / 100).checked_sub(1).and_then(|class| self.classes.get(class));
        class
            .map(|class| class.get_or_init(Box::default))
            .and_then(|class| class.0.get(status % 100))
            .unwrap_or(&self.none)
    }
}

impl Default for Class {
    fn default() -> Self {
        Class(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

pub(super) fn expose(routes: &SeriesMap<Arc<str>, RouteMetrics>, out: &mut Exposition) {
    let mut requests = out.counter("weir_requests_total", "Requests served, by status code.");
    routes.each(|route, RouteMetrics(cells)| {
        let mut sample = |code: &str, count: u64| {
            if count > 0 {
                requests.sample(&[("route", route), ("code", code)], count as f64);
            }
        };
        sample("0", cells.sum(|shard| &shard.none));
        for class in 0..5 {
            let shards: Vec<&Class> = cells
                .iter()
                .filter_map(|shard| shard.classes.get(class)?.get().map(|class| &**class))
                .collect();
            for code in 0..100 {
                let count = shards.iter().filter_map(|shard| shard.0.get(code));
                let sum = count.map(|cell| cell.load(Relaxed)).sum();
                if sum > 0 {
                    sample(&((class + 1) * 100 + code).to_string(), sum);
                }
            }
        }
    });
    let mut duration = out.histogram(
        "weir_request_duration_seconds",
        "From a request's head to the end of its response.",
    );
    routes.each(|route, RouteMetrics(cells)| {
        let mut sum = DurationsSum::default();
        cells.iter().for_each(|shard| sum.add(&shard.duration));
        duration.durations(&[("route", route)], &BOUNDS, &sum);
    });
    let mut bytes =
        out.counter("weir_request_body_bytes_total", "Bytes of request bodies received.");
    routes.each(|route, RouteMetrics(cells)| {
        bytes.sample(&[("route", route)], cells.sum(|shard| &shard.request_bytes) as f64);
    });
    let mut bytes = out.counter("weir_response_body_bytes_total", "Bytes of response bodies sent.");
    routes.each(|route, RouteMetrics(cells)| {
        bytes.sample(&[("route", route)], cells.sum(|shard| &shard.response_bytes) as f64);
    });
}
