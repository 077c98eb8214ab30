//! What all workers know of an upstream, whichever endpoints it has.
//!
//! In: the upstream's configuration, and the cluster it replaces. Out: how its endpoints are spoken to.
//! Never: knows which they are; an [`EndpointSet`](super::EndpointSet) does.

use std::sync::Arc;

use http::HeaderValue;
use weir_core::config;
use weir_core::telemetry::metrics::{Metrics, UpstreamMetrics};

use super::connector::Connector;
use super::dial::{Dial, Tcp};
use super::endpoint::EndpointState;
use crate::tls::{Authorities, Origination};

/// An upstream as all workers share it.
pub struct Cluster {
    pub config: config::Upstream,
    /// Whom its endpoints are trusted by, where any of them speaks TLS.
    tls: Option<Origination>,
    /// What `host = "NAME"` sends.
    host: Option<HeaderValue>,
    /// What a check asks for where traffic says what the client said.
    check_host: Option<HeaderValue>,
    dial: Arc<dyn Dial>,
    pub metrics: UpstreamMetrics,
}

impl Cluster {
    /// Builds an upstream.
    ///
    /// # Errors
    /// Where the TLS configuration cannot be made: an unreadable authority file, a bad name.
    pub fn new(
        config: config::Upstream,
        metrics: &Metrics,
        system: &Authorities,
        before: Option<&Cluster>,
    ) -> Result<Arc<Cluster>, crate::tls::Error> {
        Cluster::over(Arc::new(Tcp(config.reach)), config, metrics, system, before)
    }

    /// The same, whose connections are made by somebody.
    ///
    /// # Errors
    /// As [`Cluster::new`].
    pub(super) fn over(
        dial: Arc<dyn Dial>,
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
        let metrics = metrics.upstream(&config.name);
        let host = match &config.host {
            // A checked host has nothing that a field value could not have.
            config::HostPolicy::Fixed(host) => HeaderValue::try_from(&**host).ok(),
            config::HostPolicy::Client | config::HostPolicy::Endpoint => None,
        };
        let named = config.health.as_ref().and_then(|health| health.host.as_ref());
        let named = named.or(config.tls.server_name.as_ref().filter(|_| tls.is_some()));
        let check_host = named.and_then(|name| HeaderValue::try_from(name.as_str()).ok());
        Ok(Arc::new(Cluster { config, tls, host, check_host, dial, metrics }))
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

    /// How an endpoint is reached.
    ///
    /// # Errors
    /// Where its name cannot be that of a certificate.
    pub(super) fn connector(
        &self,
        endpoint: &config::Endpoint,
    ) -> Result<Connector, crate::tls::Error> {
        let tls = match (&self.tls, endpoint.tls) {
            (_, false) => None,
            (Some(tls), true) => {
                let name = crate::tls::server_name(&self.config.tls, &endpoint.host)?;
                Some((tls.config.clone(), name))
            }
            // Never without, where it is wanted.
            (None, true) => {
                let config::Endpoint { host, port, .. } = endpoint;
                let what = format!(
                    "{host}:{port} is to be spoken to with TLS, for which nothing was made"
                );
                let hint = "name an endpoint of the upstream with https:// in the configuration";
                return Err(crate::tls::Error::new(what, hint));
            }
        };
        Ok(Connector {
            endpoint: endpoint.clone(),
            protocol: self.config.protocol,
            tls,
            dial: self.dial.clone(),
            timeout: self.config.timeouts.connect,
        })
    }

    /// Whether connections of `other` to the same endpoint may go on being used: by what they were
    /// made from, never by the path that it was read from.
    pub(super) fn connects_like(&self, other: &Cluster) -> bool {
        let trust = |cluster: &Cluster| cluster.tls.as_ref().map(|tls| Arc::as_ptr(&tls.config));
        self.config.protocol == other.config.protocol
            && trust(self) == trust(other)
            && self.config.tls.server_name == other.config.tls.server_name
            && self.config.pool == other.config.pool
            && self.config.reach == other.config.reach
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
