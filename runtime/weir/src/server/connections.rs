//! Every connection of a worker, and what is asked of it.
//!
//! In: connections as they open and end. Out: requests to finish or to close, for those that are not
//! wanted any more. Never: closes one that serves before its exchange is over, unless it is cut.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::{Context, Waker};

use tokio::sync::Notify;

use crate::net::Known;

/// The connections of one worker.
#[derive(Default)]
pub struct Connections {
    open: Known<Control>,
    count: Cell<usize>,
    emptied: Notify,
}

/// What is asked of one connection; dropping it ends it.
pub struct Control {
    all: Rc<Connections>,
    /// Shared by the connections of an address.
    listener: Rc<Cell<usize>>,
    finish: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Connections {
    pub fn new() -> Rc<Connections> {
        Rc::default()
    }

    /// A connection of this listener begins.
    pub fn open(self: &Rc<Self>, listener: Rc<Cell<usize>>) -> Rc<Control> {
        let control = Rc::new(Control {
            all: self.clone(),
            listener,
            finish: Cell::new(false),
            waker: RefCell::default(),
        });
        self.count.set(self.count.get() + 1);
        self.open.add(&control);
        control
    }

    /// Asks every connection of a listener to finish what it does and take nothing more.
    pub fn finish(&self, of: impl Fn(&Rc<Cell<usize>>) -> bool) {
        let open = self.open.all();
        let open = open.iter().filter_map(Weak::upgrade);
        for control in open.filter(|control| of(&control.listener)) {
            control.finish.set(true);
            if let Some(waker) = control.waker.take() {
                waker.wake();
            }
        }
    }

    pub fn count(&self) -> usize {
        self.count.get()
    }

    /// Returns when a connection ended that was the last one.
    pub async fn emptied(&self) {
        self.emptied.notified().await;
    }
}

impl Control {
    /// Whether the connection is to finish; otherwise the task is woken when it is.
    pub fn is_finishing(&self, cx: &mut Context<'_>) -> bool {
        if self.finish.get() {
            return true;
        }
        let mut waker = self.waker.borrow_mut();
        if waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
        false
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let left = self.all.count.get().saturating_sub(1);
        self.all.count.set(left);
        if left == 0 {
            self.all.emptied.notify_one();
        }
    }
}
