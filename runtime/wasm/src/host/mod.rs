//! The host's side of every interface a plugin may import: one file each.
//!
//! In: a guest's call. Out: an answer from the exchange, or from what plugins share. Never: blocks,
//! and never reaches the file system, the network or the environment.

pub mod body;
pub mod bounds;
pub mod fields;
mod http_request;
mod http_response;
pub use self::http_response::legal_status;
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

/// Defines every interface of `weir:plugin`.
pub fn link(linker: &mut Linker<State>) -> Result<()> {
    let mut http = linker.instance(&format!("{PACKAGE}http@{VERSION}"))?;
    http_request::link(&mut http)?;
    http_response::link(&mut http)?;
    log::link(&mut linker.instance(&format!("{PACKAGE}log@{VERSION}"))?)?;
    metrics::link(&mut linker.instance(&format!("{PACKAGE}metrics@{VERSION}"))?)?;
    limiter::link(&mut linker.instance(&format!("{PACKAGE}limiter@{VERSION}"))?)?;
    store::link(&mut linker.instance(&format!("{PACKAGE}store@{VERSION}"))?)
}
