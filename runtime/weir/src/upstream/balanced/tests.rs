//! Sets of endpoints, one after another.

use weir_core::clock;
use weir_core::config::{self, UpstreamProtocol};
use weir_core::health::Check;
use weir_core::telemetry::metrics::Metrics;

use super::*;
use crate::upstream::lease::Home;
use crate::upstream::sample::{self, set};

fn cluster() -> Arc<Cluster> {
    sample::cluster(sample::upstream())
}

/// Ports of the endpoints that the next requests go to.
fn picked(balanced: &Balanced, requests: usize) -> Vec<u16> {
    let pick = || balanced.pick(&Tried::default()).map(|(_, to, _)| to.state().endpoint.port);
    std::iter::repeat_with(pick).take(requests).flatten().collect()
}

#[test]
fn endpoints_that_stay_keep_their_connections_and_others_give_theirs_up() {
    let cluster = cluster();
    let first = set(&cluster, &[1, 2], None);
    let upstream = Upstream::new(first.clone(), None, 0);
    let before = upstream.balanced();
    let (_, under_way, pool) = before.pick(&Tried::default()).expect("an endpoint");
    assert_eq!(under_way.state().endpoint.port, 1);
    let second = set(&cluster, &[3, 1], Some(&first));
    upstream.follow(second.clone());
    let after = upstream.balanced();
    assert!(Rc::ptr_eq(pool, &after.pools()[1]) && pool.wants_back());
    assert!(!before.pools()[1].wants_back(), "nobody sends there any more");
    // What is on its way is counted on.
    assert_eq!(second.endpoints[1].in_flight(), 1);
    assert_eq!(picked(&after, 4), [3, 1, 3, 1]);
    drop(under_way);
    assert_eq!(second.endpoints[1].in_flight(), 0);
}

/// A request that tries again counts places of the set that it began with.
#[test]
fn a_request_under_way_tries_among_the_endpoints_that_it_began_with() {
    let cluster = cluster();
    let first = set(&cluster, &[1, 2], None);
    let upstream = Upstream::new(first.clone(), None, 0);
    let of_the_request = upstream.balanced();
    let mut tried = Tried::default();
    let (at, to, _) = of_the_request.pick(&tried).expect("an endpoint");
    tried.insert(at);
    drop(to);
    upstream.follow(set(&cluster, &[3], Some(&first)));
    let (_, to, _) = of_the_request.pick(&tried).expect("the other one");
    assert_eq!(to.state().endpoint.port, 2);
    upstream.follow(EndpointSet::empty(cluster));
    assert!(upstream.balanced().pick(&Tried::default()).is_none());
}

/// Over a reload too, but only where connections would be made in the same way.
#[test]
fn another_protocol_takes_no_connection_over() {
    for (protocol, is_kept) in [(UpstreamProtocol::Auto, true), (UpstreamProtocol::Http2, false)] {
        let first = set(&cluster(), &[1], None);
        let before = Upstream::new(first.clone(), None, 0);
        let changed = config::Upstream { protocol, ..sample::upstream() };
        let second = set(&sample::cluster(changed), &[1], Some(&first));
        let after = Upstream::new(second.clone(), Some(&before), 0);
        let pool = |upstream: &Upstream| upstream.balanced().pools()[0].clone();
        assert_eq!(Rc::ptr_eq(&pool(&before), &pool(&after)), is_kept, "{protocol:?}");
        assert!(Arc::ptr_eq(&first.endpoints[0], &second.endpoints[0]), "its state is its own");
    }
}

/// With another weight it is the same endpoint: what its check knows is not forgotten. Nor is it another
/// one where it is named twice.
#[test]
fn an_endpoint_is_one_however_often_and_with_what_weight_it_is_named() {
    let cluster = cluster();
    let first = set(&cluster, &[1, 2, 1], None);
    assert_eq!(first.endpoints.len(), 2);
    let state = &first.endpoints[0];
    let health = config::Health::of("/".into());
    *state.check() = Some(Check::new(&health, clock::now(), 1));
    state.set_healthy(false);
    let heavier = config::Endpoint { weight: 2, ..state.endpoint.clone() };
    let second = EndpointSet::new(cluster, &[heavier], &Metrics::new(), Some(&first));
    let state = &second.unwrap_or_else(|error| panic!("{}", error.what)).endpoints[0];
    assert!(!state.is_healthy() && state.check().is_some());
}

/// Whoever finds endpoints may find one with TLS where the configuration has none.
#[test]
fn an_endpoint_that_wants_tls_is_never_spoken_to_without() {
    let endpoint = config::Endpoint { tls: true, host: "127.0.0.1".into(), port: 443, weight: 1 };
    let metrics = Metrics::new();
    let refused = EndpointSet::new(cluster(), &[endpoint], &metrics, None).err();
    assert!(refused.is_some_and(|error| error.what.starts_with("127.0.0.1:443")));
}
