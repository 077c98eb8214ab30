//! Who has how much under way on this worker: what shares of an endpoint's connections go by.
//!
//! In: exchanges as they begin and end, tunnels among them, over all connections of a client. Out:
//! how many there are. Never: looks a client up for each request: a connection keeps his usage; only
//! what a trusted proxy says of somebody else is looked up.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};

use crate::client::ClientKey;

/// The clients that have connections to this worker.
#[derive(Debug, Default)]
pub struct Clients(RefCell<HashMap<ClientKey, Weak<Usage>>>);

/// What one client has under way.
#[derive(Debug)]
pub struct Usage {
    key: ClientKey,
    exchanges: Cell<u32>,
    /// Where it is forgotten once nobody holds it.
    clients: Weak<Clients>,
}

/// One exchange, or what became of it, a tunnel; counted until this is dropped.
#[derive(Debug)]
pub struct Counted(Rc<Usage>);

impl Clients {
    /// What a client has under way, by all that is his.
    pub fn usage(self: &Rc<Self>, key: ClientKey) -> Rc<Usage> {
        let mut known = self.0.borrow_mut();
        if let Some(usage) = known.get(&key).and_then(Weak::upgrade) {
            return usage;
        }
        let usage = Rc::new(Usage { key, exchanges: Cell::new(0), clients: Rc::downgrade(self) });
        known.insert(key, Rc::downgrade(&usage));
        usage
    }
}

impl Usage {
    pub fn key(&self) -> ClientKey {
        self.key
    }

    /// Exchanges and tunnels under way.
    pub fn exchanges(&self) -> u32 {
        self.exchanges.get()
    }

    /// One more begins.
    pub fn begin(self: &Rc<Self>) -> Counted {
        self.exchanges.set(self.exchanges.get().saturating_add(1));
        Counted(self.clone())
    }
}

impl Counted {
    /// Of the client that it is for.
    pub fn usage(&self) -> &Rc<Usage> {
        &self.0
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.exchanges.set(self.0.exchanges.get().saturating_sub(1));
    }
}

impl Drop for Usage {
    fn drop(&mut self) {
        if let Some(clients) = self.clients.upgrade() {
            let mut known = clients.0.borrow_mut();
            // Another one may have been made while this one went.
            if known.get(&self.key).is_some_and(|usage| usage.strong_count() == 0) {
                known.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_counted_over_all_that_is_his_and_forgotten_with_the_last() {
        let clients = Rc::<Clients>::default();
        let key = ClientKey::of("192.0.2.1");
        let (one, two) = (clients.usage(key), clients.usage(key));
        let (first, tunnel) = (one.begin(), two.begin());
        assert_eq!((one.exchanges(), two.exchanges()), (2, 2));
        assert_eq!(clients.usage(ClientKey::of("192.0.2.2")).exchanges(), 0);
        drop((one, two, first));
        assert_eq!(clients.usage(key).exchanges(), 1, "a tunnel outlasts its connection's part");
        drop(tunnel);
        assert!(clients.0.borrow().is_empty());
    }
}
