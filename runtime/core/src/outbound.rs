//! Calls that plugins make to others by HTTP, between who runs plugins and who has connections.
//!
//! In: a request for an upstream, for whom, and until when. Out: the answer's head and its body as it comes, or
//! why there is none. Never: decides what a plugin may call; who runs it does, before it asks.

use std::any::Any;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{request, response};

use crate::client::ClientKey;
use crate::error::{Error, Kind, Side};
use crate::http::Body;

/// A request that somebody is to send.
#[derive(Debug)]
pub struct Call {
    /// The upstream's name.
    pub upstream: Arc<str>,
    /// `uri` is path and query alone. Without fields of the last hop, and with those of the body's framing.
    pub head: request::Parts,
    pub body: Bytes,
    /// In whose share of connections it is made.
    pub client: ClientKey,
    /// The head of the answer is waited for no longer.
    pub due: Instant,
}

/// What came back.
pub struct Called {
    pub head: response::Parts,
    pub body: Body,
    /// The connection is kept as long as this is, and used again where the body was read to its end.
    pub connection: Box<dyn Any + Send>,
}

/// A call under way. Cancel safety: dropping it gives the call up.
pub type Calling = Pin<Box<dyn Future<Output = Result<Called, Box<Error>>> + Send>>;

/// Who makes calls: one for each worker.
pub trait Outbound: fmt::Debug + Send + Sync {
    /// Begins a call.
    fn call(&self, call: Call) -> Calling;
}

/// Where nobody can be called.
#[derive(Debug)]
struct Nobody;

impl Outbound for Nobody {
    fn call(&self, call: Call) -> Calling {
        let detail = format!("there is no upstream {}", call.upstream);
        let error = Error::new(Kind::DestinationUnavailable, Side::Upstream, detail);
        Box::pin(async { Err(Box::new(error)) })
    }
}

/// For who runs plugins that call nobody.
pub fn nobody() -> Arc<dyn Outbound> {
    Arc::new(Nobody)
}

impl fmt::Debug for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Called").field("status", &self.head.status).finish_non_exhaustive()
    }
}
