//! Until the process is told to end: signals and changed files.
//!
//! In: SIGTERM, SIGINT, SIGHUP, SIGUSR1, changes of the files a configuration was read from. Out:
//! calls of [`Running::reload`], and a drain at the end. Never: decides what a reload does.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use notify::Watcher;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::admin;
use super::control::{Running, StartError};
use super::view::View;
use crate::config::{Bind, Sources, Stamp};
use crate::net::{Acceptor, ConnectionLimit};

/// Changes that come in a burst (an editor's write and rename) are one reload.
const SETTLE: Duration = Duration::from_millis(30);
/// File systems without notifications are looked at this often.
const POLL: Duration = Duration::from_secs(5);

/// Serves until SIGTERM or SIGINT, then drains within the configured grace; a second signal ends
/// it at once. SIGHUP reloads and reopens the access log, SIGUSR1 only reopens. `ready` is called
/// once, when the admin listener accepts too, with its address unless it is off or a Unix socket.
///
/// # Errors
/// Where the admin listener or a signal handler cannot be had.
pub fn run_until_signal(
    running: Arc<Running>,
    ready: impl FnOnce(Option<SocketAddr>),
) -> Result<(), StartError> {
    let system = |error: std::io::Error| StartError::System(error.to_string());
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
    let ended = runtime.block_on(async {
        let view = Arc::new(View::new(running.clone()));
        let admin = match running.built().and_then(|built| built.config.server.admin.clone()) {
            Some(bind) => serve_admin(&bind, &running, view.clone())?,
            None => None,
        };
        let mut terminate = signal(SignalKind::terminate()).map_err(system)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(system)?;
        let mut reopen = signal(SignalKind::user_defined1()).map_err(system)?;
        let mut files = Files::watch(&running);
        announce(&running, admin);
        ready(admin);
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = reopen.recv() => running.reopen_log(),
                _ = hangup.recv() => {
                    running.reopen_log();
                    files.look_again();
                    reload(&running, &mut files).await;
                }
                () = files.changed() => reload(&running, &mut files).await,
            }
        }
        view.drain();
        let grace = running.built().map_or(Duration::ZERO, |built| built.config.server.grace);
        tracing::info!(?grace, "draining");
        let draining = tokio::task::spawn_blocking(move || running.stop(grace));
        tokio::select! {
            cut = draining => match cut {
                Ok(0) => tracing::info!("drained"),
                Ok(cut) => tracing::warn!(cut, "connections were cut at the end of the grace"),
                Err(error) => tracing::error!(%error, "the drain failed"),
            },
            _ = terminate.recv() => tracing::warn!("told twice: ending at once"),
            _ = interrupt.recv() => tracing::warn!("told twice: ending at once"),
        }
        Ok(())
    });
    // Dropping it would wait for a drain that was told to end.
    runtime.shutdown_background();
    ended
}

/// Tells the log where this process listens: port 0 was chosen by the system.
fn announce(running: &Running, admin: Option<SocketAddr>) {
    let Some(built) = running.built() else { return };
    for listener in &built.config.listeners {
        let address = running.address(&listener.name);
        let address = address.map_or_else(|| format!("{:?}", listener.bind), |it| it.to_string());
        tracing::info!(listener = &*listener.name, address, "listening");
    }
    if let Some(address) = admin {
        tracing::info!(listener = "(admin)", address = %address, "listening");
    }
    tracing::info!(routes = built.config.routes.len(), "ready");
}

/// Serves the admin pages on this runtime until it ends; gives the address.
fn serve_admin(
    bind: &Bind,
    running: &Running,
    view: Arc<View>,
) -> Result<Option<SocketAddr>, StartError> {
    let system = |error: std::io::Error| StartError::System(format!("admin: {error}"));
    let listener = crate::net::listen(bind, 1).map_err(system)?.into_iter().next();
    let listener = listener.ok_or_else(|| StartError::System("admin: no socket".into()))?;
    let address = listener.local_addr();
    let metrics = running.metrics.listener("(admin)");
    let acceptor = Acceptor::new(listener, ConnectionLimit::new(None), metrics).map_err(system)?;
    tokio::spawn(admin::serve(acceptor, view));
    Ok(address)
}

/// The outcome, good or bad, is logged and counted. What serves then is watched; after a failure
/// the same files as before.
async fn reload(running: &Arc<Running>, files: &mut Files) {
    let reloading = running.clone();
    let reloaded = tokio::task::spawn_blocking(move || reloading.reload()).await;
    if matches!(reloaded, Ok(Ok(_))) {
        *files = Files::watch(running);
    }
}

/// The files a configuration was made from.
struct Files {
    events: mpsc::UnboundedReceiver<()>,
    /// As they were before they were last read, in vain or not.
    stamps: Sources,
    _watcher: Option<notify::RecommendedWatcher>,
}

impl Files {
    fn watch(running: &Running) -> Files {
        let built = running.built();
        let stamps = built.as_ref().map_or_else(Sources::new, |built| built.config.sources.clone());
        let (told, events) = mpsc::unbounded_channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = told.send(());
            }
        });
        let mut watcher = match watcher {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                tracing::warn!(%error, "no file notifications: looking every few seconds");
                None
            }
        };
        // Folders, since a file that is replaced by a rename is another file.
        let mut folders: Vec<&Path> = stamps
            .keys()
            .map(|file| if file.is_dir() { file.as_path() } else { parent(file) })
            .collect();
        folders.sort_unstable();
        folders.dedup();
        for folder in folders {
            if let Some(watcher) = &mut watcher
                && let Err(error) = watcher.watch(folder, notify::RecursiveMode::NonRecursive)
            {
                tracing::warn!(folder = %folder.display(), %error, "cannot be watched");
            }
        }
        Files { events, stamps, _watcher: watcher }
    }

    /// Returns when a file is another than it was when it was read; then it counts as read.
    ///
    /// Cancel safe.
    async fn changed(&mut self) {
        while self.stamps.iter().all(|(file, before)| Stamp::of(file) == *before) {
            let _ = tokio::time::timeout(POLL, self.events.recv()).await;
        }
        tokio::time::sleep(SETTLE).await;
        while self.events.try_recv().is_ok() {}
        self.look_again();
    }

    /// To be done before the files are read: what changes from then on is a change.
    fn look_again(&mut self) {
        for (file, stamp) in &mut self.stamps {
            *stamp = Stamp::of(file);
        }
    }
}

fn parent(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}
