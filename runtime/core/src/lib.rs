//! What Weir knows without a socket and without WebAssembly: what a message is, what is decided, what
//! is told.
//!
//! In: heads, configuration files, outcomes, and `now`. Out: decisions, and lines and numbers of what
//! happened. Never: opens a connection, runs a plugin, or asks a clock that a test cannot turn.
//!
//! Modules stand on floors, lowest first; a module imports only from floors below its own, and a
//! test over the source keeps it so (`runtime/weir/tests/floors.rs`).
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_macros,
        reason = "tests make files, measure and tell"
    )
)]

// Floor 0
pub mod client;
pub mod clock;
pub mod error;
pub mod threads;
pub mod turn;
// Floor 1
pub mod http;
pub mod quota;
pub mod shares;
// Floor 2
pub mod outbound;
pub mod public;
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
pub mod state;
