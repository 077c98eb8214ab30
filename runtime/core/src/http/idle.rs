//! A timer that is armed only while the other side keeps us waiting.
//!
//! In: how long it may. Out: ready once it did. Never: made, or moved, for what comes in time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Goes off after a time without [`IdleTimer::progress`].
#[derive(Debug)]
pub struct IdleTimer {
    after: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl IdleTimer {
    pub fn new(after: Duration) -> Self {
        IdleTimer { after, sleep: None, armed: false }
    }

    /// How long the other side may keep us waiting.
    pub fn after(&self) -> Duration {
        self.after
    }

    /// Nothing came: ready when that was so for too long.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(None, cx)
    }

    /// The same, or at `due` at the latest.
    pub fn poll_until(&mut self, due: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let after = self.after;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
        if !self.armed {
            self.armed = true;
            let late = Instant::now() + after;
            sleep.as_mut().reset(due.map_or(late, |due| due.min(late)));
        }
        sleep.as_mut().poll(cx)
    }

    /// Something came.
    pub fn progress(&mut self) {
        self.armed = false;
    }
}
