//! Sets that come before, after and without their configuration.

use super::*;
use crate::upstream::sample;
use weir_core::balancer::Tried;

fn cluster() -> Arc<Cluster> {
    sample::cluster(sample::upstream())
}

/// A set of one endpoint.
fn at(cluster: &Arc<Cluster>, port: u16) -> Vec<Arc<EndpointSet>> {
    vec![sample::set(cluster, &[port], None)]
}

/// Where the next request goes.
fn goes_to(upstream: &Upstream) -> Option<u16> {
    let balanced = upstream.balanced();
    balanced.pick(&Tried::default()).map(|(_, to, _)| to.state().endpoint.port)
}

#[test]
fn a_set_serves_with_its_own_configuration_and_no_other() {
    let (first, second) = (cluster(), cluster());
    let mut upstreams = Upstreams::new(0);
    upstreams.follow(at(&first, 1));
    assert_eq!(goes_to(&upstreams.swap(std::slice::from_ref(&first))[0]), Some(1));
    upstreams.follow(at(&first, 2));
    assert_eq!(goes_to(&upstreams.serving.borrow()[0]), Some(2));
    // Of a configuration that is to come: the last word counts.
    upstreams.follow(at(&second, 3));
    upstreams.follow(at(&second, 4));
    assert_eq!(goes_to(&upstreams.serving.borrow()[0]), Some(2));
    assert_eq!(goes_to(&upstreams.swap(std::slice::from_ref(&second))[0]), Some(4));
    // Of one that is gone.
    upstreams.follow(at(&first, 5));
    assert_eq!(goes_to(&upstreams.serving.borrow()[0]), Some(4));
    // Nobody knows any of it.
    let serving = upstreams.swap(&[cluster()]);
    assert_eq!(goes_to(&serving[0]), None);
    assert!(upstreams.awaited.is_empty());
}
