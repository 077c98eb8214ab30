//! The life of the process: signals from its first moment to its last.
//!
//! In: SIGTERM, SIGINT, SIGHUP, SIGUSR1. Out: a start, orders to reload, and a drain at the end.
//! Never: does anything slow on the thread that hears them; starting and reloading have their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::admin;
use super::options::{Options, StartError};
use super::reloads::{self, Reloads, Started};
use super::running::Running;
use super::view::View;
use crate::net::{Acceptor, ConnectionLimit, ListenSocket as Socket};

/// How long after the grace a worker may take to say that it ended.
const BEYOND_GRACE: Duration = Duration::from_secs(5);
/// How long the access log may take for what is left.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Starts and serves until SIGTERM or SIGINT, then drains within the configured grace; a second
/// signal ends it at once. After SIGTERM the process says first that it is not ready, and goes on
/// accepting for `server.drain_delay`. SIGHUP reloads and reopens the access log, SIGUSR1 only
/// reopens. `ready` is called once, when every listener accepts, with the admin listener's address
/// unless that is off or a Unix socket.
///
/// # Errors
/// Where the configuration is wrong, an address cannot be bound, or the system refuses a thread or
/// a signal handler.
pub fn run(
    options: Options,
    ready: impl FnOnce(&Running, Option<SocketAddr>),
) -> Result<(), StartError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(StartError::from)?;
    let ended = runtime.block_on(live(options, ready));
    // Dropping it would wait for connections of the admin listener.
    runtime.shutdown_background();
    ended
}

/// What the process can be told. A handler replaces the system's own, which ends the process.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    reopen: Signal,
}

async fn live(
    options: Options,
    ready: impl FnOnce(&Running, Option<SocketAddr>),
) -> Result<(), StartError> {
    // Before anything that takes time: until then a SIGHUP ends the process.
    let mut signals = Signals::listen()?;
    let (reloads, started) = reloads::begin(options)?;
    let Started { running, admin: mut sockets } = tokio::select! {
        started = started => started.map_err(|_| {
            StartError::system("the start was given up; the lines above say why")
        })??,
        () = signals.end() => {
            tracing::info!("told to end before anything was served");
            return Ok(());
        }
    };
    let view = Arc::new(View::new(running.clone(), reloads.clone()));
    let mut admin = Admin { view: view.clone(), running: running.clone(), serving: None };
    let address = match sockets.try_recv() {
        Ok(socket) => admin.serve(socket)?,
        Err(_) => None,
    };
    announce(&running, address);
    ready(&running, address);
    let interrupted = serve(&running, &reloads, &mut signals, &mut sockets, &mut admin).await;
    view.drain();
    end(&running, interrupted, &mut signals).await;
    running.remove_socket_files();
    running.flush_log(LAST_LINES);
    Ok(())
}

/// Serves until it is told to end; says whether by a person at a terminal.
async fn serve(
    running: &Running,
    reloads: &Reloads,
    signals: &mut Signals,
    sockets: &mut mpsc::UnboundedReceiver<Socket>,
    admin: &mut Admin,
) -> bool {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return false,
            _ = signals.interrupt.recv() => return true,
            _ = signals.reopen.recv() => running.reopen_log(),
            _ = signals.hangup.recv() => {
                running.reopen_log();
                reloads.ask();
            }
            Some(socket) = sockets.recv() => {
                if let Err(error) = admin.serve(socket) {
                    tracing::error!(%error, "the admin listener cannot accept");
                }
            }
        }
    }
}

/// Whoever sends traffic here learns that it is to stop; then nothing new is accepted, and what is
/// under way ends.
async fn end(running: &Running, interrupted: bool, signals: &mut Signals) {
    running.ending();
    let server = running.built().map(|built| built.config.server.clone());
    let (delay, grace) = server.map_or_else(Default::default, |it| (it.drain_delay, it.grace));
    // A person who waits has nobody to tell.
    if !delay.is_zero() && !interrupted {
        tracing::info!(?delay, "not ready any more, and still accepting");
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = signals.told_again(running) => return tracing::warn!("told twice: ending at once"),
        }
    }
    tracing::info!(?grace, "draining");
    let most = grace.saturating_add(BEYOND_GRACE);
    tokio::select! {
        drained = tokio::time::timeout(most, running.drain(grace)) => match drained {
            Ok(0) => tracing::info!("drained"),
            Ok(cut) => tracing::warn!(cut, "connections were cut at the end of the grace"),
            Err(_) => tracing::error!("a worker does not end"),
        },
        () = signals.told_again(running) => tracing::warn!("told twice: ending at once"),
    }
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

impl Signals {
    fn listen() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            reopen: signal(SignalKind::user_defined1())?,
        })
    }

    /// Returns when a process that ends is told so again.
    async fn told_again(&mut self, running: &Running) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.reopen.recv() => running.reopen_log(),
                _ = self.hangup.recv() => {
                    running.reopen_log();
                    tracing::warn!("told to reload: {}", StartError::Ending);
                }
            }
        }
    }

    /// Returns when the process is told to end.
    async fn end(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The admin pages, on the thread that hears signals.
struct Admin {
    view: Arc<View>,
    running: Arc<Running>,
    serving: Option<JoinHandle<()>>,
}

impl Admin {
    /// Serves there, and no longer on the socket before; gives the address.
    fn serve(&mut self, socket: Socket) -> Result<Option<SocketAddr>, StartError> {
        let address = socket.local_addr();
        let metrics = self.running.metrics.listener("(admin)");
        let acceptor = Acceptor::new(socket, ConnectionLimit::new(None), metrics)
            .map_err(|error| StartError::refused("admin", error))?;
        let serving = tokio::spawn(admin::serve(acceptor, self.view.clone()));
        if let Some(before) = self.serving.replace(serving) {
            before.abort();
        }
        Ok(address)
    }
}
