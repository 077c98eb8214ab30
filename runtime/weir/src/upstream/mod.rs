//! Upstreams: named sets of endpoints, and the connections to them.
//!
//! In: a request and the upstream it was routed to. Out: the response of one endpoint, with the
//! lease of its connection. Never: decides whether to try again (`proxy::forward`), or which
//! endpoint is healthy (`health` decides, [`prober`] asks).

mod alarm;
mod attempt;
mod attempt_error;
mod balanced;
mod cluster;
mod connector;
mod dial;
mod endpoint;
mod endpoint_set;
mod executor;
mod http1;
mod http2;
mod lease;
mod message;
mod pool;
mod prober;
mod queue;
pub mod resolver;
mod response_timeout;
#[cfg(test)]
pub(crate) mod sample;
mod streams;
mod usage;

pub use attempt::Attempt;
pub use balanced::Upstream;
pub use cluster::Cluster;
pub use endpoint::{EndpointState, InFlightRequest};
pub use endpoint_set::EndpointSet;
pub use lease::Lease;
pub use message::{Answer, Outgoing};
pub use prober::{Probing, probe};
pub use response_timeout::ResponseTimeout;
pub use usage::Usage;
