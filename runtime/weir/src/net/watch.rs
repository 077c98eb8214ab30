//! Watching connections for peers that are slow or gone, without a timer for each request.
//!
//! In: what each connection does ([`Activity`]), and the time. Out: what is overdue, found by a sweep
//! over all connections of a worker every [`super::SWEEP`]; and a look at those from which nothing is
//! read. Never: asks for the time on a read or a write: the sweep leaves it in a cell, and a stamp is
//! one store. Nor wakes all whom it finds at once: see [`Backlog`].

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use weir_core::turns::Backlog;

use super::activity::Activity;
use super::overdue::{Bounds, Verdict, verdict};

/// All connections of a worker.
#[derive(Debug)]
pub struct Watch {
    start: Instant,
    /// Milliseconds since `start`, as of the last sweep.
    clock: Arc<AtomicU64>,
    connections: RefCell<Vec<Arc<Activity>>>,
    /// Those whose tasks are to look.
    found: Backlog<Arc<Activity>>,
}

impl Watch {
    pub fn new(now: Instant) -> Self {
        Watch {
            start: now,
            clock: Arc::default(),
            connections: RefCell::default(),
            found: Backlog::default(),
        }
    }

    /// A connection was accepted. `handshake`: TLS comes first.
    pub fn register(&self, bounds: Arc<Bounds>, handshake: bool) -> Arc<Activity> {
        let activity = Arc::new(Activity::new(self.clock.clone(), bounds, handshake));
        self.connections.borrow_mut().push(activity.clone());
        activity
    }

    /// Sets the clock to `now`, finds what is overdue or has nothing read from it, forgets what is gone.
    /// Gives the number of connections that were found overdue; [`Watch::wake_found`] wakes them.
    pub fn sweep(&self, now: Instant) -> usize {
        let now = now.saturating_duration_since(self.start);
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.clock.store(now, Relaxed);
        let mut overdue = 0;
        // Whoever was found before and is not awake yet is not found twice.
        let all_are_awake = self.found.is_empty();
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
                activity.is_to_close(why);
                self.found.put(activity.clone());
            } else if all_are_awake && activity.is_unheard() {
                self.found.put(activity.clone());
            }
            true
        });
        overdue
    }

    /// Wakes whom a sweep or a doubt found, a few between two looks at the sockets, for ever. Cancel safe.
    pub async fn wake_found(&self) {
        loop {
            self.found.filled().await;
            self.found.work_off(|activity| activity.attend_to()).await;
        }
    }

    /// Wakes all of them at once: for who has few connections.
    pub fn wake_all_found(&self) {
        while let Some(activity) = self.found.take() {
            activity.attend_to();
        }
    }

    /// Somebody has need of a place: whoever closed his side is asked whether he is still there,
    /// and found out if he is not. Whether there is anybody who was not asked just before.
    pub fn doubt(&self) -> bool {
        let mut fresh = false;
        let all_are_awake = self.found.is_empty();
        for activity in self.connections.borrow().iter().filter(|it| it.is_unheard()) {
            let is_asked = activity.doubt();
            fresh |= is_asked;
            // Who is asked has to look, also where a sweep's finds are still being woken: it may have
            // been woken already, and the place is wanted before the next sweep.
            if is_asked || all_are_awake {
                self.found.put(activity.clone());
            }
        }
        fresh
    }

    /// Connections that were there at the last sweep or came since.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.connections.borrow().len()
    }
}

#[cfg(test)]
mod tests;
