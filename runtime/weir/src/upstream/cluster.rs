//! The endpoints of an upstream: what all workers know of them, and one worker's own part.
//!
//! In: the upstream's configuration, and the cluster it replaces. Out: an endpoint for each
//! request. Never: forgets health or in-flight counts of an endpoint that stays over a reload.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use http::HeaderValue;
use weir_core::balancer::{self, Balancer, Tried};
use weir_core::config;
use weir_core::health::Check;
use weir_core::telemetry::metrics::{EndpointMetrics, Metrics, UpstreamMetrics};

use super::connector::Connector;
use super::pool::Pool;
use crate::tls::{Authorities, Origination};

/// An upstream as all workers share it.
pub struct Cluster {
    pub config: config::Upstream,
    pub endpoints: Vec<Arc<EndpointState>>,
    /// In the order of the endpoints.
    connectors: Vec<Connector>,
    /// Whom its endpoints are trusted by, where any of them speaks TLS.
    tls: Option<Origination>,
    /// What `host = "NAME"` sends.
    host: Option<HeaderValue>,
    /// What a check asks for where traffic says what the client said.
    check_host: Option<HeaderValue>,
    pub metrics: UpstreamMetrics,
}

/// What is known of one endpoint; outlives reloads that keep it.
pub struct EndpointState {
    pub endpoint: config::Endpoint,
    pub upstream: Arc<str>,
    /// `host:port`, for logs and metrics.
    pub address: Arc<str>,
    /// `NAME host:port`, as completion hooks see it.
    pub label: Arc<str>,
    /// What `host = "endpoint"` sends.
    pub authority: HeaderValue,
    pub metrics: EndpointMetrics,
    healthy: AtomicBool,
    in_flight: AtomicU32,
    /// The prober's; kept here so that a reload does not forget it.
    pub(super) check: Mutex<Option<Check>>,
}

/// An upstream as one worker uses it.
pub struct Upstream {
    pub cluster: Arc<Cluster>,
    pools: Vec<Rc<Pool>>,
    balancer: RefCell<Balancer>,
}

/// A request on its way to an endpoint, counted until this is dropped.
pub struct InFlightRequest(Arc<EndpointState>);

impl Cluster {
    /// Builds an upstream; endpoints that `before` had keep their state.
    ///
    /// # Errors
    /// Where the TLS configuration cannot be made: an unreadable authority file, a bad name.
    pub fn new(
        config: config::Upstream,
        metrics: &Metrics,
        system: &Authorities,
        before: Option<&Cluster>,
    ) -> Result<Arc<Cluster>, crate::tls::Error> {
        let tls = match config.endpoints.iter().any(|endpoint| endpoint.tls) {
            true => {
                let known = before.and_then(|before| before.tls.as_ref());
                Some(Origination::new(&config.tls, alpn(config.protocol), system, known)?)
            }
            false => None,
        };
        let endpoints = config
            .endpoints
            .iter()
            .map(|endpoint| {
                let known = before.and_then(|before| {
                    before.place_of(endpoint).and_then(|at| before.endpoints.get(at))
                });
                match known {
                    Some(state) if state.endpoint == *endpoint => state.clone(),
                    _ => Arc::new(EndpointState::new(&config, endpoint, metrics, known)),
                }
            })
            .collect();
        let connectors = config
            .endpoints
            .iter()
            .map(|endpoint| connector(&config, endpoint, tls.as_ref().map(|tls| &tls.config)))
            .collect::<Result<Vec<_>, _>>()?;
        let metrics = metrics.upstream(&config.name);
        let host = match &config.host {
            // A checked host has nothing that a field value could not have.
            config::HostPolicy::Fixed(host) => HeaderValue::try_from(&**host).ok(),
            config::HostPolicy::Client | config::HostPolicy::Endpoint => None,
        };
        let named = config.health.as_ref().and_then(|health| health.host.as_ref());
        let named = named.or(config.tls.server_name.as_ref().filter(|_| tls.is_some()));
        let check_host = named.and_then(|name| HeaderValue::try_from(name.as_str()).ok());
        Ok(Arc::new(Cluster { config, endpoints, connectors, tls, host, check_host, metrics }))
    }

    /// Where the endpoint of the same address stands, whatever its weight.
    fn place_of(&self, endpoint: &config::Endpoint) -> Option<usize> {
        self.endpoints.iter().position(|state| {
            let known = &state.endpoint;
            (&known.host, known.port, known.tls) == (&endpoint.host, endpoint.port, endpoint.tls)
        })
    }

    /// What `Host` becomes for an endpoint; `None`: what the client sent.
    pub fn host_for<'a>(&'a self, endpoint: &'a EndpointState) -> Option<&'a HeaderValue> {
        match self.config.host {
            config::HostPolicy::Client => None,
            config::HostPolicy::Endpoint => Some(&endpoint.authority),
            config::HostPolicy::Fixed(_) => self.host.as_ref(),
        }
    }

    /// What `Host` is in a check of an endpoint: as in traffic, as far as that is known.
    pub(super) fn check_host_for<'a>(&'a self, endpoint: &'a EndpointState) -> &'a HeaderValue {
        let named = self.config.health.as_ref().and_then(|health| health.host.as_ref());
        let named = named.and(self.check_host.as_ref());
        named
            .or_else(|| self.host_for(endpoint))
            .or(self.check_host.as_ref())
            .unwrap_or(&endpoint.authority)
    }

    /// The endpoints, each with how to reach it.
    pub(super) fn reachable(&self) -> impl Iterator<Item = (&Arc<EndpointState>, &Connector)> {
        self.endpoints.iter().zip(&self.connectors)
    }

