//! Watching connections for peers that are slow or gone, without a timer for each request.
//!
//! In: what each connection does ([`Activity`]), and the time. Out: what is overdue, found by a sweep
//! over all connections of a worker every [`super::SWEEP`]; and a look at those from which nothing is
//! read. Never: asks for the time on a read or a write: the sweep leaves it in a cell, and a stamp is
//! one store.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use super::activity::Activity;
use super::overdue::{Bounds, Verdict, verdict};

/// All connections of a worker.
#[derive(Debug)]
pub struct Watch {
    start: Instant,
    /// Milliseconds since `start`, as of the last sweep.
    clock: Arc<AtomicU64>,
    connections: RefCell<Vec<Arc<Activity>>>,
}

impl Watch {
    pub fn new(now: Instant) -> Self {
        Watch { start: now, clock: Arc::default(), connections: RefCell::default() }
    }

    /// A connection was accepted. `handshake`: TLS comes first.
    pub fn register(&self, bounds: Arc<Bounds>, handshake: bool) -> Arc<Activity> {
        let activity = Arc::new(Activity::new(self.clock.clone(), bounds, handshake));
        self.connections.borrow_mut().push(activity.clone());
        activity
    }

    /// Sets the clock to `now`, wakes what is overdue or has nothing read from it, forgets what is gone.
    /// Gives the number of connections that were found overdue.
    pub fn sweep(&self, now: Instant) -> usize {
        let now = now.saturating_duration_since(self.start);
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.clock.store(now, Relaxed);
        let mut overdue = 0;
        self.connections.borrow_mut().retain(|activity| {
            // The only one left is this list's.
            if Arc::strong_count(activity) == 1 {
                return false;
            }
            if let Verdict::Close(why) =
                verdict(&activity.observed(), now, &activity.bounds().timeouts())
                && activity.overdue().is_none()
            {
                overdue += 1;
                activity.close(why);
            } else if activity.is_unheard() {
                activity.attend_to();
            }
            true
        });
        overdue
    }

    /// Somebody has need of a place: whoever closed his side is asked now whether he is still there,
    /// and found out if he is not. Whether there is anybody who was not asked just before.
    pub fn doubt(&self) -> bool {
        let mut fresh = false;
        for activity in self.connections.borrow().iter().filter(|it| it.is_unheard()) {
            fresh |= activity.doubt();
            activity.attend_to();
        }
        fresh
    }

    /// Connections that were there at the last sweep or came since.
    pub fn len(&self) -> usize {
        self.connections.borrow().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests;
