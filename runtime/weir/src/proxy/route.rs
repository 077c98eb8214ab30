//! A route, and what it leads to.
//!
//! In: the upstreams that `server` built for it. Out: the one of the next request. Never: picks an
//! endpoint; the upstream does.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use weir_core::balancer::RoundRobin;
use weir_core::config::Bound;

use crate::upstream::Upstream;

/// A route, ready to serve.
pub struct Route {
    pub name: Arc<str>,
    pub target: Target,
    /// Refuses what endpoints may read differently.
    pub strict_paths: bool,
    pub timeout: Bound,
}

/// What a route leads to.
pub enum Target {
    /// An endpoint of one of these.
    Upstreams(Upstreams),
    /// Nothing: a plugin is to reply.
    Nothing,
}

/// Upstreams with weights; chosen by smooth weighted round robin.
pub struct Upstreams {
    all: Vec<Rc<Upstream>>,
    choice: RefCell<RoundRobin>,
}

impl Target {
    /// These upstreams, each with its weight, beginning at place `start`; nothing, where there are none.
    pub fn new(upstreams: Vec<Rc<Upstream>>, weights: &[u32], start: usize) -> Target {
        if upstreams.is_empty() {
            return Target::Nothing;
        }
        let choice = RefCell::new(RoundRobin::new(weights, start));
        Target::Upstreams(Upstreams { all: upstreams, choice })
    }
}

impl Upstreams {
    /// That of the next request; none, where all weights are 0.
    pub fn choose(&self) -> Option<&Upstream> {
        match self.all.as_slice() {
            [only] => Some(only),
            several => several.get(self.choice.borrow_mut().pick(|_| true)?).map(Rc::as_ref),
        }
    }
}
