//! The filter chain: the ordered plugins of a route.
//!
//! In: an exchange and the members of its chain. Out: forward or a reply on the way down, the
//! changed response on the way up. Never: knows of Wasm, sockets or upstreams.

mod exchange;
mod middleware;

pub use exchange::*;
pub use middleware::*;
