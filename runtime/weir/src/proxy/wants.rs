//! What a client wants beyond an answer.
//!
//! In: fields of a request that ask the proxy itself for something. Out: the same as facts, for the way
//! down and back. Never: kept beyond the response's head.

use http::header::HeaderValue;
use hyper::upgrade::OnUpgrade;
use weir_core::http::max_forwards::Final;

/// What a client wants beyond an answer.
#[derive(Default)]
pub struct Wants {
    /// To switch protocols.
    pub upgrade: Option<Box<Upgrade>>,
    /// An answer from here: the request must go no further.
    pub last: Option<Box<Final>>,
    /// To be asked for its body.
    pub to_be_asked: bool,
    /// Names with `_` or `.` were among the request's fields: those that plugins set must have no
    /// twin.
    pub no_twins: bool,
}

/// A switch of protocols that a client asks for (RFC 9110, 7.8).
pub struct Upgrade {
    /// What it offers, as it is passed on.
    pub protocol: HeaderValue,
    /// Where the codec hands over the client's stream after a 101.
    pub client: Option<OnUpgrade>,
    /// The endpoint agreed, by a 101.
    pub accepted: bool,
}

impl Wants {
    /// The client's stream, where an endpoint agreed to switch.
    pub fn switched(&mut self) -> Option<OnUpgrade> {
        self.upgrade.take().filter(|upgrade| upgrade.accepted)?.client
    }
}
