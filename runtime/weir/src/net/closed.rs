//! Waiting for a connection to be overdue.
//!
//! In: what the connection does, and the task that polls it. Out: why it is to be closed. Never:
//! decides that; the sweep does, or whoever has it give way.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::activity::Activity;
use super::overdue::Overdue;

/// Ready when the connection is overdue.
#[derive(Debug)]
pub struct Closed {
    activity: Arc<Activity>,
    registered: Option<Waker>,
}

impl Activity {
    /// Ready when a sweep finds the connection overdue. To be polled by the connection's task:
    /// afterwards poll the connection again, and its reads end; then drop it.
    pub fn closed(self: &Arc<Self>) -> Closed {
        Closed { activity: self.clone(), registered: None }
    }
}

impl Future for Closed {
    type Output = Overdue;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Overdue> {
        if let Some(why) = self.activity.overdue() {
            return Poll::Ready(why);
        }
        // A connection's task polls this with every event; only a new waker takes the lock.
        if self.registered.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            let waker = cx.waker().clone();
            self.activity.wake_when_overdue(waker.clone());
            self.registered = Some(waker);
            // Whoever has it give way may be another worker, which found nobody to wake.
            if let Some(why) = self.activity.overdue() {
                return Poll::Ready(why);
            }
        }
        Poll::Pending
    }
}
