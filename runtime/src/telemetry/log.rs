//! The daemon's own log, on standard error.
//!
//! In: `tracing` events. Out: lines for people on a terminal, JSON elsewhere. Never: makes a worker
//! wait for the terminal; where it cannot keep up, lines are dropped and their number is told.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::writer::{Sink, Writer};

/// How long the end of the process waits for lines to be written.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Keeps the log going; dropping it writes what is left. `std::process::exit` drops nothing: call
/// [`LogGuard::flush`] before it.
#[derive(Debug)]
pub struct LogGuard {
    writer: Writer,
    dropped: Arc<AtomicU64>,
}

/// Hands every event to the writing thread.
struct Lines(Writer);

/// Takes the `tracing` events of the whole process. The level comes from `WEIR_LOG`, else from
/// `RUST_LOG`, in the syntax of [`EnvFilter`]; default `info`.
///
/// # Errors
///
/// A filter that cannot be read, or a log that was started before.
pub fn init() -> io::Result<LogGuard> {
    let filter = match ["WEIR_LOG", "RUST_LOG"].into_iter().find(|key| is_set(key)) {
        None => EnvFilter::new("info"),
        Some(key) => EnvFilter::try_from_env(key).map_err(|error| {
            let text = format!("{key} is no log filter: {error}; try `{key}=weir=debug,info`");
            io::Error::new(io::ErrorKind::InvalidInput, text)
        })?,
    };
    let dropped = Arc::new(AtomicU64::new(0));
    let stderr = Sink::Stream(Box::new(io::stderr()));
    let writer = Writer::start("weir-log", stderr, dropped.clone())?;
    let terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(terminal)
        .with_writer(Lines(writer.clone()));
    let started =
        if terminal { builder.try_init() } else { builder.json().flatten_event(true).try_init() };
    started.map_err(|error| io::Error::other(format!("the log was started before: {error}")))?;
    Ok(LogGuard { writer, dropped })
}

fn is_set(key: &str) -> bool {
    std::env::var_os(key).is_some_and(|value| !value.is_empty())
}

impl LogGuard {
    /// Waits, at most a second, until every event so far is written.
    pub fn flush(&self) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "log lines were dropped because they could not be written");
        }
        self.writer.flush(LAST_WAIT);
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Write for Lines {
    /// The formatter hands over an event as a whole.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.send(event.to_vec(), 1);
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        Lines(self.0.clone())
    }
}
