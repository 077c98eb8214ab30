//! The control side: starts workers, builds snapshots and hands them over.
//!
//! In: a source of configuration, and calls to reload or to stop. Out: what serves is always a
//! complete snapshot. Never: on a request's way; everything slow happens here.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::oneshot;

use super::built::{Built, Numbers};
use super::worker::{self, Command, Parts, Setup, WorkerHandle};
use crate::clock::Clock;
use crate::config::{self, Bind, Config, Environment, Problems, Source};
use crate::net::{ConnectionLimit, Listener as Socket};
use crate::telemetry::access_log::{AccessLog, Format};
use crate::telemetry::metrics::{Metrics, Series};
use crate::upstream::Prober;
use crate::wasm::{Host, HostOptions, LoadedPlugin};

/// What a server is started with.
pub struct Options {
    pub source: Source,
    pub environment: Environment,
    /// Embedded components: name and bytes.
    pub built_ins: &'static [(&'static str, &'static [u8])],
    pub clock: Clock,
}

/// A running server. Dropping it without [`Running::stop`] leaves its threads to the process's end.
pub struct Running {
    options: Options,
    pub(super) host: Host,
    pub(super) metrics: Arc<Metrics>,
    pub(super) built: ArcSwapOption<Built>,
    access_log: Option<AccessLog>,
    /// `[server]` as it was at the start.
    started_with: config::Server,
    workers: Vec<WorkerHandle>,
    /// One reload at a time, and what only reloads touch.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    numbers: Numbers,
    /// Where each address really is: port 0 was chosen by the system.
    bound: HashMap<Bind, Bind>,
    limits: HashMap<Bind, ConnectionLimit>,
    prober: Option<Prober>,
}

/// A reload that happened.
#[derive(Debug, Clone)]
pub struct Reloaded {
    pub generation: u64,
    /// From reading the files to the last worker serving from it.
    pub took: Duration,
    /// Keys of `[server]` that changed, but are read at the start only.
    pub awaiting_restart: Vec<&'static str>,
}

/// Why a configuration did not come to serve.
#[derive(Debug)]
pub enum StartError {
    /// It is wrong.
    Config(Problems),
    /// The system refused something: an address, a thread, a file.
    System(String),
}

/// Loads and builds a configuration without serving it.
///
/// # Errors
/// Every problem, each with its place.
pub fn build(options: &Options) -> Result<Config, StartError> {
    let config = load(options)?;
    let host = Host::new(host_options(options, &config, &Metrics::new()))
        .map_err(|error| StartError::System(format!("plugins cannot run here: {error}")))?;
    Built::new(config, &host, &Metrics::new(), &mut Numbers::default(), None)
        .map(|built| Config::clone(&built.config))
        .map_err(StartError::from)
}

/// Starts workers and serves. Returns when every listener accepts.
///
/// # Errors
/// Where the configuration is wrong, or an address cannot be bound.
pub fn start(options: Options) -> Result<Arc<Running>, StartError> {
    let config = load(&options)?;
    for warning in &config.warnings {
        tracing::warn!("{}", warning.as_warning());
    }
    let metrics = Arc::new(Metrics::new());
    let host = Host::new(host_options(&options, &config, &metrics))
        .map_err(|error| StartError::System(error.to_string()))?;
    let access_log = match &config.server.access_log {
        Some(settings) => {
            let format = match settings.format {
                config::AccessLogFormat::Json => Format::Json,
                config::AccessLogFormat::Combined => Format::Combined,
            };
            let dropped = metrics.access_log_dropped();
            let opened = AccessLog::open(format, settings.file.as_deref(), dropped);
            Some(opened.map_err(|error| StartError::System(format!("access log: {error}")))?)
        }
        None => None,
    };
    let process = std::process::id() ^ (clock_salt(&options.clock) as u32);
    let mut workers = Vec::new();
    for index in 0..config.server.workers {
        let log = access_log.as_ref().map(|log| {
            let log = log.clone();
            Box::new(move || log.worker()) as worker::WorkerLogMaker
        });
        let setup = Setup {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            process,
            clock: options.clock.clone(),
            metrics: metrics.clone(),
            log,
        };
        workers.push(
            worker::start(setup).map_err(|error| StartError::System(format!("thread: {error}")))?,
        );
    }
    let running = Arc::new(Running {
        options,
        host,
        metrics,
        built: ArcSwapOption::empty(),
        access_log,
        started_with: config.server.clone(),
        workers,
        state: Mutex::default(),
    });
    running.deploy(config, &mut running.state.lock().unwrap_or_else(PoisonError::into_inner))?;
    Ok(running)
}

