//! An upstream as one worker uses it.
//!
//! In: sets of endpoints, one after another. Out: an endpoint for each request, with the connections to
//! it. Never: closes what goes on to be used when the set is another one; changes what a request that
//! is on its way may try.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use weir_core::balancer::{self, Balancer, Tried};

use super::cluster::Cluster;
use super::endpoint::InFlightRequest;
use super::endpoint_set::EndpointSet;
use super::pool::Pool;

/// An upstream as one worker uses it.
pub struct Upstream {
    pub cluster: Arc<Cluster>,
    balanced: RefCell<Rc<Balanced>>,
    /// Differs between workers, so that they do not all begin with the same endpoint.
    start: usize,
}

/// A set of endpoints, each with its connections, and whose turn it is.
pub struct Balanced {
    set: Arc<EndpointSet>,
    /// In the order of the endpoints.
    pools: Vec<Rc<Pool>>,
    balancer: RefCell<Balancer>,
}

impl Upstream {
    /// One worker's part; pools of endpoints that stay are taken over from `before`.
    pub fn new(set: Arc<EndpointSet>, before: Option<&Upstream>, start: usize) -> Upstream {
        let cluster = set.cluster.clone();
        let before = before.map(Upstream::balanced);
        let balanced = RefCell::new(Rc::new(Balanced::new(set, before.as_deref(), start)));
        Upstream { cluster, balanced, start }
    }

    /// From now on the endpoints are these. What is idle at one that is gone is closed; requests on their
    /// way there come to their end.
    pub fn follow(&self, set: Arc<EndpointSet>) {
        let before = self.balanced();
        if Arc::ptr_eq(&before.set, &set) {
            return;
        }
        let after = Rc::new(Balanced::new(set, Some(&before), self.start));
        self.balanced.replace(after.clone());
        before.retire(|pool| after.pools.iter().any(|kept| Rc::ptr_eq(kept, pool)));
    }

    /// The endpoints of one request, for as long as it tries.
    pub fn balanced(&self) -> Rc<Balanced> {
        self.balanced.borrow().clone()
    }
}

impl Balanced {
    fn new(set: Arc<EndpointSet>, before: Option<&Balanced>, start: usize) -> Balanced {
        let config = &set.cluster.config;
        let alike = before.filter(|before| before.set.cluster.connects_like(&set.cluster));
        let pools = set
            .reachable()
            .map(|(state, connector)| {
                let place = alike.and_then(|before| before.set.place_of(&state.endpoint));
                let kept = alike.zip(place).and_then(|(before, place)| before.pools.get(place));
                kept.cloned().unwrap_or_else(|| {
                    let metrics = state.metrics.clone();
                    Pool::new(connector.clone(), config.pool.clone(), metrics)
                })
            })
            .collect();
        let weights: Vec<u32> = set.endpoints.iter().map(|state| state.endpoint.weight).collect();
        let balancer = RefCell::new(Balancer::new(config.balance, &weights, start));
        Balanced { set, pools, balancer }
    }

    /// Chooses an endpoint among those not in `tried`.
    pub fn pick(&self, tried: &Tried) -> Option<(usize, InFlightRequest, &Rc<Pool>)> {
        let endpoints = &self.set.endpoints;
        let state = |at: usize| match endpoints.get(at) {
            Some(state) => {
                balancer::EndpointState { usable: state.is_healthy(), in_flight: state.in_flight() }
            }
            None => balancer::EndpointState { usable: false, in_flight: u32::MAX },
        };
        let at = self.balancer.borrow_mut().pick(tried, state)?;
        Some((at, InFlightRequest::begin(endpoints.get(at)?), self.pools.get(at)?))
    }

    /// Whether there is another endpoint to try.
    pub fn has_several(&self) -> bool {
        self.pools.len() > 1
    }

    /// The pools, in the order of the endpoints.
    pub fn pools(&self) -> &[Rc<Pool>] {
        &self.pools
    }

    /// No request comes to any of its pools but those that are kept.
    pub fn retire(&self, is_kept: impl Fn(&Rc<Pool>) -> bool) {
        self.pools.iter().filter(|pool| !is_kept(pool)).for_each(|pool| pool.retire());
    }
}

#[cfg(test)]
mod tests;
