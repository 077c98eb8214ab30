//! The server: workers, snapshots, hot reload, drain, admin.
//!
//! In: where the configuration is. Out: a running proxy, and a handle to reload and stop it.
//! Never: swaps anything that is not completely built; any error leaves the old snapshot serving.
//!
//! ```text
//! main      signals ─▶ orders · admin pages                     never anything slow
//! control   start · files that change                           compiles for the start; reads, waits
//! loads     reload ─▶ a snapshot                                may compile
//! worker-N  connections · requests                              one each
//! prober, resolver, compiler-N, weir-ticker, weir-reclaim, weir-log   what those need, from the start
//! ```

mod admin;
mod built;
mod connection;
mod connections;
mod control;
mod deploy;
mod driven;
mod files;
mod listener_settings;
mod loads;
mod notices;
mod options;
mod order;
mod reading;
mod reloads;
mod settling;
mod signals;
mod start;
mod state;
mod stream;
mod trace;
mod view;
mod worker;
mod writers;

pub use built::{Built, Numbers};
pub use control::{Reloaded, Running};
pub use options::{Options, StartError};
pub use signals::run;
pub use start::{build, start};
