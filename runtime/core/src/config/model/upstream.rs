//! An upstream as configured: endpoints, and how they are chosen, probed and connected to.
//!
//! In: a checked `[upstreams.NAME]`. Out: what a cluster is built from, compared by content at a
//! reload. Never: holds what runs: health and pools are the cluster's.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Bound;

/// `[upstreams.NAME]`
#[derive(Debug, Clone, PartialEq)]
pub struct Upstream {
    pub name: Arc<str>,
    pub endpoints: Vec<Endpoint>,
    pub balance: Balance,
    pub health: Option<Health>,
    pub protocol: UpstreamProtocol,
    pub tls: UpstreamTls,
    pub timeouts: UpstreamTimeouts,
    pub pool: Pool,
    /// `host = "client"` (default) passes the client's authority on; `"endpoint"` sends the
    /// endpoint's; anything else is sent as it stands.
    pub host: HostPolicy,
    /// `/readyz` fails while none of its endpoints is healthy; default false.
    pub essential: bool,
    /// How often one request may be sent again; default 1: unsent, or idempotent without a body.
    pub retries: u32,
    pub reach: Reach,
}

/// What the names of endpoints may stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Whatever they say. An upstream's own.
    Anywhere,
    /// Addresses that anybody may reach: of a name that its owner could point at this network.
    Public,
}

/// One address of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    pub tls: bool,
    /// Host name or address as written, without brackets.
    pub host: Arc<str>,
    pub port: u16,
    /// 1 to 1,000; default 1.
    pub weight: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// Smooth weighted round robin.
    RoundRobin,
    /// Fewest requests in flight for its weight.
    LeastRequest,
}

/// Active health check: `GET path`, 2xx or 3xx is healthy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    pub path: String,
    /// What `Host` says; default: what it is in traffic.
    pub host: Option<String>,
    /// Default 10s.
    pub interval: Duration,
    /// Default 5s.
    pub timeout: Duration,
    /// Successes in a row until an endpoint is healthy again; default 2.
    pub healthy: u32,
    /// Failures in a row until it is taken out; default 3.
    pub unhealthy: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamProtocol {
    /// `http://` speaks HTTP/1.1; `https://` what ALPN settles. The default.
    Auto,
    Http1,
    /// With `http://`: prior knowledge (h2c).
    Http2,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTls {
    /// PEM of the authorities to trust, or of endpoints' own certificates, which are trusted as they
    /// are; default: the system's.
    pub ca: Option<PathBuf>,
    /// Name for SNI and verification; default: the endpoint's host.
    pub server_name: Option<String>,
    /// Default true; false accepts any certificate: for tests and closed networks only.
    pub verify: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamTimeouts {
    /// TCP and TLS; default 5s.
    pub connect: Duration,
    /// From the request sent to the response's head; default 60s.
    pub first_byte: Bound,
    /// Between two bytes of the response's body; default 5m.
    pub idle: Bound,
}

/// The pool of an endpoint, for each worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Idle connections kept for an endpoint and worker; default 256.
    pub max_idle: usize,
    /// How long one is kept idle; default 60s.
    pub idle_timeout: Duration,
    /// Connections of an endpoint and worker, of either version; one more request waits for a free
    /// one within the connect timeout. Over HTTP/2 each has as many places as the endpoint allows streams,
    /// 100 at most. A client, over all his connections, has a sixteenth of the places as his share: the
    /// last eighth, of two one, is kept for those who have less, the one before also for connections
    /// with less. Default: 1024.
    pub max_connections: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPolicy {
    Client,
    Endpoint,
    Fixed(String),
}

impl Upstream {
    /// Of [`Upstream::retries`], where nothing is written.
    pub const RETRIES: u32 = 1;

    /// Of a single endpoint, with whatever is the default; requests name it as their host.
    pub fn of_origin(name: Arc<str>, endpoint: Endpoint, reach: Reach) -> Upstream {
        Upstream {
            name,
            endpoints: vec![endpoint],
            balance: Balance::RoundRobin,
            health: None,
            protocol: UpstreamProtocol::Auto,
            tls: UpstreamTls::default(),
            timeouts: UpstreamTimeouts::default(),
            pool: Pool::default(),
            host: HostPolicy::Endpoint,
            essential: false,
            retries: Upstream::RETRIES,
            reach,
        }
    }
}

impl Endpoint {
    /// What tells it from others, whatever its weight.
    pub fn identity(&self) -> (bool, &str, u16) {
        (self.tls, &self.host, self.port)
    }

    /// `host:port`, an IPv6 address in brackets.
    pub fn address(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// The same without the port, where that is its scheme's own (RFC 9110, 4.2).
    pub fn authority(&self) -> String {
        let mut authority = self.address();
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual
            && let Some(colon) = authority.rfind(':')
        {
            authority.truncate(colon);
        }
        authority
    }

    /// `https://host:port` in its one normal form.
    pub fn origin(&self) -> String {
        format!("{}://{}", if self.tls { "https" } else { "http" }, self.authority())
    }
}

impl Health {
    /// Of this path; the rest by default.
    pub fn of(path: String) -> Health {
        Health {
            path,
            host: None,
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            healthy: 2,
            unhealthy: 3,
        }
    }
}

impl Default for UpstreamTls {
    fn default() -> Self {
        UpstreamTls { ca: None, server_name: None, verify: true }
    }
}

impl Default for UpstreamTimeouts {
    fn default() -> Self {
        UpstreamTimeouts {
            connect: Duration::from_secs(5),
            first_byte: Bound::by_default(Duration::from_secs(60)),
            idle: Bound::by_default(Duration::from_secs(300)),
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Pool { max_idle: 256, idle_timeout: Duration::from_secs(60), max_connections: 1024 }
    }
}
