//! Upstreams for tests.
//!
//! In: what is special about them. Out: clusters, and sets of endpoints on this machine. Never: connects.

use std::sync::Arc;

use weir_core::config;
use weir_core::telemetry::metrics::Metrics;

use super::{Cluster, EndpointSet};
use crate::tls::Authorities;
use played::Network;

pub mod http2;
pub mod piped;
pub mod played;

/// As the configuration has it that says nothing but an address.
pub fn upstream() -> config::Upstream {
    let text = "[listeners.web]\nbind = \"127.0.0.1:0\"\n[routes.all]\nupstream = \"a\"\n\
                [upstreams.a]\nendpoints = [\"http://127.0.0.1:1\"]\n";
    let source = config::Source::Text { name: "test.toml".into(), text: text.into() };
    let read = config::load(&source, &config::Environment::default(), &[]);
    let config = read.unwrap_or_else(|problems| panic!("{problems}"));
    config.upstreams[0].clone()
}

pub fn cluster(upstream: config::Upstream) -> Arc<Cluster> {
    let made = Cluster::new(upstream, &Metrics::new(), &Authorities::default(), None);
    made.unwrap_or_else(|error| panic!("{}", error.what))
}

/// The same, whose endpoints a test plays.
pub fn cluster_over(network: Network, upstream: config::Upstream) -> Arc<Cluster> {
    let (dial, system) = (Arc::new(network), Authorities::default());
    let made = Cluster::over(dial, upstream, &Metrics::new(), &system, None);
    made.unwrap_or_else(|error| panic!("{}", error.what))
}

/// Endpoints at these ports, after those of `before`.
pub fn set(
    cluster: &Arc<Cluster>,
    ports: &[u16],
    before: Option<&EndpointSet>,
) -> Arc<EndpointSet> {
    let host: Arc<str> = "127.0.0.1".into();
    let at =
        |port: &u16| config::Endpoint { tls: false, host: host.clone(), port: *port, weight: 1 };
    let endpoints: Vec<_> = ports.iter().map(at).collect();
    let made = EndpointSet::new(cluster.clone(), &endpoints, &Metrics::new(), before);
    made.unwrap_or_else(|error| panic!("{}", error.what))
}
