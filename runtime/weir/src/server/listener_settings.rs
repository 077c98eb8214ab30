//! How a worker takes connections of one listener: its part of a snapshot that open connections share.
//!
//! In: what a configuration says of the listener. Out: the same, for connections from now on. Never: the
//! routes; those are of the snapshot that each request finds.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use weir_core::config::Limits;
use weir_core::http::forwarded::TrustedProxies;
use weir_core::telemetry::metrics::ListenerMetrics;

use crate::net::Bounds;

/// How connections of a listener are taken.
pub struct ListenerSettings {
    /// The listener's number. Its connections share it, for they outlast a reload that gives
    /// their address to a listener of another name.
    pub number: Rc<Cell<usize>>,
    pub limits: Limits,
    /// What of the limits holds for connections that are open too; theirs, as the number is.
    pub bounds: Arc<Bounds>,
    pub tls: Option<Arc<rustls::ServerConfig>>,
    pub metrics: ListenerMetrics,
    /// Peers that speak for many clients.
    pub trusted: Rc<TrustedProxies>,
}
