//! One worker's view of a configuration: its routes, chains and upstreams bound to each other.
//!
//! In: what was built for every worker, and this one's own plugins and upstreams. Out: the
//! [`proxy::Snapshot`] that new exchanges are served from. Never: builds anything slow, or keeps it.

use std::rc::Rc;

use weir_core::chain::{Chain, Middleware};
use weir_core::config::{self, PathPolicy};
use weir_core::http::concealed::Concealed;
use weir_core::http::forwarded::TrustedProxies;
use weir_core::telemetry::metrics::{Metrics, RouteMetrics};

use super::super::built::Built;
use crate::proxy::{self, Binding, Target};
use crate::upstream::Upstream;

/// One worker's view of a configuration.
pub fn snapshot(
    built: &Built,
    plugins: &[Rc<dyn Middleware>],
    upstreams: &[Rc<Upstream>],
    metrics: &Metrics,
    start: usize,
) -> proxy::Snapshot {
    let config = &built.config;
    let members = |indices: &[usize]| -> Vec<Rc<dyn Middleware>> {
        indices.iter().filter_map(|at| plugins.get(*at).cloned()).collect()
    };
    let routes: Vec<Rc<proxy::Route>> = config
        .routes
        .iter()
        .map(|route| {
            let targets: Vec<Rc<Upstream>> = route
                .upstreams
                .iter()
                .filter_map(|target| upstreams.get(target.upstream).cloned())
                .collect();
            let weights: Vec<u32> = route.upstreams.iter().map(|target| target.weight).collect();
            Rc::new(proxy::Route {
                name: route.name.clone(),
                target: Target::new(targets, &weights, start),
                strict_paths: route.path == PathPolicy::Strict,
                timeout: route.timeout,
            })
        })
        .collect();
    let counts: Vec<RouteMetrics> =
        config.routes.iter().map(|route| metrics.route(&route.name)).collect();
    let unrouted = metrics.route(proxy::NO_ROUTE);
    let trusted = Rc::new(TrustedProxies::new(built.generation, &config.server.trusted_proxies));
    // Of all plugins: a request that is refused before it meets one may bring a credential as well.
    let names = built.plugins.iter().flat_map(|plugin| plugin.credentials()).cloned();
    let concealed = Rc::new(Concealed::new(names));
    let highest = built.numbers.iter().max().map_or(0, |highest| highest + 1);
    let mut listeners: Vec<Option<proxy::Listener>> = Vec::new();
    listeners.resize_with(highest, || None);
    let routed = config.listeners.iter().zip(&built.numbers).zip(&built.routers);
    for ((listener, number), (router, reach)) in routed {
        let own = members(&listener.plugins);
        let name = &listener.name;
        let chosen_by = fields_of_matches(reach, &config.routes);
        let bindings = config
            .routes
            .iter()
            .zip(routes.iter().zip(&counts))
            .map(|(written, (route, metrics))| {
                let mut chain = own.clone();
                chain.extend(members(&written.plugins));
                let (route, chain) = (Some(route.clone()), Chain::new(chain).chosen_by(&chosen_by));
                Binding::new(name.clone(), route, chain, metrics.clone(), &concealed)
            })
            .collect();
        if let Some(place) = listeners.get_mut(*number) {
            *place = Some(proxy::Listener {
                strict_paths: strict_paths(listener, reach, &config.routes),
                limits: listener.limits.clone(),
                trusted: trusted.clone(),
                via: listener.via,
                drop_ambiguous: listener.drop_ambiguous,
                router: router.clone(),
                reach: reach.clone(),
                bindings,
                unrouted: Binding::new(
                    name.clone(),
                    None,
                    Chain::new(own).chosen_by(&chosen_by),
                    unrouted.clone(),
                    &concealed,
                ),
            });
        }
    }
    proxy::Snapshot {
        listeners,
        nowhere: Binding::new("".into(), None, Chain::default(), unrouted, &concealed),
    }
}

/// The fields that the choice among a listener's routes looks at: whatever route a request takes, an
/// endpoint must not find in it what would have led it elsewhere.
fn fields_of_matches(reach: &[usize], routes: &[config::Route]) -> Vec<Box<str>> {
    let reached = reach.iter().filter_map(|route| routes.get(*route));
    let headers = reached.flat_map(|route| &route.matches.headers);
    headers.map(|(name, _)| name.as_str().into()).collect()
}

fn strict_paths(
    listener: &config::Listener,
    reach: &[usize],
    routes: &[config::Route],
) -> proxy::StrictPaths {
    let mut reached = reach.iter().filter_map(|route| routes.get(*route));
    match listener.path {
        PathPolicy::Strict => proxy::StrictPaths::Everywhere,
        PathPolicy::Normal if reached.any(|route| route.path == PathPolicy::Strict) => {
            proxy::StrictPaths::OfRoutes
        }
        PathPolicy::Normal => proxy::StrictPaths::Nowhere,
    }
}
