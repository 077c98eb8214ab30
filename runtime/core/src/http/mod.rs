//! The message model: what an HTTP message is to the proxy, and what RFC 9110–9112 say of it.
//!
//! In: heads and bodies as peers send them. Out: the same, made safe to route and to forward.
//! Never: knows a route, a plugin or a socket.

mod added;
pub mod ambiguous;
mod body;
mod client;
pub mod concealed;
pub mod crumbs;
pub mod field_line;
pub mod forwarded;
pub mod framing;
pub mod grpc;
pub mod hop;
pub mod host;
mod idle;
pub mod length;
pub mod max_forwards;
pub mod merging;
mod pace;
pub mod padding;
pub mod path;
pub mod query;
mod received;
pub mod spare;
pub mod trailer;
mod upload;
pub mod via;

pub use added::AddedFields;
pub use body::{Body, CollectError};
pub use client::{Client, Tls};
pub use idle::IdleTimer;
pub use pace::Pace;
pub use received::{Received, Source};
pub use upload::{Pause, UploadState};
