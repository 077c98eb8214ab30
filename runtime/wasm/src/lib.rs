//! The Wasm host: runs plugins as sandboxed components behind
//! [`chain::Middleware`](weir_core::chain::Middleware).
//!
//! In: the plugins of a configuration. Out: chain members for each worker. Never: blocks a worker
//! longer than a plugin's deadline, and never gives a plugin what its grants do not name.
//!
//! ```text
//! Host::load ── cache: bytes → compiled component ── component: hooks, capabilities ── schema: config
//!     │           artifacts: on disk            compiling and schemas: a task, apart in a child process
//!     └─▶ LoadedPlugin ─ prepare ─▶ PreparedInstance ─ member ─▶ Rc<dyn Middleware>   (one a worker)
//! member: hook call ─▶ instance: exchange moved in ─▶ guest ◀─▶ host/*: one file for each import
//!                          └─ exchange moved out ◀─ verdict, or fault ─▶ log, metrics, backoff
//! ```
#![cfg_attr(
    test,
    allow(
        clippy::disallowed_methods,
        clippy::disallowed_macros,
        reason = "tests make files, measure and tell"
    )
)]

mod apart;
mod artifacts;
mod aside;
mod backoff;
mod bindings;
mod cache;
mod call;
mod capability;
mod capacity;
mod compilers;
mod component;
mod credentials;
mod deadline;
mod digest;
mod engine;
mod fault;
mod functions;
mod host;
mod instance;
mod kept;
mod loaded;
mod loading;
mod long_calls;
mod member;
mod named;
mod options;
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
mod state;
mod task;
mod template;
#[cfg(test)]
mod tests;
mod ticker;
mod transform;

pub use apart::{COMMAND as APART, Loader};
pub use bindings::About;
pub use capability::Capabilities;
pub use loaded::{Inspection, LoadedPlugin, PreparedInstance};
pub use loading::Loading;
pub use options::{BuiltIn, HostOptions};
pub use plugin::Host;
pub use problem::PluginProblem;
pub use task::{Task, serve as serve_task};
