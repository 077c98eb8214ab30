//! The server: workers, each with its listeners' sockets, connections and snapshot.
//!
//! In: commands, with all that a worker is to serve from, complete. Out: served connections. Never:
//! builds anything, or knows where it comes from; `control` does.

mod built;
mod connection;
mod connections;
mod driven;
mod listener_settings;
mod stream;
mod worker;

pub use built::Built;
pub use stream::Served;
pub use worker::{Command, Parts, Setup, WorkerHandle, WorkerLogMaker, start};
