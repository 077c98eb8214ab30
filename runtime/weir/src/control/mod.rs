//! Control: what serves, from the start to the end of the process.
//!
//! In: where the configuration is, files that change, orders and signals. Out: workers that serve from it, and
//! pages that tell of them. Never: on a request's way; swaps anything that is not completely built: any
//! error leaves the old snapshot serving.
//!
//! Data goes one way: a task or a reload makes a snapshot, or what is other in one, every worker is told
//! by a [`Command`](crate::server::Command), and nobody asks a worker back.
//!
//! ```text
//! main      signals ─▶ orders · admin pages                     never anything slow
//! reloads   files that change ─▶ that they are due              may hang on a file system; also the start
//! loads     reload ─▶ a snapshot                                may compile
//! control   tasks that wait for others: prober ─▶ health        nothing that blocks; kept over reloads
//! worker-N  connections · requests                              one each
//! resolver, compiler-N, weir-ticker, weir-reclaim, weir-log     what those need, from the start
//! ```

mod admin;
mod build;
mod deploy;
mod endpoints;
mod files;
mod loads;
mod notices;
mod options;
mod order;
mod reading;
mod reloads;
mod running;
mod settling;
mod signals;
mod start;
mod state;
mod tasks;
mod trace;
mod view;
mod writers;

pub use build::Numbers;
pub use options::{Options, StartError};
pub use running::{Reloaded, Running};
pub use signals::run;
pub use start::{build, start};
