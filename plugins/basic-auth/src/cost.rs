//! Whether a hash can be computed within the plugin's limits.
//!
//! In: what a hash says of itself, `limits.memory` and `limits.deadline`. Out: nothing, or what to raise.
//! Never: computes one to find out: a configuration of many users is read at once, by every instance.

use std::hint::black_box;
use std::time::Duration;

use weir_sdk::{Error, Result, limits};

/// What it takes to compare a password with a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// CPU time on the machine of the README's table, with a password of 64 bytes.
    pub time: Duration,
    /// Bytes at once.
    pub memory: u64,
}

/// What this instance can pay.
pub struct Purse {
    deadline: Option<Duration>,
    memory: Option<u64>,
    /// The most bytes that were there, and the least that were not.
    tried: (u64, u64),
}

/// How much slower a machine may be on which what was accepted still works.
const SLOWER: u32 = 3;
/// The longest `limits.deadline`, and the largest `limits.memory`, that the proxy takes.
const MAX_DEADLINE: Duration = Duration::from_secs(10);
const MAX_MEMORY: u64 = 256 << 20;
/// Bytes that a call needs beside those of its hash.
const REST: u64 = 1 << 20;

// === impl Cost ===

impl Cost {
    /// `units` of so many nanoseconds each.
    pub fn of(units: u64, nanoseconds: u64, memory: u64) -> Self {
        Self { time: Duration::from_nanos(units.saturating_mul(nanoseconds)), memory }
    }
}

// === impl Purse ===

impl Purse {
    /// To be asked when all else is in place, for its memory is what is left.
    pub fn new() -> Self {
        Self { deadline: limits::deadline(), memory: limits::memory(), tried: (0, u64::MAX) }
    }

    /// # Errors
    /// What to raise, or to lower.
    pub fn pay(&mut self, cost: Cost) -> Result<()> {
        if !self.has(cost.memory) {
            let error = Error::new(format!(
                "to compare with this hash takes {} MiB of memory, more than `limits.memory` leaves",
                cost.memory.div_ceil(1 << 20),
            ));
            // What is used already, with room for what its allocator adds.
            let needed = (cost.memory + 8 * REST).div_ceil(1 << 20);
            return Err(error.help(match needed << 20 <= MAX_MEMORY {
                true => format!("raise it to \"{needed}MiB\", or make one that takes less"),
                false => "make one that takes less".into(),
            }));
        }
        let time = cost.time.saturating_mul(SLOWER);
        if let Some(deadline) = self.deadline.filter(|deadline| time > *deadline) {
            let error = Error::new(format!(
                "to compare with this hash may take {} on a slow machine ({} on another), where \
                 `limits.deadline` is {}",
                seconds(time),
                seconds(cost.time),
                seconds(deadline),
            ));
            return Err(error.help(match time <= MAX_DEADLINE {
                true => format!("raise it to \"{}s\", or make one of a lower cost", up(time)),
                false => "make one of a lower cost".into(),
            }));
        }
        Ok(())
    }

    /// Whether so much memory is to be had, tried once for each amount that is not known by then.
    fn has(&mut self, bytes: u64) -> bool {
        let (enough, too_much) = &mut self.tried;
        if bytes > *enough && bytes < *too_much {
            let wanted = usize::try_from(bytes.saturating_add(REST)).unwrap_or(usize::MAX);
            let mut room = Vec::<u8>::new();
            // An allocation that nobody sees would be left out by the compiler.
            let fits = self.memory.is_none_or(|memory| bytes.saturating_add(REST) <= memory)
                && black_box(&mut room).try_reserve_exact(wanted).is_ok();
            *(if fits { enough } else { too_much }) = bytes;
        }
        bytes <= self.tried.0
    }
}

/// With as many digits as a reader needs.
fn seconds(time: Duration) -> String {
    match time.as_secs() {
        secs @ 100.. => format!("{secs}s"),
        _ => format!("{:.1}s", time.as_secs_f64()),
    }
}

/// Whole seconds that are enough.
fn up(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
