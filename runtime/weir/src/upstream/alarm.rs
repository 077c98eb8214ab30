//! A deadline that moves with each exchange of a connection, on one timer.
//!
//! In: when the current exchange is overdue. Out: ready at that time. Never: sets a timer for a
//! deadline that is usually not reached: it stays where an earlier exchange had it, and when it
//! goes off too soon it is set to the deadline of the day.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::task::coop::unconstrained;
use tokio::time::Sleep;

/// A deadline that can be moved for the price of a store. Without one set it never goes off.
#[derive(Debug, Default)]
pub struct Alarm {
    due: Option<Instant>,
    /// Made when it is first waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    /// Ready at `due` from now on.
    pub fn set(&mut self, due: Instant) {
        self.due = Some(due);
        if let Some(timer) = &mut self.timer
            && timer.deadline().into_std() > due
        {
            timer.as_mut().reset(due.into());
        }
    }

    /// Ready once the deadline has passed. Whoever polled last is woken for it.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.due else { return Poll::Pending };
        let timer =
            self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due.into())));
        loop {
            // A task that has used up its turn on what a peer sends is to learn of the time first.
            ready!(pin!(unconstrained(timer.as_mut())).poll(cx));
            if timer.deadline().into_std() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;
    use weir_core::clock;

    use super::*;

    async fn is_ready(alarm: &mut Alarm) -> bool {
        poll_fn(|cx| Poll::Ready(alarm.poll(cx).is_ready())).await
    }

    /// When it goes off, once it is waited for.
    async fn goes_off(alarm: &mut Alarm) -> Instant {
        poll_fn(|cx| alarm.poll(cx)).await;
        clock::now()
    }

    #[tokio::test(start_paused = true)]
    async fn goes_off_at_the_deadline_of_the_day() {
        let mut alarm = Alarm::default();
        assert!(!is_ready(&mut alarm).await, "no deadline yet");
        let start = clock::now();
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        alarm.set(at(20));
        assert!(!is_ready(&mut alarm).await);
        // Later than the timer stands: the waiter is not told before.
        alarm.set(at(60));
        assert_eq!(goes_off(&mut alarm).await, at(60));
        // A timer that has gone off serves the next exchange.
        alarm.set(at(100));
        assert_eq!(goes_off(&mut alarm).await, at(100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_sooner_deadline_moves_the_timer() {
        let mut alarm = Alarm::default();
        let start = clock::now();
        alarm.set(start + Duration::from_secs(3600));
        assert!(!is_ready(&mut alarm).await);
        alarm.set(start + Duration::from_secs(20));
        assert_eq!(goes_off(&mut alarm).await, start + Duration::from_secs(20));
    }
}
