//! What runs: reads its configuration again, and stops.
//!
//! In: calls to reload or to stop. Out: what serves is always a complete snapshot. Never: on a
//! request's way; everything slow happens here.
#![expect(clippy::disallowed_methods, reason = "the process waits for its workers to end")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use tokio::sync::oneshot;
use weir_core::clock;
use weir_core::config::{self, Bind, Config, Held, Refused, Sources};
use weir_core::telemetry::access_log::AccessLog;
use weir_core::telemetry::log;
use weir_core::telemetry::metrics::Metrics;
use weir_core::threads;
use weir_wasm::Host;

use super::options::{Options, StartError};
use super::reading::{all_problems, load, warn};
use super::state::State;
use super::tasks::Tasks;
use super::writers;
use crate::net::{self, SocketFile};
use crate::server::{Built, Command, WorkerHandle};
use crate::upstream::{EndpointSet, Probing};

/// A running server. Dropping it without [`Running::stop`] leaves its threads to the process's end.
pub struct Running {
    pub(super) options: Options,
    pub(super) host: Host,
    pub(super) metrics: Arc<Metrics>,
    pub(super) built: ArcSwapOption<Built>,
    /// Which endpoints each upstream has now.
    pub(super) endpoints: ArcSwap<Vec<Arc<EndpointSet>>>,
    pub(super) access_log: Option<AccessLog>,
    /// `[server]` as it was at the start.
    pub(super) started_with: config::Server,
    pub(super) workers: Vec<WorkerHandle>,
    #[expect(dead_code, reason = "its tasks end with it")]
    pub(super) tasks: Tasks,
    pub(super) probing: Probing,
    /// The process ends: nothing new is taken into use.
    pub(super) ending: AtomicBool,
    /// What the last reading read, or would have read were it there.
    pub(super) read: Mutex<Sources>,
    /// Of every Unix socket that is listened on, the file that was made for it.
    pub(super) socket_files: Mutex<HashMap<Bind, SocketFile>>,
    /// One reload at a time, and what only reloads touch.
    pub(super) state: Mutex<State>,
}

/// How long a worker has to give up what it has left.
const LEAVING: Duration = Duration::from_secs(10);
/// How long the end waits for files of sockets to be removed.
const REMOVING: Duration = Duration::from_secs(1);

/// A reload that happened.
#[derive(Debug, Clone)]
pub struct Reloaded {
    pub generation: u64,
    /// From reading the files to the last worker serving from it.
    pub took: Duration,
    /// Keys of `[server]` that changed, but are read at the start only.
    pub awaiting_restart: Vec<&'static str>,
}

impl Running {
    /// Reads the configuration again and serves from it. Blocking: it may compile. Of reloads at
    /// the same time each reads after the one before it serves, so that none brings back what
    /// another has already replaced.
    ///
    /// # Errors
    /// What is wrong; the old snapshot goes on serving.
    pub fn reload(&self) -> Result<Reloaded, StartError> {
        self.reload_without(&[], |_| ())
    }

    /// The same, but with files that somebody is writing to as they are in what serves; whoever waits
    /// for it is told what was read before that is built, which takes its time.
    pub(super) fn reload_without(
        &self,
        open: &[PathBuf],
        tell: impl FnOnce(Sources),
    ) -> Result<Reloaded, StartError> {
        // Whatever is wrong with what is there, it is not why.
        if self.is_ending() {
            return Err(StartError::Ending);
        }
        let started = clock::now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = self.load(open);
        let read = match &loaded {
            Ok(config) => &config.sources,
            Err(refused) => &refused.sound.sources,
        };
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = read.clone();
        tell(self.sources());
        let refused =
            |refused: Box<Refused>| all_problems(*refused, &self.host, self.options.clock.wall());
        let result = loaded.map_err(refused).and_then(|config| {
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
                log::configure(&server.log);
                self.metrics.reload_succeeded(self.options.clock.wall());
                let took = clock::since(started);
                tracing::info!(generation, ?took, "configuration reloaded");
                Ok(Reloaded { generation, took, awaiting_restart })
            }
            Err(_) if self.is_ending() => {
                tracing::info!("a reload was given up: the process ends");
                Err(StartError::Ending)
            }
            // What was read is stale.
            Err(error) if self.host.loading().is_interrupted() => {
                tracing::info!("a reload was given up: a newer one follows");
                Err(error)
            }
            Err(error) => Err(self.refused(error)),
        }
    }

    /// The reload under way need not go on: what it read has changed since.
    pub(super) fn give_up(&self) {
        self.host.loading().interrupt();
    }

