//! What a plugin may hand to the proxy: grammars of heads, and how much of anything.
//!
//! In: what a plugin gives in a call of the contract. Out: whether the proxy takes it. Never: depends
//! on anything, or differs between the proxy and the fake one that plugins are tested with: both ask
//! here.

pub mod authority;
pub mod target;

/// The limiter.
pub mod limiter {
    /// Longest key, in bytes.
    pub const MAX_KEY: usize = 1 << 10;
    /// In-flight places of an exchange.
    pub const MAX_PLACES: usize = 64;
    /// What a bucket or a count costs beyond its key, in bytes of the quota.
    pub const ENTRY_BYTES: usize = 128;

    /// Whether there is such a bucket: tokens come back, at a rate that is a number, and one fits.
    pub fn is_bucket(rate: f64, burst: u32) -> bool {
        rate > 0.0 && rate.is_finite() && burst >= 1
    }
}

/// The store.
pub mod store {
    /// Longest key, in bytes.
    pub const MAX_KEY: usize = 1 << 10;
    /// Longest value, in bytes.
    pub const MAX_VALUE: usize = 1 << 20;
    /// What an entry costs beyond its key and value, in bytes of the quota.
    pub const ENTRY_BYTES: usize = 256;
}

/// What a plugin keeps in the proxy.
pub mod quota {
    /// `limits.quota` where nothing is said, in bytes.
    pub const DEFAULT: usize = 16 << 20;
    /// `limits.memory` where nothing is said, in bytes: no more of a body is read.
    pub const DEFAULT_MEMORY: usize = 16 << 20;
    /// Limiter and store have this part each to themselves.
    pub const OWN_PART: usize = 16;

    /// What the exchanges of one client may hold of so much: of what is beside the parts of limiter
    /// and store a quarter is left to the others.
    pub const fn client_share(limit: usize) -> usize {
        let beside = limit - 2 * (limit / OWN_PART);
        beside - beside / 4
    }
}

/// Attributes of an exchange.
pub mod attributes {
    /// Most of them.
    pub const MAX: usize = 64;
    /// Most bytes in their keys and values.
    pub const MAX_BYTES: usize = 16 << 10;
}

/// Lines of the log.
pub mod log {
    /// Most bytes of a message with its fields; the rest is cut.
    pub const MAX_BYTES: usize = 64 << 10;
    /// Fields of a line; the rest is left out.
    pub const MAX_FIELDS: usize = 64;
    /// Lines of one call; the rest is dropped.
    pub const MAX_LINES: u32 = 256;
}

/// Replies of plugins.
pub mod reply {
    /// The longest one may be put off, in milliseconds.
    pub const MAX_DELAY_MILLIS: u32 = 300_000;

    /// Whether a plugin may answer with this status: no interim one, and a known class.
    pub fn is_status(status: u16) -> bool {
        matches!(status, 200..=599)
    }
}

/// Calls to others.
pub mod outbound {
    /// Calls that are made at once.
    pub const MAX_AT_ONCE: usize = 16;
    /// Calls of one hook.
    pub const MAX_CALLS: usize = 64;
    /// The longest that one is waited for, in milliseconds.
    pub const MAX_TIMEOUT_MILLIS: u32 = 60_000;
    /// Field lines of a request.
    pub const MAX_FIELDS: usize = 100;
    /// Bytes of a request's head: method, target, names and values together. Less than what endpoints take by
    /// default: one that is asked for more may end a connection that others share.
    pub const MAX_HEAD_BYTES: usize = 32 << 10;
}
