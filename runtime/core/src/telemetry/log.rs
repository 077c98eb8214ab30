//! The daemon's own log, on standard error.
//!
//! In: `tracing` events. Out: lines for people on a terminal, JSON elsewhere. Never: makes a worker
//! wait for the terminal; where it cannot keep up, lines are dropped and their number is told; nor
//! lets a peer fill it, for what others cause is told at most once in a while.

mod fields;
mod filter;
mod json;
mod limit;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

use crate::clock;

use self::json::Json;
use self::limit::{Limit, Limited};
use super::writer::{Sink, Writer};

pub use self::fields::Fields;
pub use self::filter::Filter;

/// How long the end of the process waits for lines to be written.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Keeps the log going; dropping it writes what is left. `std::process::exit` drops nothing: call
/// [`LogGuard::flush`] before it.
#[derive(Debug)]
pub struct LogGuard {
    writer: Writer,
}

/// The log of the process.
struct Log {
    switch: reload::Handle<Targets, Registry>,
    limit: Limit,
    dropped: Arc<AtomicU64>,
    levels: Mutex<Levels>,
}

/// Who said last what is told.
struct Levels {
    /// From the environment, which a configuration does not overrule.
    given: Option<Filter>,
    configured: Filter,
    now: Filter,
}

/// Hands every event to the writing thread.
struct Lines(Writer);

static LOG: OnceLock<Log> = OnceLock::new();

/// Takes the `tracing` events of the whole process. What is told comes from `WEIR_LOG`, else from
/// `RUST_LOG`, in the syntax of [`Filter::parse`]; else from the configuration ([`configure`]), and
/// `info` until that is read.
///
/// # Errors
///
/// A filter that cannot be read, or a log that was started before.
pub fn init() -> io::Result<LogGuard> {
    let given = given().map_err(|text| io::Error::new(io::ErrorKind::InvalidInput, text))?;
    let (given, unknown) = given.map_or((None, Vec::new()), |(filter, rest)| (Some(filter), rest));
    let now = given.clone().unwrap_or_default();
    let before = |_| io::Error::other("the log was started before");
    let dropped: Arc<AtomicU64> = Arc::default();
    let (filter, switch) = reload::Layer::new(now.targets());
    let levels = Mutex::new(Levels { given, configured: Filter::default(), now });
    let log = Log { switch, limit: Limit::default(), dropped: dropped.clone(), levels };
    LOG.set(log).map_err(|_| before(()))?;
    let limit = &LOG.get().ok_or_else(|| before(()))?.limit;
    let stderr = Sink::stream(io::stderr())?;
    let writer = Writer::start_with("weir-log", stderr, dropped, tell_what_was_held)?;
    let looking = writer.clone();
    let limited = Limited { limit, held: move || looking.look() };
    let terminal = io::stderr().is_terminal();
    let lines = fmt::layer().with_ansi(terminal).with_writer(Lines(writer.clone()));
    let lines = match terminal {
        true => lines.boxed(),
        false => lines.event_format(Json).boxed(),
    };
    let layers = tracing_subscriber::registry().with(filter).with(limited).with(lines);
    layers.try_init().map_err(|_| before(()))?;
    // The usual hook waits for standard error, which may be a pipe that nobody reads.
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "a bug of Weir's")));
    for part in unknown {
        tracing::warn!(part, "RUST_LOG has what is no level and no target=level: it is left out");
    }
    Ok(LogGuard { writer })
}

/// What the environment says, and which of it is not understood: the second variable is for every
/// program that somebody starts, and none should fail for the sake of another.
fn given() -> Result<Option<(Filter, Vec<String>)>, String> {
    let set = |key| std::env::var_os(key).filter(|value| !value.is_empty());
    if let Some(own) = set("WEIR_LOG") {
        let filter = Filter::parse(&own.to_string_lossy());
        return filter
            .map(|filter| Some((filter, Vec::new())))
            .map_err(|why| format!("WEIR_LOG: {why}; try `WEIR_LOG=info,weir=debug`"));
    }
    Ok(set("RUST_LOG").map(|shared| Filter::parse_shared(&shared.to_string_lossy())))
}

/// Takes what a configuration says into use, where it says another thing than the one before, and
/// the environment nothing.
pub fn configure(filter: &Filter) {
    let Some(log) = LOG.get() else { return };
    let mut levels = log.levels.lock().unwrap_or_else(PoisonError::into_inner);
    if levels.given.is_none() && levels.configured != *filter {
        levels.configured = filter.clone();
        log.take(&mut levels, filter.clone());
    }
}

/// Changes what is told while the process runs, until the configuration says another thing; `None`
/// goes back to what it says. Gives what is told now.
///
/// # Errors
/// The log of this process is not Weir's.
pub fn switch(filter: Option<Filter>) -> Result<Filter, String> {
    let log = LOG.get().ok_or("this process writes no log of Weir's")?;
    let mut levels = log.levels.lock().unwrap_or_else(PoisonError::into_inner);
    let said = || levels.given.clone().unwrap_or_else(|| levels.configured.clone());
    let filter = filter.unwrap_or_else(said);
    log.take(&mut levels, filter);
    Ok(levels.now.clone())
}

/// What is told now; `None` where the log of this process is not Weir's.
pub fn filter() -> Option<Filter> {
    let levels = LOG.get()?.levels.lock().unwrap_or_else(PoisonError::into_inner);
    Some(levels.now.clone())
}

/// Lines of this log that could not be written.
pub fn dropped() -> u64 {
    LOG.get().map_or(0, |log| log.dropped.load(Ordering::Relaxed))
}

/// For each kind of event that was not told as often as it happened, one line says so; whether
/// there will be more.
fn tell_what_was_held() -> bool {
    let Some(log) = LOG.get() else { return false };
    let (due, more) = log.limit.over(clock::now());
    for held in due {
        tracing::warn!(
            of = held.target,
            like = held.example,
            count = held.count,
            "not told as often as it happened"
        );
    }
    more
}

impl Log {
    fn take(&self, levels: &mut Levels, filter: Filter) {
        if self.switch.reload(filter.targets()).is_ok() {
            tracing::info!(levels = %filter, "what the log tells");
            levels.now = filter;
        }
    }
}

impl LogGuard {
    /// Waits, at most a second, until every event so far is written.
    pub fn flush(&self) {
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
