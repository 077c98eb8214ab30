//! The endpoints that an upstream has now.
//!
//! In: which they are, by the configuration or whoever finds them, and those from before. Out: their states,
//! and how each is reached: what workers are told. Never: changes; another set takes its place.

use std::collections::HashSet;
use std::sync::Arc;

use weir_core::config;
use weir_core::telemetry::metrics::Metrics;

use super::cluster::Cluster;
use super::connector::Connector;
use super::endpoint::EndpointState;

/// The endpoints of a cluster.
pub struct EndpointSet {
    pub cluster: Arc<Cluster>,
    pub endpoints: Vec<Arc<EndpointState>>,
    /// In the order of the endpoints.
    connectors: Vec<Connector>,
}

impl EndpointSet {
    /// These, each once, of which those that `before` had keep their state.
    ///
    /// # Errors
    /// Where one is to speak TLS, and its name cannot be that of a certificate.
    pub fn new(
        cluster: Arc<Cluster>,
        endpoints: &[config::Endpoint],
        metrics: &Metrics,
        before: Option<&EndpointSet>,
    ) -> Result<Arc<EndpointSet>, crate::tls::Error> {
        let mut seen = HashSet::new();
        let endpoints: Vec<_> =
            endpoints.iter().filter(|endpoint| seen.insert(endpoint.identity())).collect();
        let connectors = endpoints
            .iter()
            .map(|endpoint| cluster.connector(endpoint))
            .collect::<Result<Vec<_>, _>>()?;
        let endpoints = endpoints
            .into_iter()
            .map(|endpoint| {
                let known = before.and_then(|before| before.state_of(endpoint));
                match known {
                    Some(state) if state.endpoint == *endpoint => state.clone(),
                    _ => {
                        let state = EndpointState::new(&cluster.config, endpoint, metrics, known);
                        Arc::new(state)
                    }
                }
            })
            .collect();
        Ok(Arc::new(EndpointSet { cluster, endpoints, connectors }))
    }

    /// None at all.
    pub fn empty(cluster: Arc<Cluster>) -> Arc<EndpointSet> {
        Arc::new(EndpointSet { cluster, endpoints: Vec::new(), connectors: Vec::new() })
    }

    /// Where nobody asks them, nobody says that one is ill.
    pub fn forget_unasked(&self) {
        if self.cluster.config.health.is_none() {
            self.endpoints.iter().for_each(|state| state.forget_check());
        }
    }

    /// The endpoints, each with how to reach it.
    pub fn reachable(&self) -> impl Iterator<Item = (&Arc<EndpointState>, &Connector)> {
        self.endpoints.iter().zip(&self.connectors)
    }

    /// Where this endpoint stands, whatever its weight.
    pub(super) fn place_of(&self, endpoint: &config::Endpoint) -> Option<usize> {
        self.endpoints.iter().position(|state| state.is_at(endpoint))
    }

    fn state_of(&self, endpoint: &config::Endpoint) -> Option<&Arc<EndpointState>> {
        self.endpoints.get(self.place_of(endpoint)?)
    }
}
