//! The bound on an endpoint's connections, and who waits for one of them.
//!
//! In: connections that open and close, and requests that found none. Out: turns. Never: lets one
//! client's connection take the last places while it has more than its share; keeps a turn that
//! nobody takes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use tokio::sync::oneshot;

/// Places for connections.
pub struct Queue {
    most: usize,
    /// What one client's connection may have under way before it has to leave the rest to others: a
    /// sixteenth.
    share: u32,
    /// As many in use, and only the places are left that are kept for those within their share: the
    /// last quarter.
    reserve: usize,
    open: Cell<usize>,
    waiting: RefCell<VecDeque<oneshot::Sender<()>>>,
    /// Requests of clients that have more than their share: they come after the others.
    crowd: RefCell<VecDeque<oneshot::Sender<()>>>,
}

/// A turn that is waited for; one that came and was not taken passes to the next in line.
pub struct Turn<F: Fn()> {
    wait: oneshot::Receiver<()>,
    pass: F,
}

impl Queue {
    pub fn new(most: usize) -> Queue {
        Queue {
            most,
            share: u32::try_from(most / 16).unwrap_or(u32::MAX).max(1),
            reserve: most - most / 4,
            open: Cell::new(0),
            waiting: RefCell::default(),
            crowd: RefCell::default(),
        }
    }

    /// Connections that are open or being opened.
    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// The most of them.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Whether a client with so many exchanges under way on its connection has more than its share.
    pub fn is_crowd(&self, exchanges: u32) -> bool {
        exchanges > self.share
    }

    /// Whether only the places are left that are kept for those within their share. `idle`:
    /// connections that nobody uses.
    pub fn is_reserved(&self, idle: usize) -> bool {
        self.open.get().saturating_sub(idle) >= self.reserve
    }

    /// Takes a place for a new connection, if there is one.
    pub fn enter(&self, crowd: bool, idle: usize) -> bool {
        let refused = self.open.get() >= self.most || (crowd && self.is_reserved(idle));
        if !refused {
            self.open.set(self.open.get() + 1);
        }
        !refused
    }

    /// A connection was closed.
    pub fn leave(&self) {
        self.open.set(self.open.get().saturating_sub(1));
    }

    /// Somebody waits.
    pub fn is_wanted(&self) -> bool {
        self.waiting() > 0
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        let line = |line: &RefCell<VecDeque<oneshot::Sender<()>>>| {
            line.borrow().iter().filter(|waiter| !waiter.is_closed()).count()
        };
        line(&self.waiting) + line(&self.crowd)
    }

    /// Joins the line; `pass` hands a turn on that was not taken.
    pub fn join<F: Fn()>(&self, crowd: bool, pass: F) -> Turn<F> {
        let (told, wait) = oneshot::channel();
        let line = if crowd { &self.crowd } else { &self.waiting };
        line.borrow_mut().push_back(told);
        Turn { wait, pass }
    }

    /// There is room for one more.
    pub fn wake_one(&self, idle: usize) {
        let next = |line: &RefCell<VecDeque<oneshot::Sender<()>>>| line.borrow_mut().pop_front();
        while let Some(waiter) = next(&self.waiting) {
            if waiter.send(()).is_ok() {
                return;
            }
        }
        while !self.is_reserved(idle)
            && let Some(waiter) = next(&self.crowd)
        {
            if waiter.send(()).is_ok() {
                return;
            }
        }
    }

    /// There is room for many: everybody looks.
    pub fn wake_all(&self) {
        for line in [&self.waiting, &self.crowd] {
            for waiter in line.take() {
                let _ = waiter.send(());
            }
        }
    }
}

impl<F: Fn()> Turn<F> {
    /// Ready when the turn has come.
    pub async fn come(&mut self) {
        let _ = (&mut self.wait).await;
    }
}

impl<F: Fn()> Drop for Turn<F> {
    fn drop(&mut self) {
        if self.wait.try_recv().is_ok() {
            (self.pass)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_quarter_is_for_those_within_their_share() {
        let queue = Queue::new(32);
        assert!(!queue.is_crowd(2) && queue.is_crowd(3));
        let entered = (0..40).filter(|_| queue.enter(true, 0)).count();
        assert_eq!(entered, 24);
        let entered = (0..40).filter(|_| queue.enter(false, 0)).count();
        assert_eq!(entered, 8);
        // Idle ones are nobody's.
        assert!(queue.is_reserved(8) && !queue.is_reserved(9));
        // Few places have none to keep.
        let few = Queue::new(2);
        assert!(few.enter(true, 0) && few.enter(true, 0) && !few.enter(false, 0));
    }

    #[tokio::test]
    async fn turns_come_in_order_and_the_crowd_last() {
        let queue = Queue::new(8);
        (0..8).for_each(|_| assert!(queue.enter(false, 0)));
        let nobody = || ();
        let mut crowd = queue.join(true, nobody);
        let mut first = queue.join(false, nobody);
        let second = queue.join(false, nobody);
        assert!(queue.is_wanted());
        drop(second);
        queue.leave();
        queue.wake_one(0);
        first.come().await;
        assert!(crowd.wait.try_recv().is_err());
        // The one that gave up is passed over; the crowd waits until more than a quarter is free.
        queue.wake_one(0);
        assert!(crowd.wait.try_recv().is_err());
        (0..2).for_each(|_| queue.leave());
        queue.wake_one(0);
        crowd.come().await;
        assert!(!queue.is_wanted());
    }
}
