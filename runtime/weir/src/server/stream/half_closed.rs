//! How long an answer to a client that closed its side may take to begin, or stand still.
//!
//! In: the client's FIN behind whole requests. Out: whether it is waited on. Never: tells a client
//! that listens from one that is gone; see [`super::asking`].

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// How long a client that has closed its side keeps an answer that is there, and held back.
const HELD_BACK: Duration = Duration::from_secs(3);
/// How long one that has begun may stand still, over HTTP/1: there is no question that could be put
/// within it.
const STANDSTILL: Duration = Duration::from_secs(3);

/// A client that closed its side.
pub(super) struct HalfClosed {
    /// When to look again.
    timer: Pin<Box<Sleep>>,
    /// Until when an answer may begin.
    until: Instant,
    /// The answer began, and went on at the last look but for this pause.
    begun: bool,
}

impl HalfClosed {
    pub(super) fn new(patience: Duration) -> HalfClosed {
        let until = Instant::now() + patience;
        let timer = Box::pin(tokio::time::sleep(HELD_BACK.min(patience)));
        HalfClosed { timer, until, begun: false }
    }

    /// Whether an answer that has not begun is not waited for any more.
    pub(super) fn is_late(&mut self, is_held_back: bool, cx: &mut Context<'_>) -> bool {
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if is_held_back || now >= self.until {
                return true;
            }
            self.timer.as_mut().reset(self.until.min(now + HELD_BACK));
        }
        false
    }

    /// Whether an answer that has begun is not waited for any more. `goes_on`: some of it went out
    /// since the last look, or waits for the client to take it.
    pub(super) fn stands_still(&mut self, goes_on: bool, cx: &mut Context<'_>) -> bool {
        if goes_on || !std::mem::replace(&mut self.begun, true) {
            self.timer.as_mut().reset(Instant::now() + STANDSTILL);
        }
        self.timer.as_mut().poll(cx).is_ready()
    }
}
