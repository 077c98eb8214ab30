//! Where calls to the proxy go: to the contract's imports in a sandbox, to the fake elsewhere.
//!
//! In and out: the types of the bindings. Never: decides anything.

#[cfg(target_family = "wasm")]
mod calls;

#[cfg(not(target_family = "wasm"))]
pub use crate::testing::host::*;
#[cfg(target_family = "wasm")]
pub use calls::*;
