//! Threads by name, and what to do where none is to be had.
//!
//! In: a name, and what the thread is for. Out: the thread, or an error for people. Never: panics: at
//! a limit of threads a process says so and ends, or goes on without.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread. `name` is at most 15 bytes on Linux; `which` goes on a sentence: "looks names up".
///
/// # Errors
/// Where the system gives none; the message says which, and what to do.
pub fn spawn<T: Send + 'static>(
    name: &str,
    which: &str,
    does: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    Builder::new().name(name.to_owned()).spawn(does).map_err(|error| none(name, which, &error))
}

/// The same error where another crate starts the threads.
pub fn none(name: &str, which: &str, error: &dyn std::error::Error) -> io::Error {
    let text = format!("the system gives no thread `{name}`, which {which}: {error}; {HINT}");
    io::Error::other(text)
}

/// Which limit it was cannot be known.
pub const HINT: &str = "raise the limit of processes and threads (`ulimit -u`, LimitNPROC= and \
                        TasksMax= of systemd, pids.max of the cgroup), or set `server.workers` lower";
