//! Configuration as used: checked, resolved, every name an index, every text parsed.
//!
//! In: what [`super::load`] found good. Out: the one [`Config`] that router, upstreams, chains and
//! listeners are built from. Never: holds a key that was not checked, or text that must still be
//! parsed. Vectors are sorted by name, so an index means the same for equal configurations.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use regex::Regex;

use super::places::Places;
use super::problem::Problem;
use super::stamp::Sources;
use crate::telemetry::log::Filter;

/// Everything one snapshot is built from.
#[derive(Debug, Clone)]
pub struct Config {
    pub server: Server,
    pub listeners: Vec<Listener>,
    pub plugins: Vec<Plugin>,
    pub routes: Vec<Route>,
    pub upstreams: Vec<Upstream>,
    /// Every file that was read, also components and certificates: what to watch for changes.
    pub sources: Sources,
    /// What deserves a look and stops nothing, sorted by place.
    pub warnings: Vec<Problem>,
    /// Where every key stands, for problems that are found later.
    pub places: Arc<Places>,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// Threads that serve; default: the cores.
    pub workers: usize,
    /// How long after SIGTERM `/readyz` fails while new connections are still accepted; default 5s
    /// with an admin listener, which is where that can be seen, else none.
    pub drain_delay: Duration,
    /// Drain time on SIGTERM, from the end of `drain_delay` on; default 10s.
    pub grace: Duration,
    /// What the daemon's own log tells; default `info`.
    pub log: Filter,
    /// Admin listener; absent: off.
    pub admin: Option<Bind>,
    /// Hosts that the admin listener answers to, beyond loopback's names and addresses and the
    /// address that a client connected to; default: none. Others are refused (DNS rebinding).
    pub admin_hosts: Vec<HostMatch>,
    /// Where compiled components are kept; default `$XDG_CACHE_HOME/weir`, else `~/.cache/weir`.
    pub cache: Option<PathBuf>,
    /// What compiling a component may take.
    pub compile: CompileLimits,
    pub access_log: Option<AccessLog>,
    /// Peers whose `Forwarded` and `X-Forwarded-*` are believed; default: nobody.
    pub trusted_proxies: Vec<IpNet>,
}

impl Server {
    /// The keys that differ from `running` but are read at the start only: what they say now holds
    /// after a restart.
    pub fn awaiting_restart(&self, running: &Server) -> Vec<&'static str> {
        [
            ("workers", self.workers != running.workers),
            ("admin", self.admin != running.admin),
            ("cache", self.cache != running.cache),
            ("access_log", self.access_log != running.access_log),
        ]
        .into_iter()
        .filter_map(|(key, differs)| differs.then_some(key))
        .collect()
    }
}

/// `[server.compile]`: bounds of the process that compiles a component which is not built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompileLimits {
    /// Address space, in bytes; default 1 GiB.
    pub memory: u64,
    /// Processor time of all its threads, in whole seconds; default 60s. By the clock it may take
    /// ten times as long.
    pub time: Duration,
}

impl Default for CompileLimits {
    fn default() -> CompileLimits {
        CompileLimits { memory: 1 << 30, time: Duration::from_secs(60) }
    }
}

/// `[server.access_log]`
#[derive(Debug, Clone, PartialEq)]
pub struct AccessLog {
    /// `json` (default) or `combined`.
    pub format: AccessLogFormat,
    /// A file to append to; absent: standard output.
    pub file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLogFormat {
    Json,
    Combined,
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Bind {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// `[listeners.NAME]`
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    pub name: Arc<str>,
    pub bind: Bind,
    /// Run before every route's own chain: indices into [`Config::plugins`].
    pub plugins: Vec<usize>,
    pub tls: Option<ListenerTls>,
    pub path: PathPolicy,
    pub limits: Limits,
    /// Whether requests and responses get a `Via` (RFC 9110, 7.6.3); default true. Without it loops
    /// are not found.
    pub via: bool,
    /// Which request fields with `_` or `.` in their names are dropped; default `known`.
    pub drop_ambiguous: DropAmbiguous,
}

/// Request fields that CGI, WSGI and others cannot tell from those with `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DropAmbiguous {
    /// Those that could be taken for one that Weir or a plugin of the chain sets or checks.
    #[default]
    Known,
    All,
}

/// What becomes of paths that endpoints may read differently (see [`crate::http::path::strict`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PathPolicy {
    /// They are routed and forwarded in their normal form. The default: package registries and
    /// object stores need `%2F` and `//`.
    #[default]
    Normal,
    /// 400. Of a listener: before a route is looked for.
    Strict,
}

