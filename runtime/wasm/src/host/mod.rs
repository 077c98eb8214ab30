//! The host's side of every interface a plugin may import: one file each.
//!
//! In: a guest's call. Out: an answer from the exchange, or from what plugins share. Never: blocks,
//! and never reaches the file system, the network or the environment.

mod attributes;
pub mod body;
pub mod bounds;
mod client;
pub mod fields;
mod request;
mod request_changes;
mod response;
mod response_changes;
pub use self::response_changes::legal_status;
mod limiter;
mod log;
mod metrics;
mod store;
pub mod wasi;

use wasmtime::component::{Linker, LinkerInstance};
use wasmtime::{Result, StoreContextMut};

use super::bindings::{PACKAGE, VERSION};
use super::state::State;

/// The store a host function is called from.
pub(super) type Context<'a> = StoreContextMut<'a, State>;
/// Where host functions are defined.
pub(super) type Interface<'a> = LinkerInstance<'a, State>;

/// Defines what is in an interface.
type Define = fn(&mut Interface<'_>) -> Result<()>;

/// The interfaces of `weir:plugin` that a plugin may import, and who defines what is in them.
pub const INTERFACES: [(&str, Define); 13] = [
    ("types", |_| Ok(())),
    ("request", request::link),
    ("request-changes", request_changes::link),
    ("request-body", body::link_request),
    ("client", client::link),
    ("attributes", attributes::link),
    ("response", response::link),
    ("response-changes", response_changes::link),
    ("response-body", body::link_response),
    ("log", log::link),
    ("metrics", metrics::link),
    ("limiter", limiter::link),
    ("store", store::link),
];

/// Defines every interface of `weir:plugin`.
pub fn link(linker: &mut Linker<State>) -> Result<()> {
    for (name, link) in INTERFACES {
        link(&mut linker.instance(&format!("{PACKAGE}{name}@{VERSION}"))?)?;
    }
    Ok(())
}
