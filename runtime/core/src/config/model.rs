//! Configuration as used: checked, resolved, every name an index, every text parsed.
//!
//! In: what [`super::load`] found good. Out: the one [`Config`] that router, upstreams, chains and
//! listeners are built from. Never: holds a key that was not checked, or text that must still be
//! parsed. Vectors are sorted by name, so an index means the same for equal configurations.

mod bound;
mod grants;
mod listener;
mod plugin;
mod route;
mod upstream;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

pub use bound::*;
pub use grants::*;
pub use listener::*;
pub use plugin::*;
pub use route::*;
pub use upstream::*;

use super::contents::Contents;
use super::places::Places;
use super::problem::{Problem, told_of};
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
    /// Every file of certificates that is one as far as PEM goes, also where what names it has other
    /// problems: for whoever knows TLS.
    pub certificates: Vec<CertificateFile>,
    /// Every file that was read, also components and certificates: what to watch for changes.
    pub sources: Sources,
    /// What is in those of them that are no components.
    pub contents: Arc<Contents>,
    /// What deserves a look and stops nothing, sorted by place.
    pub warnings: Vec<Problem>,
    /// Where every key stands, for problems that are found later.
    pub places: Arc<Places>,
}

impl Config {
    /// Adds to the warnings what was found later.
    pub fn warn(&mut self, mut found: Vec<Problem>) {
        found.append(&mut self.warnings);
        self.warnings = told_of(found, 0, "warning");
    }
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
    /// How long it takes until who asks `/readyz` knows, with some leeway: the default period of
    /// Kubernetes is ten seconds, but there the endpoint is taken out of service at the same time as
    /// the signal is sent, and that news takes a second or two.
    pub const TOLD: Duration = Duration::from_secs(5);

    /// Where nothing is written. `cache`: where this user keeps what can be made again.
    pub fn by_default(cache: Option<PathBuf>) -> Server {
        Server {
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            drain_delay: Duration::ZERO,
            grace: Duration::from_secs(10),
            log: Filter::default(),
            admin: None,
            admin_hosts: Vec::new(),
            cache,
            compile: CompileLimits::default(),
            access_log: None,
            trusted_proxies: Vec::new(),
        }
    }

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
