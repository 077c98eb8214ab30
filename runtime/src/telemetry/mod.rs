//! What the proxy tells of itself: metrics, the access log, its own log, trace context.
//!
//! In: events from every floor above, through handles that were resolved beforehand. Out: the
//! Prometheus exposition, log lines, `traceparent` values. Never: locks, hashes a label or
//! allocates on a request's way, and never blocks a worker on a disk.

pub mod metrics;
