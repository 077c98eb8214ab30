//! The upstreams of one worker, and the endpoints that each of them has.
//!
//! In: clusters, of one configuration after another; and sets of their endpoints, whenever somebody finds
//! others. Out: upstreams to send to. Never: has a set serve in another configuration than its own.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::upstream::{Cluster, EndpointSet, Upstream};

/// What serves now, also for who makes calls that are no exchange's.
pub type Serving = Rc<RefCell<Vec<Rc<Upstream>>>>;

/// The upstreams of one worker.
pub struct Upstreams {
    /// In the order of the configuration.
    serving: Serving,
    /// Endpoints of clusters that do not serve yet.
    awaited: Vec<Arc<EndpointSet>>,
    /// At which endpoint turns begin.
    start: usize,
}

impl Upstreams {
    /// None yet. `start` differs between workers.
    pub fn new(start: usize) -> Upstreams {
        Upstreams { serving: Serving::default(), awaited: Vec::new(), start }
    }

    /// Endpoints that were found: of clusters that serve, or of some that are about to.
    pub fn follow(&mut self, sets: Vec<Arc<EndpointSet>>) {
        for set in sets {
            let serves = |upstream: &&Rc<Upstream>| Arc::ptr_eq(&upstream.cluster, &set.cluster);
            match self.serving.borrow().iter().find(serves) {
                Some(upstream) => upstream.follow(set),
                None => {
                    self.awaited.retain(|known| !Arc::ptr_eq(&known.cluster, &set.cluster));
                    self.awaited.push(set);
                }
            }
        }
    }

    /// From now on these serve, with the endpoints that were found for them. Connections to endpoints that
    /// stay are kept; those that wait for a request elsewhere are closed.
    pub fn swap(&mut self, clusters: &[Arc<Cluster>]) -> Vec<Rc<Upstream>> {
        // What is awaited in vain was overtaken.
        let awaited = std::mem::take(&mut self.awaited);
        let serving = self.serving.take();
        let upstream = |cluster: &Arc<Cluster>| {
            let set = awaited.iter().find(|set| Arc::ptr_eq(&set.cluster, cluster)).cloned();
            let set = set.unwrap_or_else(|| EndpointSet::empty(cluster.clone()));
            let name = &cluster.config.name;
            let before = serving.iter().find(|known| known.cluster.config.name == *name);
            Rc::new(Upstream::new(set, before.map(Rc::as_ref), self.start))
        };
        let now: Vec<Rc<Upstream>> = clusters.iter().map(upstream).collect();
        let after: Vec<_> = now.iter().map(|upstream| upstream.balanced()).collect();
        for balanced in serving.iter().map(|upstream| upstream.balanced()) {
            let all = after.iter().flat_map(|balanced| balanced.pools());
            balanced.retire(|pool| all.clone().any(|kept| Rc::ptr_eq(kept, pool)));
        }
        self.serving.replace(now.clone());
        now
    }

    /// What serves, now and after every swap.
    pub fn serving(&self) -> Serving {
        self.serving.clone()
    }

    /// To be called once in a while: closes connections that nobody needs.
    pub fn sweep(&self, now: Instant) {
        for upstream in self.serving.borrow().iter() {
            upstream.balanced().pools().iter().for_each(|pool| pool.sweep(now));
        }
    }
}

#[cfg(test)]
mod tests;
