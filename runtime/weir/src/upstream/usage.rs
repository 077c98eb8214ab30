//! A client on one of his connections, as endpoints' pools know him.
//!
//! In: the pools that he comes to. Out: what he has in each of them, and whose turns work for him takes.
//! Never: hashes for each request: a connection remembers its claims.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use weir_core::client::ClientKey;
use weir_core::turns::Flow;

use super::queue::{Claim, Queue};

/// Claims that a connection remembers without a look at which are in use.
const REMEMBERED: usize = 8;

/// A client on one of his connections, over all pools.
pub struct Usage {
    key: ClientKey,
    /// Whose turns are taken for it.
    line: ClientKey,
    /// Tasks that work for it beside the one that asks.
    flow: OnceCell<Flow>,
    claims: RefCell<Vec<Rc<Claim>>>,
}

impl Usage {
    /// Of the client with this key, in turns of this line.
    pub fn new(key: ClientKey, line: ClientKey) -> Rc<Usage> {
        Rc::new(Usage { key, line, flow: OnceCell::new(), claims: RefCell::default() })
    }

    /// Whose turns what works for it takes.
    pub(super) fn flow(&self) -> Flow {
        self.flow.get_or_init(|| Flow::of(self.line)).clone()
    }

    /// What it has in the pool of this queue.
    pub(super) fn claim(&self, queue: &Rc<Queue>) -> Rc<Claim> {
        let known = self.claims.borrow();
        if let Some(claim) = known.iter().find(|claim| Rc::ptr_eq(&claim.queue, queue)) {
            return claim.clone();
        }
        drop(known);
        self.begin(queue)
    }

    #[cold]
    fn begin(&self, queue: &Rc<Queue>) -> Rc<Claim> {
        let mut claims = self.claims.borrow_mut();
        if claims.len() >= REMEMBERED {
            claims.retain(|claim| Rc::strong_count(claim) > 1);
        }
        let claim = Claim::of(queue, self.key);
        claims.push(claim.clone());
        claim
    }
}
