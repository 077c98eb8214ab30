//! When a plugin that keeps trapping is tried again.
//!
//! In: what came of its calls, `now`. Out: whether to call it. Never: reads a clock.

use std::time::{Duration, Instant};

/// Traps in a row that are no reason yet to stop.
const PATIENCE: u32 = 5;
/// The first pause; each further trap doubles it.
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
    /// Whether the plugin may be called.
    pub fn admits(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now >= until)
    }

    /// The instance was lost. Gives the pause that begins, if one does.
    pub fn failed(&mut self, now: Instant) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        let beyond = self.failures.checked_sub(PATIENCE)?;
        let pause = FIRST.saturating_mul(1 << beyond.min(16)).min(LONGEST);
        self.until = Some(now + pause);
        Some(pause)
    }

    /// A call went through.
    pub fn succeeded(&mut self) {
        *self = Backoff::default();
    }
}

#[cfg(test)]
mod tests;