    /// Others may go on.
    pub(super) fn go_on(&self) {
        self.host.loading().resume();
        if self.is_ending() {
            self.host.loading().interrupt();
        }
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::SeqCst)
    }

    /// Reads the configuration, and no file that is named for the first time while somebody writes it.
    fn load(&self, open: &[PathBuf]) -> Result<Config, Box<Refused>> {
        let built = self.built();
        let held = |open: &[PathBuf]| match &built {
            Some(built) => built.config.contents.hold(open, &built.config.sources),
            None => Held::new(),
        };
        let known = self.sources();
        let config = load(&self.options, held(open))?;
        let new = config.sources.keys().filter(|file| !known.contains_key(*file)).cloned();
        match writers::open_of(new) {
            new if new.is_empty() => Ok(config),
            new => load(&self.options, held(&[open, &new].concat())),
        }
    }

    /// Counts a reload that failed, and tells why.
    pub(super) fn refused(&self, error: StartError) -> StartError {
        self.metrics.reload_failed();
        if let StartError::Config(problems) = &error {
            warn(problems.warnings());
        }
        tracing::error!("the old configuration goes on serving; reload failed:\n{error}");
        error
    }

    /// What to watch for changes: what the last reading read, and, where that failed, what serves.
    pub(super) fn sources(&self) -> Sources {
        let mut sources = self.read.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(built) = self.built() {
            for file in built.config.sources.keys() {
                // It may have changed since it was read, and then has been looked at in vain.
                sources.entry(file.clone()).or_insert_with_key(|file| config::Stamp::of(file));
            }
        }
        sources
    }

    /// From now on no reload takes anything into use; one that waits for a component to be compiled
    /// need not go on.
    pub(super) fn ending(&self) {
        self.ending.store(true, Ordering::SeqCst);
        self.host.loading().interrupt();
    }

    /// Stops accepting, lets connections finish for up to `grace`, and ends the workers, of which nothing
    /// is left then. Gives back how many connections were cut. Blocks.
    pub fn stop(&self, grace: Duration) -> usize {
        let answers = self.tell_to_drain(grace);
        let cut = answers.into_iter().filter_map(|answer| answer.blocking_recv().ok()).sum();
        let until = clock::now() + LEAVING;
        while self.workers.iter().any(|worker| !worker.thread.is_finished()) {
            if clock::now() >= until {
                tracing::warn!("a worker's thread does not end");
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        cut
    }

    /// As [`Running::stop`], without blocking.
    pub(super) async fn drain(&self, grace: Duration) -> usize {
        let mut cut = 0;
        for answer in self.tell_to_drain(grace) {
            cut += answer.await.unwrap_or_default();
        }
        cut
    }

    fn tell_to_drain(&self, grace: Duration) -> Vec<oneshot::Receiver<usize>> {
        self.ending();
        // Who connects by name finds nobody from here on, or another process.
        if let Some(built) = self.built() {
            let mut owned = self.socket_files();
            let listeners = built.config.listeners.iter();
            let files = listeners.filter_map(|listener| owned.remove_entry(&listener.bind));
            let files = files.collect();
            drop(owned);
            remove_in_time(files);
        }
        let tell = |worker: &WorkerHandle| {
            let (done, answer) = oneshot::channel();
            let _ = worker.commands.send(Command::Drain(grace, done));
            answer
        };
        self.workers.iter().map(tell).collect()
    }

    /// The file was made for a socket of this process, and is removed with it.
    pub(super) fn own_socket_file(&self, bind: &Bind, file: Option<SocketFile>) {
        if let Some(file) = file {
            self.socket_files().insert(bind.clone(), file);
        }
    }

    /// Removes the file of a socket that is about to close. Others' files stay.
    pub(super) fn disown_socket_file(&self, bind: &Bind) {
        let file = self.socket_files().remove(bind);
        if let Some(file) = file {
            net::remove_socket_file(bind, file);
        }
    }

    /// As [`Running::disown_socket_file`], of every socket.
    pub(super) fn remove_socket_files(&self) {
        let files = self.socket_files().drain().collect();
        remove_in_time(files);
    }

    fn socket_files(&self) -> MutexGuard<'_, HashMap<Bind, SocketFile>> {
        self.socket_files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, at most so long, until every line of the access log so far is written. Blocks.
    pub(super) fn flush_log(&self, wait: Duration) {
        if let Some(log) = &self.access_log {
            log.flush(wait);
        }
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
        match state.bound.get(&listener.bind)?.at {
            Bind::Tcp(address) => Some(address),
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
}

/// Removes files of sockets. One may lie on a mount that is dead by now: it keeps its thread, and nobody
/// from the end.
fn remove_in_time(files: Vec<(Bind, SocketFile)>) {
    if files.is_empty() {
        return;
    }
    let files = Arc::new(files);
    let remove = |files: &[(Bind, SocketFile)]| {
        files.iter().for_each(|(bind, file)| net::remove_socket_file(bind, *file));
    };
    let (told, removed) = std::sync::mpsc::channel();
    let theirs = files.clone();
    let removing = threads::spawn("socket-files", "removes files of sockets", move || {
        remove(&theirs);
        // Who waited may be gone.
        let _ = told.send(());
    });
    match removing {
        Ok(_) if removed.recv_timeout(REMOVING).is_err() => {
            tracing::warn!("files of sockets cannot be removed: is what they lie on gone?");
        }
        Ok(_) => {}
        // At a limit of threads.
        Err(_) => remove(&files),
    }
}
