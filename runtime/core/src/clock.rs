//! The time source.
//!
//! In: nothing, or a test's hand. Out: monotonic [`Instant`]s and wall-clock [`SystemTime`]s.
//! Never: sleeps. Decisions take `now` as an argument; only the edges ask, [`now()`] for what timers wait
//! for, or a [`Clock`] for what is told. Who asks the machine itself says why: clippy looks.
#![expect(clippy::disallowed_methods, reason = "this is where the machine is asked")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// One that stands still until a test turns it.
    Turned(TurnedClock),
}

/// A clock for tests; clones show the same time.
#[derive(Debug, Clone)]
pub struct TurnedClock {
    start: (Instant, SystemTime),
    past: Arc<Mutex<Duration>>,
}

/// Monotonic time, as this thread's timers have it: what a runtime's test clock does to these (tokio's
/// `test-util`), it does to whoever asks here.
#[inline]
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// What has passed since then; nothing for what is yet to come.
#[inline]
pub fn since(then: Instant) -> Duration {
    now().saturating_duration_since(then)
}

/// Wall-clock time, of the machine.
pub fn wall() -> SystemTime {
    SystemTime::now()
}

impl Clock {
    /// Monotonic time.
    pub fn now(&self) -> Instant {
        match self {
            Clock::System => now(),
            Clock::Turned(clock) => clock.start.0 + clock.past(),
        }
    }

    /// Wall-clock time.
    pub fn wall(&self) -> SystemTime {
        match self {
            Clock::System => wall(),
            Clock::Turned(clock) => clock.start.1 + clock.past(),
        }
    }
}

impl TurnedClock {
    /// Starts now, by the machine's clock.
    pub fn new() -> Self {
        TurnedClock { start: (Instant::now(), SystemTime::now()), past: Arc::default() }
    }

    /// Lets `step` pass.
    pub fn turn(&self, step: Duration) {
        *self.past.lock().unwrap_or_else(PoisonError::into_inner) += step;
    }

    fn past(&self) -> Duration {
        *self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for TurnedClock {
    fn default() -> Self {
        TurnedClock::new()
    }
}