/// `[listeners.NAME.tls]`
#[derive(Debug, Clone, PartialEq)]
pub struct ListenerTls {
    /// The first is the default for clients without SNI.
    pub certificates: Vec<CertificateFiles>,
    /// `1.2` or `1.3`; default 1.2.
    pub min_version: TlsVersion,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM chain, leaf first.
    pub cert: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    V1_2,
    V1_3,
}

/// Limits of a listener, written beside `bind`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of a head (or the connection's start) to its end; default 30s.
    pub header_timeout: Duration,
    /// Between two requests of a connection; default 75s.
    pub idle_timeout: Duration,
    /// Between two bytes of a body, either way; default 60s.
    pub body_timeout: Bound,
    /// Of a TLS handshake; default 10s.
    pub handshake_timeout: Duration,
    /// Request line and fields, in bytes; default 64 KiB.
    pub max_header_bytes: usize,
    /// Field lines; default 100, which costs nothing: more take two allocations for each request.
    pub max_headers: usize,
    /// Connections at a time, all workers together; default: no bound.
    pub max_connections: Option<usize>,
    /// Request body in bytes; default: no bound.
    pub body_limit: Option<u64>,
    /// HTTP/2 streams at a time and connection; default 128.
    pub max_streams: u32,
    /// Bytes a second that a request's body has to come with, as a mean over
    /// `min_body_rate_window` of waiting for the client; default 240, 0: no bound.
    pub min_body_rate: u64,
    /// Default 60s.
    pub min_body_rate_window: Duration,
    /// Bytes of responses that are read ahead for a client that does not take them yet, of a
    /// connection; default 4 MiB. It frees endpoints' connections.
    pub read_ahead: usize,
}

/// `[plugins.NAME]`. Equal if it would run the same, wherever it stands.
#[derive(Clone)]
pub struct Plugin {
    pub name: Arc<str>,
    pub component: ComponentSource,
    /// The `config` table as JSON text; `{}` where absent. Secrets are resolved in it: never log it.
    pub config: Arc<str>,
    pub grants: Grants,
    pub limits: PluginLimits,
    pub on_failure: OnFailure,
    pub isolation: Isolation,
    /// Where the table stands, for messages: `weir.toml:12:1`.
    pub place: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ComponentSource {
    /// One that is embedded in the binary, by name.
    BuiltIn(Arc<str>),
    File(PathBuf),
}

/// What an operator lets a plugin import beyond `http`, `log`, `metrics` and `limiter`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grants {
    pub store: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLimits {
    /// Linear memory of an instance in bytes; default 16 MiB, at most 256 MiB.
    pub memory: usize,
    /// CPU time of one hook call; default 10ms (see [`PluginLimits::of`]), 1ms to 10s.
    pub deadline: Duration,
    /// Instances at a time that calls may use, on each worker; default 64, 1 to 1,024. Calls that
    /// wait for a body, or take long, hold one each.
    pub instances: usize,
    /// How long a call waits for an instance before its exchange gets a 503; default 5s.
    pub wait: Duration,
    /// What the plugin may hold in the proxy in bytes, all its instances together: limiter, store,
    /// its own metrics, bodies; default 16 MiB, 64 KiB to 16 GiB. What can be forgotten makes room,
    /// the rest is refused.
    pub quota: usize,
}

/// What happens to an exchange whose plugin trapped or returned an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// 500 with a `Proxy-Status`.
    Reject,
    /// As if the plugin were not in the chain.
    Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// An instance serves many exchanges of its worker, one at a time.
    Worker,
    /// Every call gets a fresh instance.
    Request,
}

/// `[routes.NAME]`
#[derive(Debug, Clone)]
pub struct Route {
    pub name: Arc<str>,
    /// Only requests of these, as indices into [`Config::listeners`]; `None`: of every listener.
    pub listeners: Option<Vec<usize>>,
    pub matches: Match,
    /// The stricter of this and the listener's counts.
    pub path: PathPolicy,
    /// Higher wins before specificity is looked at; default 0.
    pub priority: i32,
    /// Indices into [`Config::plugins`], in order.
    pub plugins: Vec<usize>,
    /// Indices into [`Config::upstreams`] with weights; empty: a plugin must reply.
    pub upstreams: Vec<WeightedUpstream>,
    /// From the request's head to the response's head; default 60s. Upgrades and bodies are not cut.
    pub timeout: Bound,
}

