//! Weir, a reverse proxy whose every middleware is a sandboxed WebAssembly component.
//!
//! The life of a request, which the modules follow from the socket to the access log:
//!
//! ```text
//! socket ─net─▶ stream ─tls─▶ stream + Client ─http─▶ Request ─router─▶ Route { chain, upstream, timeouts }
//!     chain.on_request ─▶ Forward ─▶ upstream: pick endpoint ─▶ pooled connection ─▶ Response ─┐
//!           │                                                                                  │
//!           └─▶ Respond(reply): the upstream is never called ──────────────────────────────────┤
//!     client ◀─http─ body transforms ◀─ chain.on_response, in reverse, only plugins entered ◀──┘
//!     afterwards: chain.on_complete, access log, metrics
//! ```
//!
//! Modules stand on floors, lowest first; a module imports only from floors below its own, and a
//! test over the source keeps it so.

// Floor 0
pub mod client;
pub mod clock;
pub mod error;
mod threads;
pub mod turn;
// Floor 1
pub mod http;
pub mod quota;
pub mod shares;
// Floor 2
pub mod telemetry;
pub mod turns;
// Floor 3
pub mod config;
// Floor 4
pub mod balancer;
pub mod chain;
pub mod health;
pub mod router;
// Floor 5
pub mod net;
// Floor 6
pub mod tls;
// Floor 7
pub mod upstream;
pub mod wasm;
// Floor 8
pub mod proxy;
// Floor 9
pub mod server;
// Floor 10
#[cfg_attr(not(test), deny(clippy::print_stdout, clippy::print_stderr))] // they panic: cli::print
pub mod cli;
