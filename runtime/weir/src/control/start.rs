//! The start: reads and builds the first snapshot, and begins every thread that is needed later.
//!
//! In: a source of configuration. Out: what runs, or every reason why it does not. Never: serves
//! anything that is not completely built.

use std::error::Error;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption};
use rustix::process::{Resource, getrlimit};
use tokio::sync::mpsc;
use weir_core::clock::Clock;
use weir_core::config::{self, Config, Held, Refused};
use weir_core::telemetry::access_log::{AccessLog, Format};
use weir_core::telemetry::log;
use weir_core::telemetry::metrics::Metrics;
use weir_wasm::{Host, HostOptions, LoadedPlugin};

use super::build::{self, Numbers};
use super::options::{Options, StartError};
use super::reading::{all_problems, load};
use super::running::Running;
use super::tasks::Tasks;
use crate::server::{self, Setup, WorkerLogMaker};
use crate::upstream::{self, resolver};

/// Loads and builds a configuration without serving it. Gives its plugins, too.
///
/// # Errors
/// Every problem, each with its place.
pub fn build(options: &Options) -> Result<(Config, Vec<Arc<LoadedPlugin>>), StartError> {
    let config = load(options, Held::new()).map_err(|refused| refusal(options, *refused))?;
    let host = Host::new(host_options(options, &config, &Metrics::new())).map_err(no_plugins)?;
    let (metrics, now) = (Metrics::new(), options.clock.wall());
    build::build(config, &host, &metrics, &mut Numbers::default(), None, &[], now)
        .map(|(built, _)| (Config::clone(&built.config), built.plugins))
        .map_err(StartError::from)
}

/// Starts workers and serves. Returns when every worker accepts on every listener. Whatever thread
/// is needed later exists from here on.
///
/// # Errors
/// Where the configuration is wrong, an address cannot be bound, or the system gives no thread.
pub fn start(options: Options) -> Result<Arc<Running>, StartError> {
    let config = load(&options, Held::new()).map_err(|refused| refusal(&options, *refused))?;
    let read = config.sources.clone();
    // Whatever thread is needed later exists from here on; a host has its own.
    resolver::start().map_err(StartError::from)?;
    let tasks = Tasks::start().map_err(StartError::from)?;
    let (probing, told) = mpsc::unbounded_channel();
    let clock = options.clock.clone();
    tasks.spawn("prober", move || upstream::probe(told, clock));
    log::configure(&config.server.log);
    let metrics = Arc::new(Metrics::new());
    let host = Host::new(host_options(&options, &config, &metrics)).map_err(no_plugins)?;
    let access_log = match &config.server.access_log {
        Some(settings) => {
            let format = match settings.format {
                config::AccessLogFormat::Json => Format::Json,
                config::AccessLogFormat::Combined => Format::Combined,
            };
            let dropped = metrics.access_log_dropped();
            let opened = AccessLog::open(format, settings.file.as_deref(), dropped);
            Some(opened.map_err(|error| {
                let key = match settings.file {
                    Some(_) => "server.access_log.file",
                    None => "server.access_log",
                };
                StartError::refused(format!("{}: {key}", config.places.of(key)), error)
            })?)
        }
        None => None,
    };
    let process = std::process::id() ^ (clock_salt(&options.clock) as u32);
    let mut workers = Vec::new();
    for index in 0..config.server.workers {
        let log = access_log.as_ref().map(|log| {
            let log = log.clone();
            Box::new(move || log.worker()) as WorkerLogMaker
        });
        let setup = Setup {
            index: u16::try_from(index).unwrap_or(u16::MAX),
            process,
            clock: options.clock.clone(),
            metrics: metrics.clone(),
            log,
        };
        workers.push(server::start(setup).map_err(StartError::from)?);
    }
    let running = Arc::new(Running {
        options,
        host,
        metrics,
        built: ArcSwapOption::empty(),
        endpoints: ArcSwap::default(),
        access_log,
        started_with: config.server.clone(),
        workers,
        tasks,
        probing,
        ending: AtomicBool::new(false),
        read: Mutex::new(read),
        socket_files: Mutex::default(),
        state: Mutex::default(),
    });
    running.deploy(config, &mut running.state.lock().unwrap_or_else(PoisonError::into_inner))?;
    running.metrics.configured(running.options.clock.wall());
    Ok(running)
}

/// Plugins cannot run here; most often for want of address space, of which they take much more than of
/// memory.
fn no_plugins(error: impl Into<Box<dyn Error + Send + Sync>>) -> StartError {
    let limit = match getrlimit(Resource::As).current {
        Some(limit) => format!(
            " (this process may have {} MiB of address space, RLIMIT_AS: raise that by ulimit -v)",
            limit >> 20
        ),
        None => String::new(),
    };
    StartError::refused(format!("plugins cannot run here{limit}"), error)
}

/// Every problem of a configuration that nothing serves yet.
fn refusal(options: &Options, refused: Refused) -> StartError {
    match Host::new(host_options(options, &refused.sound, &Metrics::new())) {
        Ok(host) => all_problems(refused, &host, options.clock.wall()),
        Err(error) => no_plugins(error),
    }
}

fn host_options(options: &Options, config: &Config, metrics: &Metrics) -> HostOptions {
    HostOptions {
        cache_dir: config.server.cache.clone(),
        metrics: metrics.clone(),
        clock: options.clock.clone(),
        built_ins: options.built_ins,
        loader: options.loader.clone(),
    }
}

/// Something that differs from one start to the next.
fn clock_salt(clock: &Clock) -> u64 {
    let since = clock.wall().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    since.as_nanos() as u64
}