    /// Whether connections of `other` to the same endpoint may go on being used: by what they were
    /// made from, never by the path that it was read from.
    fn connects_like(&self, other: &Cluster) -> bool {
        let trust = |cluster: &Cluster| cluster.tls.as_ref().map(|tls| Arc::as_ptr(&tls.config));
        self.config.protocol == other.config.protocol
            && trust(self) == trust(other)
            && self.config.tls.server_name == other.config.tls.server_name
            && self.config.pool == other.config.pool
            && self.config.timeouts.connect == other.config.timeouts.connect
    }
}

/// What to offer by ALPN. Offering h2 where it is not asked for is `auto`'s point.
fn alpn(protocol: config::UpstreamProtocol) -> &'static [&'static [u8]] {
    match protocol {
        config::UpstreamProtocol::Auto => &[b"h2", b"http/1.1"],
        config::UpstreamProtocol::Http1 => &[b"http/1.1"],
        config::UpstreamProtocol::Http2 => &[b"h2"],
    }
}

fn connector(
    upstream: &config::Upstream,
    endpoint: &config::Endpoint,
    tls: Option<&Arc<rustls::ClientConfig>>,
) -> Result<Connector, crate::tls::Error> {
    let tls = match (tls, endpoint.tls) {
        (Some(config), true) => {
            Some((config.clone(), crate::tls::server_name(&upstream.tls, &endpoint.host)?))
        }
        _ => None,
    };
    Ok(Connector {
        endpoint: endpoint.clone(),
        protocol: upstream.protocol,
        tls,
        timeout: upstream.timeouts.connect,
    })
}

impl EndpointState {
    fn new(
        upstream: &config::Upstream,
        endpoint: &config::Endpoint,
        metrics: &Metrics,
        before: Option<&Arc<EndpointState>>,
    ) -> EndpointState {
        let config::Endpoint { host, port, tls, .. } = endpoint;
        let bracketed = if host.contains(':') { format!("[{host}]") } else { host.to_string() };
        let address: Arc<str> = format!("{bracketed}:{port}").into();
        let usual = if *tls { 443 } else { 80 };
        let authority = if *port == usual { bracketed } else { address.to_string() };
        let state = EndpointState {
            endpoint: endpoint.clone(),
            upstream: upstream.name.clone(),
            label: format!("{} {address}", upstream.name).into(),
            // A checked host has nothing that a field value could not have.
            authority: HeaderValue::try_from(authority)
                .unwrap_or(HeaderValue::from_static("localhost")),
            metrics: metrics.upstream_endpoint(&upstream.name, &address),
            address,
            healthy: AtomicBool::new(before.is_none_or(|before| before.is_healthy())),
            in_flight: AtomicU32::new(0),
            check: Mutex::default(),
        };
        state.metrics.set_healthy(state.is_healthy());
        state
    }

    /// What the active check says; true where there is none.
    pub fn is_healthy(&self) -> bool {
        self.healthy.load(Ordering::Relaxed)
    }

    pub fn set_healthy(&self, healthy: bool) {
        self.healthy.store(healthy, Ordering::Relaxed);
        self.metrics.set_healthy(healthy);
    }

    /// Requests on their way, of all workers.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }
}

impl Upstream {
    /// One worker's part; pools of endpoints that stay are taken over from `before`. `start`
    /// differs between workers, so that they do not all begin with the same endpoint.
    pub fn new(cluster: Arc<Cluster>, before: Option<&Upstream>, start: usize) -> Upstream {
        let alike = before.filter(|before| before.cluster.connects_like(&cluster));
        let pools = cluster
            .endpoints
            .iter()
            .zip(&cluster.connectors)
            .map(|(state, connector)| {
                let kept = alike.and_then(|before| before.pool_of(&state.endpoint));
                kept.cloned().unwrap_or_else(|| {
                    let metrics = state.metrics.clone();
                    Pool::new(connector.clone(), cluster.config.pool.clone(), metrics)
                })
            })
            .collect();
        let weights: Vec<u32> =
            cluster.config.endpoints.iter().map(|endpoint| endpoint.weight).collect();
        let balancer = RefCell::new(Balancer::new(cluster.config.balance, &weights, start));
        Upstream { cluster, pools, balancer }
    }

    fn pool_of(&self, endpoint: &config::Endpoint) -> Option<&Rc<Pool>> {
        self.pools.get(self.cluster.place_of(endpoint)?)
    }

    /// Chooses an endpoint among those not in `tried`.
    pub fn pick(&self, tried: &Tried) -> Option<(usize, InFlightRequest, &Rc<Pool>)> {
        let endpoints = &self.cluster.endpoints;
        let state = |at: usize| match endpoints.get(at) {
            Some(state) => {
                balancer::EndpointState { usable: state.is_healthy(), in_flight: state.in_flight() }
            }
            None => balancer::EndpointState { usable: false, in_flight: u32::MAX },
        };
        let at = self.balancer.borrow_mut().pick(tried, state)?;
        let state = endpoints.get(at)?;
        state.in_flight.fetch_add(1, Ordering::Relaxed);
        Some((at, InFlightRequest(state.clone()), self.pools.get(at)?))
    }

    /// The pools, in the order of the endpoints.
    pub fn pools(&self) -> &[Rc<Pool>] {
        &self.pools
    }
}

impl InFlightRequest {
    pub fn state(&self) -> &Arc<EndpointState> {
        &self.0
    }
}

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
