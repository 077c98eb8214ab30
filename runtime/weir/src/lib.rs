//! Weir, a reverse proxy whose every middleware is a sandboxed WebAssembly component.
//!
//! The life of a request, which the modules follow from the socket to the access log:
//!
//! ```text
//! socket ─net─▶ stream ─tls─▶ stream + Client ─http─▶ Request ─router─▶ Route { chain, upstream, timeouts }
//!     chain.run ─▶ request hooks ─▶ terminal: pick endpoint ─▶ pooled connection ─▶ Response ─┐
//!           │                                                                                 │
//!           └─▶ Replied: the terminal is never asked ─────────────────────────────────────────┤
//!     client ◀─http─ body transforms ◀─ chain.run_back, in reverse, only plugins entered ◀────┘
//!     afterwards: chain.on_complete, access log, metrics
//! ```
//!
//! What a message is, what is decided and what is told stands below, in [`weir_core`]; the host of
//! plugins in [`weir_wasm`], behind the trait of a chain's member. Modules stand on floors, lowest
//! first; a module imports only from floors below its own, and a test over the source keeps it so.
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_macros,
        reason = "tests make files, measure and tell"
    )
)]

// Floor 0
pub(crate) mod net;
// Floor 1
pub(crate) mod tls;
// Floor 2
pub(crate) mod upstream;
// Floor 3
pub(crate) mod proxy;
// Floor 4
pub(crate) mod server;
// Floor 5
pub mod control;
// Floor 6
#[cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))] // they panic: cli::print
pub mod cli;

#[cfg(test)]
#[path = "../../core/src/turns/tests/busy.rs"]
#[allow(dead_code, reason = "shared with the core's tests, which use more of it")]
mod busy;
#[cfg(test)]
use weir_core::turn;