impl Running {
    /// Reads the configuration again and serves from it. Blocking: it may compile. Of reloads at
    /// the same time each reads after the one before it serves, so that none brings back what
    /// another has already replaced.
    ///
    /// # Errors
    /// What is wrong; the old snapshot goes on serving.
    pub fn reload(&self) -> Result<Reloaded, StartError> {
        let started = std::time::Instant::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = load(&self.options).map_err(StartError::from).and_then(|config| {
            let server = config.server.clone();
            Ok((self.deploy(config, &mut state)?, server))
        });
        drop(state);
        match result {
            Ok((generation, server)) => {
                let awaiting_restart = server.awaiting_restart(&self.started_with);
                for key in &awaiting_restart {
                    tracing::warn!(
                        "server.{key} is read at the start only: restart to put it into use"
                    );
                }
                self.metrics.reload_succeeded(self.options.clock.wall());
                let took = started.elapsed();
                tracing::info!(generation, ?took, "configuration reloaded");
                Ok(Reloaded { generation, took, awaiting_restart })
            }
            Err(error) => {
                self.metrics.reload_failed();
                tracing::error!("the old configuration goes on serving; reload failed:\n{error}");
                Err(error)
            }
        }
    }

    /// Stops accepting, lets connections finish for up to `grace`, and ends the workers. Gives
    /// back how many connections were cut.
    pub fn stop(&self, grace: Duration) -> usize {
        let answers: Vec<_> = self
            .workers
            .iter()
            .map(|worker| {
                let (done, answer) = oneshot::channel();
                let _ = worker.commands.send(Command::Drain(grace, done));
                answer
            })
            .collect();
        answers.into_iter().filter_map(|answer| answer.blocking_recv().ok()).sum()
    }

    /// Reopens the access log's file, after it was rotated away.
    pub fn reopen_log(&self) {
        if let Some(log) = &self.access_log {
            log.reopen();
        }
    }

    /// Where a listener really listens, by name.
    pub fn address(&self, listener: &str) -> Option<SocketAddr> {
        let built = self.built.load_full()?;
        let listener = built.config.listeners.iter().find(|known| &*known.name == listener)?;
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.bound.get(&listener.bind)? {
            Bind::Tcp(address) => Some(*address),
            Bind::Unix(_) => None,
        }
    }

    /// The metrics in the text exposition format.
    pub fn metrics_text(&self) -> String {
        self.metrics.render()
    }

    /// What serves now.
    pub fn built(&self) -> Option<Arc<Built>> {
        self.built.load_full()
    }

