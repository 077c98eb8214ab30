//! The Wasm host: runs plugins as sandboxed components behind
//! [`chain::Middleware`](weir_core::chain::Middleware).
//!
//! In: the plugins of a configuration. Out: chain members for each worker. Never: blocks a worker
//! longer than a plugin's deadline, and never gives a plugin what its grants do not name.
//!
//! ```text
//! Host::load ── cache: bytes → compiled parts ── component: hooks, capabilities ── schema: config
//!     │           artifacts: on disk            compiling and schemas: a task, apart in a child process
//!     └─▶ LoadedPlugin ─ prepare ─▶ PreparedInstance ─ member ─▶ Rc<dyn Middleware>   (one a worker)
//! member: hook call ─▶ instance: exchange moved in ─▶ glue ─▶ guest ◀─▶ glue ◀─▶ host/*: one file for each import
//!                          └─ exchange moved out ◀─ verdict, or fault ─▶ log, metrics, backoff
//! ```
//!
//! A component is [taken apart](plan) and its core modules are linked to the host by [glue] of ours, for a call
//! costs a third of one through wasmtime's own component runtime: of the trivial pair of hooks in a loop, with the
//! same host functions, 6,100 instructions for 18,700. wasmtime-environ, which that runtime takes components
//! apart with, does so here too; what is ours is how texts and lists come into a guest and out of it
//! ([`memory`], [`answer`], [`contract`]), in safe Rust, and the types of functions, which are compared as text.
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_macros,
        reason = "tests make files, measure and tell"
    )
)]

mod answer;
mod apart;
mod artifacts;
mod aside;
mod backoff;
mod cache;
mod call;
mod calls;
mod capability;
mod capacity;
mod compilers;
mod component;
mod contract;
mod credentials;
mod deadline;
mod digest;
mod encoding;
mod engine;
mod fault;
mod functions;
mod glue;
mod host;
mod instance;
mod kept;
mod loaded;
mod loading;
mod long_calls;
mod member;
mod memory;
mod named;
mod options;
mod parts;
mod plan;
mod plugin;
mod pool;
mod problem;
mod reclaimer;
mod reply;
mod report;
mod said;
mod schema;
mod set_up;
mod shared;
mod slice;
mod snapshot;
mod state;
mod task;
mod template;
#[cfg(test)]
mod tests;
mod ticker;
mod transform;

pub use apart::{COMMAND as APART, Loader};
pub use capability::Capabilities;
pub use contract::About;
pub use loaded::{Inspection, LoadedPlugin, PreparedInstance};
pub use loading::Loading;
pub use options::{BuiltIn, HostOptions};
pub use plugin::Host;
pub use problem::PluginProblem;
pub use task::{Task, serve as serve_task};