/// How long something may take. A gRPC call may take as long as its client lets it
/// (`grpc-timeout`): for it only a bound holds that was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    after: Duration,
    written: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightedUpstream {
    pub upstream: usize,
    /// 0 sends nothing; default 1.
    pub weight: u32,
}

/// `match = { … }`; what is empty matches anything.
#[derive(Debug, Clone, Default)]
pub struct Match {
    pub host: Option<HostMatch>,
    pub path: Option<PathMatch>,
    pub methods: Vec<http::Method>,
    pub headers: Vec<(http::HeaderName, ValueMatch)>,
    pub query: Vec<(String, ValueMatch)>,
}

/// Lower-case, without port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostMatch {
    Exact(String),
    /// `*.example.com` is kept as `.example.com`; one or more labels before it.
    Suffix(String),
}

impl HostMatch {
    /// Whether a host (lower case, no port, no final dot) is meant.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            HostMatch::Exact(exact) => exact == host,
            HostMatch::Suffix(suffix) => {
                host.len() > suffix.len() && host.ends_with(suffix.as_str())
            }
        }
    }
}

#[derive(Debug, Clone)]
pub enum PathMatch {
    Exact(String),
    /// As in `"/api/*"`: kept as `/api/`; matches what starts with it.
    Below(String),
    /// `{ prefix = "/api" }`: whole segments; matches `/api` and `/api/…`. Kept without a final `/`.
    Prefix(String),
    /// Anchored at both ends.
    Regex(Regex),
}

#[derive(Clone)]
pub enum ValueMatch {
    Exact(String),
    /// Anchored at both ends.
    Regex(Regex),
    /// `{ present = true }`
    Present,
}

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
    /// one within the connect timeout. The last quarter is kept for clients that have at most a
    /// sixteenth of them under way on their own connection. Default: 1024.
    pub max_connections: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostPolicy {
    Client,
    Endpoint,
    Fixed(String),
}

impl PartialEq for Plugin {
    fn eq(&self, other: &Self) -> bool {
        let Plugin { name, component, config, grants, limits, on_failure, isolation, place: _ } =
            self;
        *name == other.name
            && *component == other.component
            && *config == other.config
            && *grants == other.grants
            && *limits == other.limits
            && *on_failure == other.on_failure
            && *isolation == other.isolation
    }
}

impl fmt::Debug for Plugin {
    /// Without `config`: secrets are resolved in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name)
            .field("component", &self.component)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ValueMatch {
    /// Without what is matched: a header may be matched with a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueMatch::Exact(_) => "Exact(..)",
            ValueMatch::Regex(_) => "Regex(..)",
            ValueMatch::Present => "Present",
        })
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Bound::by_default(Duration::from_secs(60)),
            handshake_timeout: Duration::from_secs(10),
            max_header_bytes: 64 << 10,
            max_headers: 100,
            max_connections: None,
            body_limit: None,
            max_streams: 128,
            min_body_rate: 240,
            min_body_rate_window: Duration::from_secs(60),
            read_ahead: 4 << 20,
        }
    }
}

impl Default for PluginLimits {
    fn default() -> Self {
        PluginLimits {
            memory: 16 << 20,
            deadline: Duration::from_millis(10),
            instances: 64,
            wait: Duration::from_secs(5),
            quota: 16 << 20,
        }
    }
}

impl PluginLimits {
    /// What holds where nothing is written. A plugin that verifies passwords takes longer, and
    /// more memory, than one that looks at fields, and fewer of its calls fit beside each other.
    /// Signatures, and patterns of the configuration's own, take a few milliseconds.
    pub fn of(component: &ComponentSource) -> PluginLimits {
        let ComponentSource::BuiltIn(name) = component else {
            return PluginLimits::default();
        };
        match &**name {
            "basic-auth" => PluginLimits {
                memory: 96 << 20,
                deadline: Duration::from_secs(2),
                instances: 16,
                ..PluginLimits::default()
            },
            "jwt" | "redirect" | "rewrite" => {
                PluginLimits { deadline: Duration::from_millis(50), ..PluginLimits::default() }
            }
            _ => PluginLimits::default(),
        }
    }
}

impl Bound {
    /// Longer than anybody waits.
    pub const NEVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);

    /// Where nothing was written.
    pub const fn by_default(after: Duration) -> Bound {
        Bound { after, written: false }
    }

    pub const fn written(after: Duration) -> Bound {
        Bound { after, written: true }
    }

    /// What holds for an exchange.
    pub fn of(self, grpc: bool) -> Duration {
        if grpc && !self.written { Bound::NEVER } else { self.after }
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
