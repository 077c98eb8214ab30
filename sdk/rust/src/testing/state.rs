//! What the fake proxy knows beside the exchange: clock, randomness, log, metrics, limits, store.
//!
//! In: calls of the plugin. Out: the answers the proxy would give, and what a test looks at.
//! Never: reads a real clock or real randomness.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use weir_bounds::limiter::{MAX_KEY, MAX_PLACES, is_bucket};
use weir_bounds::{limiter, quota, store};

use super::message::{Answering, FakeResponse};
use super::metrics::Metrics;
use crate::limiter::{Bucket, Verdict};
use crate::log::Level;

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
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) logs: Vec<LogLine>,
    /// Lines of the call under way.
    pub(crate) lines: u32,
    pub(crate) metrics: Metrics,
    pub(crate) store: BTreeMap<String, Entry>,
    /// Of the last entry.
    serial: u64,
    buckets: BTreeMap<String, Fill>,
    pub(crate) in_flight: BTreeMap<String, u32>,
    /// What a test answers for.
    pub(crate) callable: BTreeMap<String, Answering>,
    /// Of the call of a hook under way: how many calls it made, and what was answered.
    pub(crate) called: usize,
    pub(crate) answers: Vec<FakeResponse>,
    /// What the exchange under way entered; `None` outside of a request hook.
    pub(crate) entered: Option<Vec<String>>,
}

/// A value of the store.
pub(crate) struct Entry {
    pub(crate) value: Vec<u8>,
    pub(crate) expires: Option<SystemTime>,
    /// The older, the lower.
    serial: u64,
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
    {
        let mut state = state.borrow_mut();
        (state.lines, state.called) = (0, 0);
        state.answers.clear();
    }
    call()
}

// === impl State ===

impl State {
    /// A proxy at 2026-01-01T00:00:00Z.
    pub(crate) fn new() -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            random: 1,
            environment: Vec::new(),
            logs: Vec::new(),
            lines: 0,
            metrics: Metrics::default(),
            store: BTreeMap::new(),
            serial: 0,
            buckets: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            callable: BTreeMap::new(),
            called: 0,
            answers: Vec::new(),
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
            is_bucket(bucket.rate, bucket.burst),
            "trap: a bucket needs a rate above 0 and a burst of at least 1"
        );
        assert!(key.len() <= MAX_KEY, "trap: a key of `limiter::take` is longer than 1 KiB");
        if !self.buckets.contains_key(key) {
            self.make_room(key.len() + limiter::ENTRY_BYTES);
        }
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
        if !self.in_flight.contains_key(key) {
            self.make_room(key.len() + limiter::ENTRY_BYTES);
        }
        let Some(entered) = &mut self.entered else { return false };
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

    /// Sets an entry of the store. Those nearest their expiry make room for it, those without one
    /// last, as far as they are the store's.
    pub(crate) fn keep(
        &mut self,
        key: &str,
        value: &[u8],
        expires: Option<SystemTime>,
    ) -> Result<(), &'static str> {
        let bytes = key.len() + value.len() + store::ENTRY_BYTES;
        let own = quota::DEFAULT / quota::OWN_PART;
        let limiter = self.limiter_bytes().max(own);
        if limiter + bytes > quota::DEFAULT {
            return Err("`limits.quota` is used up");
        }
        self.stored(key);
        self.store.remove(key);
        while self.store_bytes() + limiter + bytes > quota::DEFAULT {
            if !self.drop_first() {
                break;
            }
        }
        self.serial += 1;
        let entry = Entry { value: value.to_vec(), expires, serial: self.serial };
        self.store.insert(key.into(), entry);
        Ok(())
    }

    /// Makes room for a bucket or a count: of the store, as far as it is not its own, then of those
    /// buckets that were touched first.
    fn make_room(&mut self, bytes: usize) {
        let own = quota::DEFAULT / quota::OWN_PART;
        while self.limiter_bytes() + self.store_bytes().max(own) + bytes > quota::DEFAULT {
            if self.store_bytes() > own && self.drop_first() {
                continue;
            }
            let first = self.buckets.iter().min_by_key(|(_, fill)| fill.since);
            let first = first.map(|(key, _)| key.clone());
            let first = first.expect("trap: `limits.quota` is used up by places of `enter`");
            self.buckets.remove(&first);
        }
    }

    /// Drops the entry that is nearest its expiry, or the oldest. False: there is none.
    fn drop_first(&mut self) -> bool {
        let order = |entry: &Entry| (entry.expires.is_none(), entry.expires, entry.serial);
        let first = self.store.iter().min_by_key(|(_, entry)| order(entry));
        let first = first.map(|(key, _)| key.clone());
        first.is_some_and(|key| self.store.remove(&key).is_some())
    }

    fn limiter_bytes(&self) -> usize {
        let keys = self.buckets.keys().chain(self.in_flight.keys());
        keys.map(|key| key.len() + limiter::ENTRY_BYTES).sum()
    }

    fn store_bytes(&self) -> usize {
        let bytes = |(key, entry): (&String, &Entry)| key.len() + entry.value.len();
        self.store.iter().map(bytes).sum::<usize>() + self.store.len() * store::ENTRY_BYTES
    }

    /// The entry, unless absent or expired.
    pub(crate) fn stored(&mut self, key: &str) -> Option<&mut Entry> {
        let now = self.now;
        self.store.retain(|_, entry| entry.expires.is_none_or(|expires| now < expires));
        self.store.get_mut(key)
    }
}
