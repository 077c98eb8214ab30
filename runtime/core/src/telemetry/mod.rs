//! What the proxy tells of itself: metrics, the access log, its own log.
//!
//! In: events from every floor above, through handles that were resolved beforehand. Out: the
//! Prometheus exposition and log lines. Never: locks, hashes a label or allocates on a request's
//! way, and never blocks a worker on a disk or a terminal.

pub mod access_log;
pub mod acting;
pub mod log;
pub mod metrics;
mod writer;
