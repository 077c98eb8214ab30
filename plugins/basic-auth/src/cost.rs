//! Whether a hash can be computed within the plugin's limits, and for how long a password.
//!
//! In: what a hash says of itself, `limits.memory` and `limits.deadline`. Out: the longest password that is
//! compared with it, or what to raise. Never: computes one to find out: a configuration of many users is
//! read at once, by every instance.

use std::hint::black_box;
use std::time::Duration;

use weir_sdk::{Error, Result, limits};

/// What it takes to compare a password with a hash, in the hash's own numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// As many rounds as 2 to the power of this, over the first 72 bytes.
    Bcrypt(u32),
    /// So much memory, and so many passes over it.
    Argon2 { kibibytes: u32, passes: u32 },
    /// So many rounds, nearly all of which take in the whole password twice.
    Sha256(u32),
    /// The same.
    Sha512(u32),
}

/// What this instance can pay.
pub struct Purse {
    deadline: Option<Duration>,
    memory: Option<u64>,
    /// The most bytes that were there, and the least that were not.
    tried: (u64, u64),
}

/// The longest password that is compared with any hash, in bytes.
pub const MAX_PASSWORD: usize = 1024;
/// A hash has to leave time for one that is as long as this (NIST SP 800-63B, 3.1.1.2).
const MIN_PASSWORD: usize = 64;

// CPU time of what a hash does over and over, in nanoseconds: measured in the proxy's host on the
// machine of the README's table, while it was busy.
/// For each round of bcrypt.
const BCRYPT: u64 = 73_000;
/// For each KiB in each pass of argon2id, however many lanes it has.
const ARGON2: u64 = 1_150;
/// For each round of SHA-crypt with SHA-256 and with SHA-512, and in it for each 64 bytes of a password.
const SHA256: (u64, u64) = (352, 448);
const SHA512: (u64, u64) = (430, 270);
/// The rounds of SHA-crypt that its own specification allows.
const MIN_ROUNDS: u64 = 1_000;

/// How much slower a machine may be on which what was accepted still works.
const SLOWER: u32 = 3;
/// The longest `limits.deadline`, and the largest `limits.memory`, that the proxy takes.
const MAX_DEADLINE: Duration = Duration::from_secs(10);
const MAX_MEMORY: u64 = 256 << 20;
/// Bytes that a call needs beside those of its hash.
const REST: u64 = 1 << 20;

// === impl Cost ===

impl Cost {
    /// CPU time on the machine of the README's table, for a password of so many bytes.
    fn time(self, password: usize) -> Duration {
        let rounds = match self {
            Self::Bcrypt(cost) => 1_u64.checked_shl(cost).unwrap_or(u64::MAX),
            Self::Argon2 { kibibytes, passes } => u64::from(kibibytes) * u64::from(passes),
            // First of all the password is hashed once for each of its bytes.
            Self::Sha256(rounds) | Self::Sha512(rounds) => u64::from(rounds) + password as u64,
        };
        Duration::from_nanos(rounds.saturating_mul(self.round(password)))
    }

    /// Nanoseconds of what it does over and over.
    fn round(self, password: usize) -> u64 {
        let of = |(round, part): (u64, u64)| round + part * password as u64 / 64;
        match self {
            Self::Bcrypt(_) => BCRYPT,
            Self::Argon2 { .. } => ARGON2,
            Self::Sha256(_) => of(SHA256),
            Self::Sha512(_) => of(SHA512),
        }
    }

    /// Bytes at once.
    fn memory(self) -> u64 {
        match self {
            Self::Argon2 { kibibytes, .. } => u64::from(kibibytes) << 10,
            Self::Bcrypt(_) | Self::Sha256(_) | Self::Sha512(_) => 0,
        }
    }

    /// What would not take longer than this, in the words of who makes hashes of this kind.
    fn lower(self, time: Duration) -> Option<String> {
        let rounds = u64::try_from(time.as_nanos()).ok()? / self.round(MIN_PASSWORD);
        match self {
            Self::Bcrypt(_) => rounds.checked_ilog2().map(|cost| cost.to_string()),
            Self::Argon2 { .. } => Some(format!("{rounds} KiB times passes")),
            Self::Sha256(_) | Self::Sha512(_) => rounds
                .checked_sub(MIN_PASSWORD as u64)
                .filter(|rounds| *rounds >= MIN_ROUNDS)
                .map(|rounds| format!("{rounds} rounds")),
        }
    }
}

// === impl Purse ===

impl Purse {
    /// To be asked when all else is in place, for its memory is what is left.
    pub fn new() -> Self {
        Self { deadline: limits::deadline(), memory: limits::memory(), tried: (0, u64::MAX) }
    }

    /// The longest password, in bytes, that can be compared with a hash of this cost.
    ///
    /// # Errors
    /// There is none that is long enough: what to raise, or to lower.
    pub fn longest_password(&mut self, cost: Cost) -> Result<usize> {
        if !self.has(cost.memory()) {
            let error = Error::new(format!(
                "to compare with this hash takes {} MiB of memory, more than `limits.memory` leaves",
                cost.memory().div_ceil(1 << 20),
            ));
            // What is used already, with room for what its allocator adds.
            let needed = (cost.memory() + 8 * REST).div_ceil(1 << 20);
            return Err(error.help(match needed << 20 <= MAX_MEMORY {
                true => format!("raise it to \"{needed}MiB\", or make one that takes less"),
                false => "make one that takes less".into(),
            }));
        }
        let Some(deadline) = self.deadline else { return Ok(MAX_PASSWORD) };
        let fits = |password| cost.time(password).saturating_mul(SLOWER) <= deadline;
        if !fits(MIN_PASSWORD) {
            return Err(too_slow(cost, deadline));
        }
        let (mut longest, mut longer) = (MIN_PASSWORD, MAX_PASSWORD + 1);
        while longer - longest > 1 {
            let middle = longest.midpoint(longer);
            if fits(middle) { longest = middle } else { longer = middle }
        }
        Ok(longest)
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

/// What to do about a hash that takes longer than the deadline.
fn too_slow(cost: Cost, deadline: Duration) -> Error {
    let fast = cost.time(MIN_PASSWORD);
    let slow = fast.saturating_mul(SLOWER);
    let error = Error::new(format!(
        "to compare with this hash may take {} on a slow machine ({} on another), where \
         `limits.deadline` is {}",
        seconds(slow),
        seconds(fast),
        seconds(deadline),
    ));
    let lower = match cost.lower(deadline / SLOWER) {
        Some(most) => format!("make one of a lower cost: up to {most}"),
        None => "make one of a lower cost".into(),
    };
    error.help(match slow <= MAX_DEADLINE {
        true => format!("raise it to \"{}s\", or {lower}", up(slow)),
        false => lower,
    })
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
