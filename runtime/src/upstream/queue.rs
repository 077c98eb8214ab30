//! The bound on an endpoint's connections, and who waits for one of them.
//!
//! In: connections that open and close, and requests that found none. Out: turns, and whose
//! exchanges have to give way for them. Never: lets one client take the last places while he has
//! more than his share; takes anything from a client within his; keeps a turn that nobody takes.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};

use tokio::sync::oneshot;

use super::usage::Usage;
use crate::client::ClientKey;

/// Places for connections.
pub struct Queue {
    most: usize,
    /// What one client may have under way before he has to leave the rest to others: a sixteenth.
    share: u32,
    open: Cell<usize>,
    /// A line for each standing.
    waiting: [RefCell<VecDeque<Waiter>>; Standing::ALL.len()],
    /// Whether the next turn among those with more than their share is the oldest one's.
    oldest: Cell<bool>,
}

/// How a client stands to his share, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Within,
    /// He has more, but not on this connection: it may be one of many behind an address.
    Spread,
    /// This connection alone has more.
    Beyond,
}

/// Who waits, and what tells him.
struct Waiter {
    told: oneshot::Sender<()>,
    client: ClientKey,
}

/// A turn that is waited for; one that came and was not taken passes to the next in line.
pub struct Turn<F: Fn()> {
    wait: oneshot::Receiver<()>,
    pass: F,
}

/// For whom something has to give way, and how much did so far.
#[derive(Debug, Default)]
pub struct Wanted {
    share: u32,
    /// Requests of clients within their share: anybody above his gives way to them.
    within: usize,
    /// Of the others: each only has what is his own give way.
    own: HashMap<ClientKey, usize>,
    given: HashMap<ClientKey, u32>,
}

impl Standing {
    pub const ALL: [Standing; Standing::Beyond as usize + 1] =
        [Standing::Within, Standing::Spread, Standing::Beyond];
}

impl Queue {
    pub fn new(most: usize) -> Queue {
        Queue {
            most,
            share: u32::try_from(most / 16).unwrap_or(u32::MAX).max(1),
            open: Cell::new(0),
            waiting: Default::default(),
            oldest: Cell::new(true),
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

    /// How a client stands. `on_connection`: what he has under way on the one that asks.
    pub fn standing(&self, client: &Usage, on_connection: u32) -> Standing {
        match client.exchanges() > self.share {
            false => Standing::Within,
            true if on_connection <= self.share => Standing::Spread,
            true => Standing::Beyond,
        }
    }

    /// Places that are kept from whoever stands so: the last quarter, half of it from those with
    /// many connections. Few places have none to keep.
    fn kept_from(&self, standing: Standing) -> usize {
        let quarter = self.most / 4;
        match standing {
            Standing::Within => 0,
            Standing::Spread => quarter.min((self.most / 8).max(1)),
            Standing::Beyond => quarter,
        }
    }

    /// Whether only places are left that are kept from whoever stands so. `idle`: connections that
    /// nobody uses.
    pub fn is_reserved(&self, standing: Standing, idle: usize) -> bool {
        let used = self.open.get().saturating_sub(idle);
        standing != Standing::Within && used >= self.most - self.kept_from(standing)
    }

    /// Takes a place for a new connection, if there is one.
    pub fn enter(&self, standing: Standing, idle: usize) -> bool {
        let refused = self.open.get() >= self.most || self.is_reserved(standing, idle);
        if !refused {
            self.open.set(self.open.get() + 1);
        }
        !refused
    }

    /// A connection was closed.
    pub fn leave(&self) {
        self.open.set(self.open.get().saturating_sub(1));
    }

    /// Whether somebody waits to whom what this client has must give way.
    pub fn is_wanted_from(&self, client: &Usage) -> bool {
        let waits = |waiter: &Waiter, standing| {
            !waiter.told.is_closed()
                && (standing == Standing::Within || waiter.client == client.key())
        };
        client.exchanges() > self.share
            && Standing::ALL.into_iter().any(|standing| {
                self.line(standing).borrow().iter().any(|waiter| waits(waiter, standing))
            })
    }

    /// For whom something has to give way; `None`: nobody waits.
    pub fn wanted(&self) -> Option<Wanted> {
        let mut wanted = Wanted { share: self.share, ..Wanted::default() };
        for standing in Standing::ALL {
            let line = self.line(standing).borrow();
            for waiter in line.iter().filter(|waiter| !waiter.told.is_closed()) {
                match standing {
                    Standing::Within => wanted.within += 1,
                    _ => *wanted.own.entry(waiter.client).or_default() += 1,
                }
            }
        }
        (wanted.within > 0 || !wanted.own.is_empty()).then_some(wanted)
    }

    /// Joins the line; `pass` hands a turn on that was not taken.
    pub fn join<F: Fn()>(&self, standing: Standing, client: ClientKey, pass: F) -> Turn<F> {
        let (told, wait) = oneshot::channel();
        self.line(standing).borrow_mut().push_back(Waiter { told, client });
        Turn { wait, pass }
    }

    /// There is room for one more.
    pub fn wake_one(&self, idle: usize) {
        for standing in Standing::ALL {
            while !self.line(standing).borrow().is_empty()
                && !self.is_reserved(standing, idle)
                && let Some(waiter) = self.next(standing)
            {
                if waiter.told.send(()).is_ok() {
                    return;
                }
            }
        }
    }

    /// Among those with more than their share the oldest and the newest take turns: behind what one
    /// of them piled up nobody would come to his.
    fn next(&self, standing: Standing) -> Option<Waiter> {
        let mut line = self.line(standing).borrow_mut();
        if standing == Standing::Within || self.oldest.replace(!self.oldest.get()) {
            line.pop_front()
        } else {
            line.pop_back()
        }
    }

    /// There is room for many: everybody looks.
    pub fn wake_all(&self) {
        for line in &self.waiting {
            for waiter in line.take() {
                let _ = waiter.told.send(());
            }
        }
    }

    fn line(&self, standing: Standing) -> &RefCell<VecDeque<Waiter>> {
        let [within, spread, beyond] = &self.waiting;
        match standing {
            Standing::Within => within,
            Standing::Spread => spread,
            Standing::Beyond => beyond,
        }
    }
}

impl Wanted {
    /// Whether one of this client's exchanges has to give way; then it counts as gone.
    pub fn take(&mut self, client: &Usage) -> bool {
        let key = client.key();
        let given = self.given.entry(key).or_default();
        if client.exchanges().saturating_sub(*given) <= self.share {
            return false;
        }
        match self.own.get_mut(&key) {
            _ if self.within > 0 => self.within -= 1,
            Some(own @ 1..) => *own -= 1,
            _ => return false,
        }
        *given += 1;
        true
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
mod tests;
