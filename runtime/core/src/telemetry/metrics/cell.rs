//! Cells that threads count in without getting in each other's way.
//!
//! In: additions from any thread. Out: sums over all of them. Never: a lock; two workers that
//! count the same route touch different cache lines, because a shared one would cost each of them
//! more than everything else a count does.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::thread::available_parallelism;
use std::time::Duration;

/// Most bounds of a [`Durations`].
pub const MAX_BOUNDS: usize = 16;
/// Most copies of a [`Sharded`] besides the shared one.
const MAX_SHARDS: usize = 64;

/// A copy of `T` for each core, and one more that further threads share.
#[derive(Debug)]
pub struct Sharded<T> {
    shared: Padded<T>,
    own: Box<[Padded<T>]>,
}

/// Two cache lines apart: processors fetch lines in pairs.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded<T>(T);

/// A histogram of durations with bounds in nanoseconds.
#[derive(Debug, Default)]
pub struct Durations {
    /// Observations at most as long as the bound of the same index; the last has those beyond.
    buckets: [AtomicU64; MAX_BOUNDS + 1],
    nanos: AtomicU64,
}

/// Sums of several [`Durations`].
#[derive(Debug, Default)]
pub struct DurationsSum {
    pub buckets: [u64; MAX_BOUNDS + 1],
    pub nanos: u64,
}

impl<T: Default> Sharded<T> {
    pub fn new() -> Self {
        let cores = available_parallelism().map_or(1, usize::from).min(MAX_SHARDS);
        Sharded { shared: Padded::default(), own: (0..cores).map(|_| Padded::default()).collect() }
    }
}

impl<T> Sharded<T> {
    /// The calling thread's copy.
    #[inline]
    pub fn local(&self) -> &T {
        &self.own.get(thread_number()).unwrap_or(&self.shared).0
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.own.iter().chain([&self.shared]).map(|padded| &padded.0)
    }

    /// The sum of one counter over all copies.
    pub fn sum(&self, cell: impl Fn(&T) -> &AtomicU64) -> u64 {
        self.iter().map(|shard| cell(shard).load(Relaxed)).sum()
    }
}

impl<T: Default> Default for Sharded<T> {
    fn default() -> Self {
        Sharded::new()
    }
}

impl Durations {
    /// Counts one duration. `bounds` are ascending, in nanoseconds, at most [`MAX_BOUNDS`], and
    /// the same in every call.
    #[inline]
    pub fn observe(&self, bounds: &[u64], duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let at = bounds.iter().position(|bound| nanos <= *bound).unwrap_or(MAX_BOUNDS);
        if let Some(bucket) = self.buckets.get(at) {
            bucket.fetch_add(1, Relaxed);
        }
        self.nanos.fetch_add(nanos, Relaxed);
    }
}

impl DurationsSum {
    pub fn add(&mut self, durations: &Durations) {
        for (sum, bucket) in self.buckets.iter_mut().zip(&durations.buckets) {
            *sum += bucket.load(Relaxed);
        }
        self.nanos += durations.nanos.load(Relaxed);
    }

    pub fn is_empty(&self) -> bool {
        self.buckets.iter().all(|bucket| *bucket == 0)
    }
}

/// A small number for the calling thread: threads are numbered as they first count something.
#[inline]
fn thread_number() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static NUMBER: Cell<usize> = const { Cell::new(usize::MAX) };
    }
    NUMBER.with(|number| {
        if number.get() == usize::MAX {
            number.set(NEXT.fetch_add(1, Relaxed));
        }
        number.get()
    })
}
