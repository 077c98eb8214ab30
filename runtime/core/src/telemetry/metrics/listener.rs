//! What a listener accepts and turns away.
//!
//! In: connections as they come and go. Out: `weir_connections`, `weir_connections_accepted_total`,
//! `weir_connections_rejected_total`, `weir_tls_handshake_failures_total`,
//! `weir_request_fields_dropped_total`. Never: knows a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use super::cell::Sharded;
use super::exposition::Exposition;
use super::series::SeriesMap;

/// The handle of one listener.
#[derive(Debug, Clone)]
pub struct ListenerMetrics(Arc<Sharded<Cells>>);

/// One open connection; dropping it closes it.
#[derive(Debug)]
pub struct ConnectionGuard(ListenerMetrics);

#[derive(Debug, Default)]
struct Cells {
    open: AtomicI64,
    accepted: AtomicU64,
    rejected: AtomicU64,
    handshakes_failed: AtomicU64,
    fields_dropped: AtomicU64,
}

impl ListenerMetrics {
    pub(super) fn new() -> Self {
        ListenerMetrics(Arc::default())
    }

    /// A connection was accepted: open until the guard is dropped.
    pub fn accepted(&self) -> ConnectionGuard {
        let cells = self.0.local();
        cells.accepted.fetch_add(1, Relaxed);
        cells.open.fetch_add(1, Relaxed);
        ConnectionGuard(self.clone())
    }

    /// A connection was closed, or another one for it: the listener's limit was reached.
    pub fn rejected(&self) {
        self.0.local().rejected.fetch_add(1, Relaxed);
    }

    /// A TLS handshake failed or took too long.
    pub fn handshake_failed(&self) {
        self.0.local().handshakes_failed.fetch_add(1, Relaxed);
    }

    /// Fields of a request were dropped because of `_` or `.` in their names.
    pub fn dropped_fields(&self, count: u64) {
        self.0.local().fields_dropped.fetch_add(count, Relaxed);
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.0.local().open.fetch_sub(1, Relaxed);
    }
}

pub(super) fn expose(listeners: &SeriesMap<Arc<str>, ListenerMetrics>, out: &mut Exposition) {
    let mut open = out.gauge("weir_connections", "Connections of clients that are open.");
    listeners.each(|listener, ListenerMetrics(cells)| {
        let sum: i64 = cells.iter().map(|shard| shard.open.load(Relaxed)).sum();
        open.sample(&[("listener", listener)], sum as f64);
    });
    type Column = fn(&Cells) -> &AtomicU64;
    let counters: [(&str, &str, Column); 4] = [
        ("weir_connections_accepted_total", "Connections accepted.", |cells| &cells.accepted),
        (
            "weir_connections_rejected_total",
            "Connections closed because the listener was at its limit.",
            |cells| &cells.rejected,
        ),
        (
            "weir_tls_handshake_failures_total",
            "TLS handshakes that failed or took too long.",
            |cells| &cells.handshakes_failed,
        ),
        (
            "weir_request_fields_dropped_total",
            "Request fields dropped because an endpoint could take their names for others.",
            |cells| &cells.fields_dropped,
        ),
    ];
    for (name, help, column) in counters {
        let mut family = out.counter(name, help);
        listeners.each(|listener, ListenerMetrics(cells)| {
            family.sample(&[("listener", listener)], cells.sum(column) as f64);
        });
    }
}
