//! The host's side of every interface a plugin may import: one file each.
//!
//! In: a guest's call. Out: an answer from the exchange, or from what plugins share. Never: blocks,
//! and never reaches the file system or the environment, or of the
//! network anything but upstreams that are granted.

mod at_hand;
mod attributes;
mod body;
pub mod bounds;
mod client;
pub mod fields;
pub mod function;
pub mod functions;
mod limiter;
mod log;
mod metrics;
mod outbound;
mod reading;
mod request;
mod request_changes;
mod response;
mod response_changes;
mod store;
pub mod wasi;

pub use self::response_changes::legal_status;

/// The interfaces of `weir:plugin` that a plugin may import.
pub const INTERFACES: [&str; 14] = [
    "types",
    "request",
    "request-changes",
    "request-body",
    "client",
    "attributes",
    "response",
    "response-changes",
    "response-body",
    "log",
    "metrics",
    "limiter",
    "store",
    "outbound",
];
