//! A switch of protocols that a client asks for (RFC 9110, 7.8).
//!
//! In: what the client offers. Out: where its stream is handed over once an endpoint agrees. Never:
//! switches: see [`switch`](super::switch).

use http::header::HeaderValue;
use hyper::upgrade::OnUpgrade;

/// A switch of protocols that a client asks for.
pub struct Upgrade {
    /// What it offers, as it is passed on.
    pub protocol: HeaderValue,
    /// Where hyper hands over the client's stream after a 101.
    pub client: Option<OnUpgrade>,
    /// The endpoint agreed, by a 101.
    pub accepted: bool,
}
