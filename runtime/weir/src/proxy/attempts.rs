//! Whether a request that got no response is sent once more.
//!
//! In: how an attempt failed, what of the request could be sent again, and the time. Out: another
//! attempt, and with what, or none. Never: sends anything, or asks for the time; lets a request be sent
//! twice unless nothing of it was sent, or it is idempotent and here as a whole (RFC 9110, 9.2.2).

use std::time::Instant;

/// The attempts that a request has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts {
    /// Beside those that met a stale connection.
    left: u32,
    /// When the response is due: nothing is sent behind it.
    deadline: Instant,
    /// When a connection was found stale: all others of that time may be.
    stale: Option<Instant>,
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Failed {
    /// Nothing of the request reached the endpoint, or nothing it could have acted on.
    pub unsent: bool,
    /// The connection ended without a byte of a response.
    pub silent: bool,
    /// It had served before.
    pub reused: bool,
    /// When it was found to be over, where others may have found it so before.
    pub ended: Option<Instant>,
    /// There was no place for one more connection.
    pub full: bool,
}

/// What of a request can be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resendable {
    /// Its method is one that may be sent twice.
    pub idempotent: bool,
    /// Nobody has read from its body.
    pub untouched: bool,
    /// There is a copy of its body, which is here as a whole.
    pub copied: bool,
}

/// The next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    pub body: Source,
    /// At another endpoint, where there is one.
    pub elsewhere: bool,
}

/// The body of the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Untouched,
    Copy,
}

impl Attempts {
    /// So many after the first, and nothing behind `deadline`.
    pub fn new(retries: u32, deadline: Instant) -> Attempts {
        Attempts { left: retries, deadline, stale: None }
    }

    /// The next one takes no connection that was opened before, if any was stale.
    pub fn wants_opened_after(&self) -> Option<Instant> {
        self.stale
    }

    /// What follows an attempt that failed; none: its error is the answer. `several`: the upstream has
    /// more endpoints than this one.
    pub fn next(
        &mut self,
        failed: Failed,
        request: Resendable,
        several: bool,
        now: Instant,
    ) -> Option<Again> {
        let copy = || request.copied.then_some(Source::Copy);
        let body = if failed.unsent {
            request.untouched.then_some(Source::Untouched).or_else(copy)
        } else if failed.silent && request.idempotent {
            copy()
        } else {
            None
        }?;
        if self.left == 0 || now >= self.deadline {
            return None;
        }
        // A stale connection says nothing of its endpoint; what failed afresh does. Nor is it a try,
        // but once: from then on they are fresh ones.
        let stale = failed.silent && failed.reused;
        if !stale || self.stale.is_some() {
            self.left -= 1;
        }
        if stale {
            self.stale = Some(failed.ended.unwrap_or(now));
        }
        // Where others wait for a place already nobody need wait for it again.
        Some(Again { body, elsewhere: failed.full || !stale && several })
    }
}

#[cfg(test)]
mod tests;
