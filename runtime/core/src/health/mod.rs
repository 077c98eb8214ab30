//! Active health checks, as a state machine.
//!
//! In: the settings of an upstream, the time, and what each probe found. Out: when the next probe is
//! due, and when an endpoint goes out or comes back. Never: opens a connection, sleeps or asks a
//! clock.
//!
//! An endpoint starts healthy: after a start or a reload traffic flows at once, and the first probes
//! take out what is broken. The first probe comes at a place within the interval that depends on the
//! seed, so that a hundred endpoints are not probed in the same instant, then or later.

use std::time::{Duration, Instant};

use http::StatusCode;

use crate::config;

/// The state of one endpoint.
#[derive(Debug, Clone)]
pub struct Check {
    interval: Duration,
    timeout: Duration,
    /// Successes in a row until it is healthy again.
    rise: u32,
    /// Failures in a row until it is taken out.
    fall: u32,
    healthy: bool,
    /// Outcomes in a row that speak against `healthy`.
    against: u32,
    /// When the next probe is to begin.
    next: Instant,
    /// One is under way; there is never a second.
    probing: bool,
}

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    Success,
    /// A wrong status, no answer in time, no connection.
    Failure,
}

/// A change that an outcome brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transition {
    Healthy,
    Unhealthy,
}

impl Check {
    /// A healthy endpoint whose first probe is due within one interval. `seed`: any number that
    /// differs between endpoints.
    pub fn new(settings: &config::Health, now: Instant, seed: u64) -> Self {
        Check {
            interval: settings.interval,
            timeout: settings.timeout,
            rise: settings.healthy.max(1),
            fall: settings.unhealthy.max(1),
            healthy: true,
            against: 0,
            next: now + settings.interval.mul_f64(fraction(seed)),
            probing: false,
        }
    }

    /// The same endpoint after a reload: what is known of it stays, the settings are new. A probe
    /// under way belongs to the old check.
    pub fn reloaded(&self, settings: &config::Health, now: Instant, seed: u64) -> Self {
        let fresh = Check::new(settings, now, seed);
        // Not later than the new interval wants.
        let next = self.next.min(now + settings.interval);
        Check { healthy: self.healthy, against: self.against, next, ..fresh }
    }

    /// Whether requests should go there.
    pub fn is_healthy(&self) -> bool {
        self.healthy
    }

    /// How long a probe may take; the prober ends it then, as a [`Probed::Failure`].
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// When the next probe is due, if none is under way then.
    pub fn next_at(&self) -> Instant {
        self.next
    }

    /// Whether a probe should begin now.
    pub fn due(&self, now: Instant) -> bool {
        !self.probing && now >= self.next
    }

    /// A probe begins. The next is due one interval after this one was; what was missed (the
    /// machine slept) is not made up for.
    pub fn begin(&mut self, now: Instant) {
        self.probing = true;
        self.next += self.interval;
        if self.next <= now {
            self.next = now + self.interval;
        }
    }

    /// The probe is over.
    pub fn observe(&mut self, outcome: Probed, now: Instant) -> Option<Transition> {
        self.probing = false;
        // One that took longer than the interval does not cause two in a row.
        self.next = self.next.max(now);
        if (outcome == Probed::Success) == self.healthy {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let (threshold, transition) = match self.healthy {
            true => (self.fall, Transition::Unhealthy),
            false => (self.rise, Transition::Healthy),
        };
        if self.against < threshold {
            return None;
        }
        self.healthy = !self.healthy;
        self.against = 0;
        Some(transition)
    }
}

impl From<StatusCode> for Probed {
    /// 2xx and 3xx are a success.
    fn from(status: StatusCode) -> Self {
        if status.is_success() || status.is_redirection() {
            Probed::Success
        } else {
            Probed::Failure
        }
    }
}

/// 0 to 1, spread evenly for seeds that are close together (SplitMix64's last step).
fn fraction(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests;
