//! A bound on time that holds for a gRPC call only where somebody wrote it.
//!
//! In: a duration, written or a default. Out: how long something may take. Never: reads what a call's client
//! says of its time.

use std::time::Duration;

/// How long something may take. A gRPC call may take as long as its client lets it
/// (`grpc-timeout`): for it only a bound holds that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    after: Duration,
    written: bool,
}

impl Bound {
    /// Longer than anybody waits.
    pub const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

    /// Where nothing was written.
    pub const fn by_default(after: Duration) -> Bound {
        Bound { after, written: false }
    }

    pub const fn written(after: Duration) -> Bound {
        Bound { after, written: true }
    }

    /// Whether an operator said so.
    pub const fn is_written(self) -> bool {
        self.written
    }

    /// What holds for an exchange.
    pub fn of(self, grpc: bool) -> Duration {
        if grpc && !self.written { Bound::NEVER } else { self.after }
    }
}
