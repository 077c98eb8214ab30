//! One attempt at an endpoint: what is sent, for whom, and how long its answer is waited for.

use std::time::Instant;

use super::message::Outgoing;
use super::response_timeout::ResponseTimeout;
use super::usage::Usage;

/// Without the request's body, which is taken where it is sent.
#[derive(Clone, Copy)]
pub struct Attempt<'a> {
    pub outgoing: Outgoing<'a>,
    /// Who has a place for it.
    pub client: &'a Usage,
    /// Not on a connection that was open then: one of them was found closed.
    pub opened_after: Option<Instant>,
    pub timeout: ResponseTimeout<'a>,
}
