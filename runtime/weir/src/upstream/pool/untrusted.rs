//! Endpoints that are not trusted, or do not speak TLS, in the log.
//!
//! In: why there is no connection. Out: a warning once in a while, for it happens to every connection.
//! Never: tells of anything else.

use std::cell::Cell;
use std::time::{Duration, Instant};

use weir_core::clock;
use weir_core::config::Endpoint;
use weir_core::error::{Error, Kind};

/// How often the log is told.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Of one pool.
#[derive(Default)]
pub struct Untrusted {
    /// When the log was last told.
    told: Cell<Option<Instant>>,
    /// How many times it was not since.
    untold: Cell<u32>,
}

impl Untrusted {
    pub fn tell(&self, endpoint: &Endpoint, error: &Error) {
        if !matches!(error.kind, Kind::TlsCertificateError | Kind::TlsProtocolError) {
            return;
        }
        let now = clock::now();
        if self.told.get().is_some_and(|told| now.saturating_duration_since(told) < TELL_EVERY) {
            self.untold.set(self.untold.get().saturating_add(1));
            return;
        }
        self.told.set(Some(now));
        tracing::warn!(
            endpoint = %format_args!("{}:{}", endpoint.host, endpoint.port),
            error = %error.told(),
            suppressed = self.untold.replace(0),
            "no TLS with an endpoint"
        );
    }
}
