//! Durations and sizes as configurations write them: `250ms`, `1m30s`, `64KiB`.
//!
//! In: a text of a configuration, the proxy's own or a plugin's. Out: the value, or why there is
//! none; the way back; and the same grammar as a pattern for JSON Schemas. Never: depends on
//! anything or calculates with floats: every guest carries it, and what is written is what is meant.

pub mod duration;
mod number;
pub mod size;
#[cfg(test)]
mod tests;

/// Why a text is no duration or no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is written in another way.
    Form,
    /// It is finer than a nanosecond, or is no whole number of bytes.
    Fine,
    /// It is longer than 584 years, or larger than 64 bits can say.
    Large,
}
