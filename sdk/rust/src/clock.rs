//! The wall clock. Needs no grant; a test sets it with
//! [`testing::Plugin::advance`](crate::testing::Plugin::advance).

use std::time::{Duration, SystemTime};

/// The time of day.
pub fn now() -> SystemTime {
    crate::host::now()
}

/// Time since 1970-01-01T00:00:00Z, zero before it.
pub fn since_epoch() -> Duration {
    now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Whole seconds since 1970-01-01T00:00:00Z, as in the claims of a JWT.
pub fn unix_seconds() -> u64 {
    since_epoch().as_secs()
}

/// Whole milliseconds since 1970-01-01T00:00:00Z, as in UUIDv7 and ULID.
pub fn unix_millis() -> u64 {
    u64::try_from(since_epoch().as_millis()).unwrap_or(u64::MAX)
}
