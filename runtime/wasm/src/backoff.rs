//! When a plugin is tried again whose instances cannot be made or configured.
//!
//! In: what came of the tries, `now`. Out: whether to try. Never: reads a clock, or hears of a call
//! that trapped: what one request provoked is no reason to refuse another.

use std::time::{Duration, Instant};

/// Failed tries in a row that are no reason yet to stop.
const PATIENCE: u32 = 5;
/// The first pause; each further try that fails doubles it.
const FIRST: Duration = Duration::from_millis(100);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(5);

/// Of one plugin on one worker.
#[derive(Debug, Clone, Copy, Default)]
pub struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// Whether an instance may be made.
    pub fn admits(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now >= until)
    }

    /// None could be made. Gives the pause that begins, if one does.
    pub fn failed(&mut self, now: Instant) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        let beyond = self.failures.checked_sub(PATIENCE)?;
        let pause = FIRST.saturating_mul(1 << beyond.min(16)).min(LONGEST);
        self.until = Some(now + pause);
        Some(pause)
    }

    /// One was made.
    pub fn succeeded(&mut self) {
        *self = Backoff::default();
    }
}

#[cfg(test)]
mod tests;
