//! What the fake proxy knows beside the exchange: clock, randomness, log, metrics, limits, store.
//!
//! In: calls of the plugin. Out: the answers the proxy would give, and what a test looks at.
//! Never: reads a real clock or real randomness.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use super::metrics::Metrics;
use crate::limiter::{Bucket, Verdict};
use crate::log::Level;

/// Longest key of the limiter, in bytes.
const MAX_KEY: usize = 1 << 10;
/// In-flight places of an exchange.
const MAX_PLACES: usize = 64;

/// A line that a plugin logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// How grave it is.
    pub level: Level,
    /// The text.
    pub message: String,
    /// Names and values.
    pub fields: Vec<(String, String)>,
}

pub(crate) struct State {
    pub(crate) now: SystemTime,
    pub(crate) random: u64,
    pub(crate) logs: Vec<LogLine>,
    /// Lines of the call under way.
    pub(crate) lines: usize,
    pub(crate) metrics: Metrics,
    pub(crate) store: BTreeMap<String, Entry>,
    buckets: BTreeMap<String, Fill>,
    pub(crate) in_flight: BTreeMap<String, u32>,
    /// What the exchange under way entered; `None` outside of a request hook.
    pub(crate) entered: Option<Vec<String>>,
}

/// A value of the store.
pub(crate) struct Entry {
    pub(crate) value: Vec<u8>,
    pub(crate) expires: Option<SystemTime>,
}

/// How full a bucket is, and since when.
struct Fill {
    tokens: f64,
    since: SystemTime,
}

thread_local! {
    static CURRENT: RefCell<Rc<RefCell<State>>> = RefCell::new(State::new());
}

/// The proxy whose plugin is running on this thread.
pub(crate) fn current() -> Rc<RefCell<State>> {
    CURRENT.with_borrow(Rc::clone)
}

/// Runs a call of the plugin with this proxy around it.
pub(crate) fn enter<R>(state: &Rc<RefCell<State>>, call: impl FnOnce() -> R) -> R {
    /// Puts the outer proxy back, also when the call panics.
    struct Restore(Rc<RefCell<State>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(Rc::clone(&self.0));
        }
    }
    let _restore = Restore(CURRENT.replace(Rc::clone(state)));
    state.borrow_mut().lines = 0;
    call()
}

// === impl State ===

impl State {
    /// A proxy at 2026-01-01T00:00:00Z.
    pub(crate) fn new() -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            random: 1,
            logs: Vec::new(),
            lines: 0,
            metrics: Metrics::default(),
            store: BTreeMap::new(),
            buckets: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            entered: None,
        }))
    }

    /// splitmix64: even, and the same in every run.
    pub(crate) fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.random;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    pub(crate) fn take(&mut self, key: &str, bucket: Bucket, cost: u32) -> Verdict {
        assert!(
            bucket.rate > 0.0 && bucket.burst >= 1,
            "trap: a bucket needs a rate above 0 and a burst of at least 1"
        );
        assert!(key.len() <= MAX_KEY, "trap: a key of `limiter::take` is longer than 1 KiB");
        let burst = f64::from(bucket.burst);
        let now = self.now;
        let level = self.buckets.entry(key.into()).or_insert(Fill { tokens: burst, since: now });
        let passed = now.duration_since(level.since).unwrap_or_default();
        level.tokens = (level.tokens + passed.as_secs_f64() * bucket.rate).min(burst);
        level.since = now;

        let cost = f64::from(cost);
        // A billionth of a token is rounding, not a refusal.
        let allowed = level.tokens + 1e-9 >= cost;
        if allowed {
            level.tokens = (level.tokens - cost).max(0.0);
        }
        let missing = if allowed { burst } else { cost } - level.tokens;
        Verdict {
            allowed,
            remaining: level.tokens as u32,
            wait_millis: if cost > burst {
                u64::MAX // it never holds as many
            } else {
                ((missing / bucket.rate * 1e6).round() as u64).div_ceil(1_000)
            },
        }
    }

    pub(crate) fn enter(&mut self, key: &str, limit: u32) -> bool {
        let Some(entered) = &mut self.entered else {
            panic!("trap: `limiter::enter` was called outside of a request hook");
        };
        assert!(key.len() <= MAX_KEY, "trap: a key of `limiter::enter` is longer than 1 KiB");
        assert!(entered.len() < MAX_PLACES, "trap: an exchange has at most 64 places");
        let count = self.in_flight.entry(key.into()).or_default();
        if *count >= limit {
            return false;
        }
        *count += 1;
        entered.push(key.into());
        true
    }

    /// The exchange ended: gives back what it had entered.
    pub(crate) fn leave(&mut self, entered: &[String]) {
        for key in entered {
            if let Some(count) = self.in_flight.get_mut(key) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// The entry, unless absent or expired.
    pub(crate) fn stored(&mut self, key: &str) -> Option<&mut Entry> {
        let now = self.now;
        self.store.retain(|_, entry| entry.expires.is_none_or(|expires| now < expires));
        self.store.get_mut(key)
    }
}