    fn deploy(&self, config: Config, state: &mut State) -> Result<u64, StartError> {
        let before = self.built.load_full();
        let built =
            Built::new(config, &self.host, &self.metrics, &mut state.numbers, before.as_deref())?;
        let built = Arc::new(built);
        let (mut sockets, bound) = self.open_sockets(&built, state)?;
        let limits: HashMap<Bind, ConnectionLimit> = built
            .config
            .listeners
            .iter()
            .map(|listener| {
                let limit = match state.limits.get(&listener.bind) {
                    Some(known) => known.clone(),
                    None => ConnectionLimit::new(listener.limits.max_connections),
                };
                (listener.bind.clone(), limit)
            })
            .collect();
        // A plugin that stays as it is keeps the instances that it has on every worker.
        let stays = |plugin: &Arc<LoadedPlugin>| {
            before
                .as_ref()
                .is_some_and(|before| before.plugins.iter().any(|known| Arc::ptr_eq(known, plugin)))
        };
        let mut parts = Vec::new();
        for _ in &self.workers {
            let plugins = built
                .plugins
                .iter()
                .map(|plugin| if stays(plugin) { Ok(None) } else { plugin.prepare().map(Some) })
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| StartError::System(format!("plugin instance: {error}")))?;
            let sockets = sockets.pop().unwrap_or_default();
            let limits =
                built.config.listeners.iter().filter_map(|known| limits.get(&known.bind).cloned());
            let limits = limits.collect();
            parts.push(Box::new(Parts { built: built.clone(), plugins, sockets, limits }));
        }
        // From here on nothing can fail.
        self.host.reserve(built.plugins.len(), self.workers.len());
        for listener in &built.config.listeners {
            if let Some(limit) = limits.get(&listener.bind) {
                limit.set(listener.limits.max_connections);
            }
        }
        let answers: Vec<_> = self
            .workers
            .iter()
            .zip(parts)
            .map(|(worker, parts)| {
                let (done, answer) = oneshot::channel();
                let _ = worker.commands.send(Command::Swap(parts, done));
                answer
            })
            .collect();
        for answer in answers {
            let _ = answer.blocking_recv();
        }
        state.bound = bound;
        state.limits = limits;
        state.prober = Some(Prober::start(&built.clusters, self.options.clock.clone()));
        let generation = built.generation;
        self.tidy_metrics(&built);
        self.built.store(Some(built));
        Ok(generation)
    }

    /// A socket for each worker on each address that is new.
    #[expect(clippy::type_complexity, reason = "one pair, used once")]
    fn open_sockets(
        &self,
        built: &Built,
        state: &State,
    ) -> Result<(Vec<Vec<(Bind, Socket)>>, HashMap<Bind, Bind>), StartError> {
        let mut sockets: Vec<Vec<(Bind, Socket)>> = Vec::new();
        sockets.resize_with(self.workers.len(), Vec::new);
        let mut bound = HashMap::new();
        for listener in &built.config.listeners {
            if let Some(known) = state.bound.get(&listener.bind) {
                bound.insert(listener.bind.clone(), known.clone());
                continue;
            }
            let made = crate::net::listen(&listener.bind, self.workers.len()).map_err(|error| {
                let place = built.config.places.of(&format!("listeners.{}.bind", listener.name));
                StartError::System(format!("{place}: {error}"))
            })?;
            let actual = match made.first().and_then(Socket::local_addr) {
                Some(address) => Bind::Tcp(address),
                None => listener.bind.clone(),
            };
            bound.insert(listener.bind.clone(), actual);
            for (worker, socket) in sockets.iter_mut().zip(made) {
                worker.push((listener.bind.clone(), socket));
            }
        }
        Ok((sockets, bound))
    }

    /// Forgets the series of what is no more, so that memory stays flat over reloads.
    fn tidy_metrics(&self, built: &Built) {
        let config = &built.config;
        self.metrics.retain(|series| match series {
            Series::Route(name) => {
                name == crate::proxy::NO_ROUTE || config.routes.iter().any(|r| &*r.name == name)
            }
            Series::Plugin(name) => config.plugins.iter().any(|plugin| &*plugin.name == name),
            Series::Listener("(admin)") => true,
            Series::Listener(name) => config.listeners.iter().any(|known| &*known.name == name),
            Series::Upstream(name) => config.upstreams.iter().any(|known| &*known.name == name),
            Series::Endpoint { upstream, endpoint } => {
                built.clusters.iter().filter(|cluster| &*cluster.config.name == upstream).any(
                    |cluster| cluster.endpoints.iter().any(|known| &*known.address == endpoint),
                )
            }
        });
        for (listener, tls) in config.listeners.iter().zip(&built.tls) {
            let certificates = tls.iter().flat_map(|tls| &tls.certificates);
            let facts = certificates.map(|facts| (facts.subject.as_str(), facts.not_after));
            self.metrics.set_certificates(&listener.name, facts);
        }
    }
}

fn load(options: &Options) -> Result<Config, Problems> {
    let names: Vec<&str> = options.built_ins.iter().map(|(name, _)| *name).collect();
    config::load(&options.source, &options.environment, &names)
}

fn host_options(options: &Options, config: &Config, metrics: &Metrics) -> HostOptions {
    HostOptions {
        cache_dir: config.server.cache.clone().or_else(|| default_cache(&options.environment)),
        metrics: metrics.clone(),
        clock: options.clock.clone(),
        built_ins: options.built_ins,
    }
}

/// `$XDG_CACHE_HOME/weir`, else `~/.cache/weir`.
fn default_cache(environment: &Environment) -> Option<PathBuf> {
    let folder =
        |name: &str| environment.get(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    folder("XDG_CACHE_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("weir"))
}

/// Something that differs from one start to the next.
fn clock_salt(clock: &Clock) -> u64 {
    let since = clock.wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}

impl From<Problems> for StartError {
    fn from(problems: Problems) -> Self {
        StartError::Config(problems)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Config(problems) => write!(f, "{problems}"),
            StartError::System(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for StartError {}
