//! What may keep a place at an endpoint without using it: bodies of requests on their way, tunnels with
//! one side closed.
//!
//! In: each of them with whose it is, and a sweep. Out: calls to give way, where others wait. Never: takes
//! anything from a client within his share.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::time::Instant;

use weir_core::http::UploadState;

use crate::upstream::queue::{Claim, Queue};

/// Those of one pool.
#[derive(Default)]
pub struct Owing(RefCell<Vec<(Weak<UploadState>, Rc<Claim>)>>);

impl Owing {
    pub fn add(&self, pending: &Arc<UploadState>, claim: &Rc<Claim>) {
        self.0.borrow_mut().push((Arc::downgrade(pending), claim.clone()));
    }

    /// Has clients with more than their share that owe bytes, and send none, give way to requests
    /// that wait: first those who have closed, then whoever does least and has most.
    pub fn reclaim(&self, queue: &Queue, now: Instant) {
        let mut paused = Vec::new();
        self.0.borrow_mut().retain(|(pending, claim)| {
            let Some(pending) = pending.upgrade().filter(|pending| pending.is_pending()) else {
                return false;
            };
            if let Some(pause) = pending.pause(now) {
                paused.push((pending, claim.clone(), pause));
            }
            true
        });
        paused.sort_by_key(|(_, claim, pause)| Reverse((*pause, claim.held_by_client())));
        for (pending, claim, pause) in paused {
            if queue.takes_from(&claim, pause) {
                pending.give_way();
            }
        }
    }
}
