//! Where calls to the proxy go: to the contract's imports in a sandbox, to the fake elsewhere.
//!
//! In and out: the types of the bindings. Never: decides anything.

#[cfg(target_family = "wasm")]
mod calls {
    pub use crate::bindings::imports::wasi::cli::environment;
    pub use crate::bindings::imports::wasi::random::random;
    pub use crate::bindings::imports::weir::plugin::http::{Request, Response};
    pub use crate::bindings::imports::weir::plugin::{limiter, store};
    pub use crate::bindings::records::weir::plugin::{log, metrics};

    /// The wall clock.
    pub fn now() -> std::time::SystemTime {
        std::time::SystemTime::now()
    }
}

#[cfg(not(target_family = "wasm"))]
pub use crate::testing::host::*;
#[cfg(target_family = "wasm")]
pub use calls::*;
