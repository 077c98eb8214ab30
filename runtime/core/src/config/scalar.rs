//! Durations and sizes.
//!
//! In: a text without its place. Out: the value, or a [`Fault`] with a hint. Never: knows a grammar
//! of its own: `weir-units` has it, for plugins' tables too.

use std::time::Duration;

use weir_units::{Unfit, duration, size};

use super::problem::Fault;

/// `250ms`, `10s`, `1h`, `1m30s`, `1.5s`.
pub(crate) fn duration(text: &str) -> Result<Duration, Fault> {
    duration::parse(text).map_err(|unfit| match unfit {
        Unfit::Form => Fault::hint(format!("{text:?} is not a duration"), duration::WRITTEN),
        Unfit::Fine => Fault::new(format!("{text:?} is finer than a nanosecond")),
        Unfit::Large => Fault::new(format!("{text:?} is longer than 584 years")),
    })
}

/// `64KiB`, `10MiB`, `1.5GB`, `512B`, `512`.
pub(crate) fn size(text: &str) -> Result<u64, Fault> {
    size::parse(text).map_err(|unfit| match unfit {
        Unfit::Form => Fault::hint(format!("{text:?} is not a size"), size::WRITTEN),
        Unfit::Fine => Fault::new(format!("{text:?} is not a whole number of bytes")),
        Unfit::Large => Fault::new(format!("{text:?} does not fit in 64 bits")),
    })
}
