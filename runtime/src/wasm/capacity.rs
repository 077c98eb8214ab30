//! How many instances there may be in this process, and who may make one more.
//!
//! In: instances about to be made. Out: a [`Seat`] each, or that there is none. Never: lets requests
//! take what the next reload needs: the pooling allocator has a fixed number of slots, and a reload
//! that finds none could not replace the configuration that has used them up.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The slots of the process's engine.
#[derive(Debug, Clone)]
pub struct Capacity(Arc<Seats>);

#[derive(Debug)]
struct Seats {
    total: usize,
    taken: AtomicUsize,
    /// How many of them only a reload may take.
    reserved: AtomicUsize,
}

/// One slot; dropping it gives it back.
#[derive(Debug)]
pub struct Seat(Arc<Seats>);

/// What an instance is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A start, a reload, `check`.
    Control,
    /// A call that found no instance idle.
    Request,
}

impl Capacity {
    /// Of `total` slots.
    pub fn new(total: usize) -> Capacity {
        let (taken, reserved) = (AtomicUsize::new(0), AtomicUsize::new(total / 4));
        Capacity(Arc::new(Seats { total, taken, reserved }))
    }

    /// How many slots there are.
    pub fn total(&self) -> usize {
        self.0.total
    }

    /// What serves holds `instances`, one for each plugin and worker: as many more stay free for
    /// the reload that replaces all of them, and a quarter of all at least.
    pub fn reserve(&self, instances: usize) {
        let reserved = instances.max(self.0.total / 4).min(self.0.total);
        self.0.reserved.store(reserved, Relaxed);
    }

    /// One slot, unless those are taken that `purpose` may take.
    pub fn take(&self, purpose: Purpose) -> Option<Seat> {
        let most = match purpose {
            Purpose::Control => self.0.total,
            Purpose::Request => self.0.total - self.0.reserved.load(Relaxed),
        };
        let more = |taken: usize| (taken < most).then_some(taken + 1);
        self.0.taken.fetch_update(Relaxed, Relaxed, more).ok().map(|_| Seat(self.0.clone()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::{Capacity, Purpose};

    fn take(capacity: &Capacity, purpose: Purpose, most: usize) -> Vec<super::Seat> {
        (0..most).map_while(|_| capacity.take(purpose)).collect()
    }

    #[test]
    fn requests_leave_a_reload_what_it_needs() {
        let capacity = Capacity::new(100);
        capacity.reserve(40);
        let serving = take(&capacity, Purpose::Control, 40);
        let calls = take(&capacity, Purpose::Request, 100);
        assert_eq!(calls.len(), 20);
        let next = take(&capacity, Purpose::Control, 100);
        assert_eq!(next.len(), 40, "every plugin of the next configuration finds its slot");
        drop((serving, next));
        assert_eq!(take(&capacity, Purpose::Request, 100).len(), 40, "what is given back is there");
    }

    #[test]
    fn a_quarter_is_kept_where_little_serves() {
        let capacity = Capacity::new(100);
        capacity.reserve(1);
        assert_eq!(take(&capacity, Purpose::Request, 100).len(), 75);
        capacity.reserve(1000);
        assert!(capacity.take(Purpose::Request).is_none());
        assert!(capacity.take(Purpose::Control).is_some());
    }
}
