//! A worker: one thread, one runtime, its own sockets, connections, pools and plugin instances.
//!
//! In: commands from the control side. Out: served connections. Never: shares anything that a
//! request needs with another worker, or builds anything slow; what arrives here is ready.

mod calls;
mod snapshot;
mod upstreams;

use std::cell::Cell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use weir_core::chain::Middleware;
use weir_core::clock::{self, Clock};
use weir_core::config::{Bind, Config, Limits, Route};
use weir_core::http::forwarded::TrustedProxies;
use weir_core::outbound::Outbound;
use weir_core::telemetry::access_log::WorkerLog;
use weir_core::telemetry::metrics::Metrics;
use weir_core::threads;
use weir_wasm::{LoadedPlugin, PreparedInstance};

use self::calls::Calls;
use self::snapshot::snapshot;
use self::upstreams::Upstreams;
use super::built::Built;
use super::connection;
use super::connections::Connections;
use super::listener_settings::ListenerSettings;
use crate::net::{Acceptor, Bounds, ConnectionLimit, ListenSocket as Socket, SWEEP, Watch};
use crate::proxy;
use crate::upstream::EndpointSet;

/// What the control side tells a worker.
pub enum Command {
    /// These upstreams have these endpoints from now on; where one does not serve yet, the configuration
    /// that it serves in follows.
    Endpoints(Vec<Arc<EndpointSet>>),
    /// Serve from this from now on. Answered when it does, or with what it does not serve and why.
    Swap(Box<Parts>, oneshot::Sender<Result<(), String>>),
    /// Stop accepting, let connections finish until the deadline. Answered when all are gone.
    Drain(Duration, oneshot::Sender<usize>),
}

/// One worker's part of a new configuration; may cross threads.
pub struct Parts {
    pub built: Arc<Built>,
    /// In the order of `config.plugins`; none for one that this worker has already.
    pub plugins: Vec<Option<PreparedInstance>>,
    /// Sockets of listeners that this worker does not have yet, or is to accept on from now on.
    pub sockets: Vec<(Bind, Socket)>,
    /// In the order of `config.listeners`.
    pub limits: Vec<ConnectionLimit>,
}

/// What every worker gets at its start.
pub struct Setup {
    pub index: u16,
    pub process: u32,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
    pub log: Option<WorkerLogMaker>,
}

/// Makes the worker's end of the access log, on the worker's own thread.
pub type WorkerLogMaker = Box<dyn FnOnce() -> WorkerLog + Send>;

/// The control side's end of a worker. The worker ends by itself after a drain, or when this is
/// dropped.
pub struct WorkerHandle {
    pub commands: mpsc::UnboundedSender<Command>,
    pub thread: std::thread::JoinHandle<()>,
}

/// An address that this worker accepts on, and what it is now.
struct Accepting {
    settings: Rc<std::cell::RefCell<Rc<ListenerSettings>>>,
    task: JoinHandle<()>,
}

/// The worker's own state.
struct Running {
    setup: Rc<Shared>,
    accepting: HashMap<Bind, Accepting>,
    connections: Rc<Connections>,
    watch: Rc<Watch>,
    plugins: Vec<(Arc<LoadedPlugin>, Rc<dyn Middleware>)>,
    upstreams: Upstreams,
    /// Makes plugins' calls to them.
    outbound: Arc<dyn Outbound>,
    proxy: Option<Rc<proxy::Worker>>,
}

struct Shared {
    index: u16,
    process: u32,
    clock: Clock,
    metrics: Arc<Metrics>,
    log: std::cell::RefCell<Option<WorkerLog>>,
}

/// Starts a worker; it serves nothing before its first [`Command::Swap`].
///
/// # Errors
/// Where the system gives no thread.
pub fn start(setup: Setup) -> std::io::Result<WorkerHandle> {
    let (commands, inbox) = mpsc::unbounded_channel();
    let name = format!("worker-{}", setup.index);
    let thread = threads::spawn(&name, "serves", move || {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .event_interval(61)
            .build_local(LocalOptions::default());
        match runtime {
            Ok(runtime) => runtime.block_on(run(setup, inbox)),
            Err(error) => tracing::error!(%error, "a worker could not start"),
        }
    })?;
    Ok(WorkerHandle { commands, thread })
}

async fn run(setup: Setup, mut inbox: mpsc::UnboundedReceiver<Command>) {
    let Setup { index, process, clock, metrics, log } = setup;
    let log = std::cell::RefCell::new(log.map(|make| make()));
    let (outbound, called) = Calls::new();
    let mut running = Running {
        setup: Rc::new(Shared { index, process, clock, metrics, log }),
        accepting: HashMap::new(),
        connections: Connections::new(),
        watch: Rc::new(Watch::new(clock::now())),
        plugins: Vec::new(),
        upstreams: Upstreams::new(usize::from(index)),
        outbound: Arc::new(outbound),
        proxy: None,
    };
    tokio::task::spawn_local(calls::make(called, running.upstreams.serving()));
    let watch = running.watch.clone();
    // Also while connections drain.
    tokio::task::spawn_local(async move { watch.wake_found().await });
    let mut sweep = tokio::time::interval(SWEEP);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            command = inbox.recv() => match command {
                Some(Command::Endpoints(sets)) => running.upstreams.follow(sets),
                Some(Command::Swap(parts, done)) => {
                    let (closing, listening) = running.swap(*parts);
                    for closing in closing {
                        // Its socket is closed once the task is gone.
                        let _ = closing.await;
                    }
                    let _ = done.send(listening);
                }
                Some(Command::Drain(grace, done)) => {
                    let left = running.drain(grace).await;
                    running.flush();
                    let _ = done.send(left);
                    return;
                }
                None => return,
            },
            _ = sweep.tick() => running.sweep(),
        }
    }
}

/// The longest that a route of a listener takes over an answer.
fn longest_timeout(config: &Config, listener: usize) -> Duration {
    let of_it = |route: &&Route| {
        route.listeners.as_ref().is_none_or(|listeners| listeners.contains(&listener))
    };
    let timeouts = config.routes.iter().filter(of_it).map(|route| route.timeout.of(false));
    timeouts.max().unwrap_or_default()
}

impl Running {
    /// Gives the tasks of addresses that are no longer listened on, which end by themselves, and
    /// why it does not accept somewhere.
    fn swap(&mut self, parts: Parts) -> (Vec<JoinHandle<()>>, Result<(), String>) {
        let Parts { built, plugins, sockets, limits } = parts;
        let plugins = self.members(&built, plugins);
        // Turns begin elsewhere on each worker.
        let start = usize::from(self.setup.index);
        let upstreams = self.upstreams.swap(&built.clusters);
        let snapshot = Rc::new(snapshot(&built, &plugins, &upstreams, &self.setup.metrics, start));
        let proxy = match &self.proxy {
            Some(proxy) => {
                proxy.swap(snapshot);
                proxy.clone()
            }
            None => {
                let Shared { index, process, clock, metrics, log } = &*self.setup;
                let (clock, metrics) = (clock.clone(), metrics.clone());
                let log = log.borrow_mut().take();
                proxy::Worker::new(*index, *process, clock, metrics, log, snapshot)
            }
        };
        self.proxy = Some(proxy.clone());
        self.listen(&built, sockets, limits, &proxy)
    }

    /// The plugins as members of this worker's chains: those that stay, and new ones. What no new
    /// exchange will call gives its idle instances up.
    fn members(
        &mut self,
        built: &Built,
        prepared: Vec<Option<PreparedInstance>>,
    ) -> Vec<Rc<dyn Middleware>> {
        let mut before = std::mem::take(&mut self.plugins);
        for (plugin, prepared) in built.plugins.iter().zip(prepared) {
            let known = before.iter().position(|(known, _)| Arc::ptr_eq(known, plugin));
            let member = match known {
                Some(at) => before.swap_remove(at).1,
                None => plugin.member(prepared, &self.outbound),
            };
            self.plugins.push((plugin.clone(), member));
        }
        for (_, gone) in before {
            gone.retire();
        }
        self.plugins.iter().map(|(_, member)| member.clone()).collect()
    }

    /// Makes what is accepted on be what the configuration says.
    fn listen(
        &mut self,
        built: &Built,
        sockets: Vec<(Bind, Socket)>,
        limits: Vec<ConnectionLimit>,
        proxy: &Rc<proxy::Worker>,
    ) -> (Vec<JoinHandle<()>>, Result<(), String>) {
        let networks = &built.config.server.trusted_proxies;
        let trusted = Rc::new(TrustedProxies::new(built.generation, networks));
        let mut closing = Vec::new();
        let mut listening = Ok(());
        let mut sockets: HashMap<Bind, Socket> = sockets.into_iter().collect();
        let mut accepting = HashMap::new();
        for (at, (listener, limit)) in built.config.listeners.iter().zip(limits).enumerate() {
            let kept = self.accepting.remove(&listener.bind);
            let (number, bounds) = match &kept {
                Some(kept) => self.hold_to(&kept.settings.borrow(), &listener.limits),
                None => (Rc::default(), Bounds::new(&listener.limits)),
            };
            bounds.set_answer(longest_timeout(&built.config, at));
            number.set(built.numbers.get(at).copied().unwrap_or(usize::MAX));
            let settings = Rc::new(ListenerSettings {
                number,
                bounds,
                limits: listener.limits.clone(),
                tls: built.tls.get(at).and_then(|tls| tls.as_ref()).map(|tls| tls.config.clone()),
                metrics: self.setup.metrics.listener(&listener.name),
                trusted: trusted.clone(),
            });
            let entry = match (kept, sockets.remove(&listener.bind)) {
                (Some(kept), None) => {
                    kept.settings.replace(settings);
                    kept
                }
                (kept, Some(socket)) => {
                    let acceptor = match Acceptor::new(socket, limit, settings.metrics.clone()) {
                        Ok(acceptor) => acceptor,
                        Err(error) => {
                            listening = Err(format!("listener {}: {error}", listener.name));
                            continue;
                        }
                    };
                    let settings = match kept {
                        // Connections from the socket before go on.
                        Some(Accepting { settings: kept, task }) => {
                            task.abort();
                            closing.push(task);
                            kept.replace(settings);
                            kept
                        }
                        None => Rc::new(std::cell::RefCell::new(settings)),
                    };
                    let task = tokio::task::spawn_local(connection::accept(
                        acceptor,
                        settings.clone(),
                        proxy.clone(),
                        self.watch.clone(),
                        self.connections.clone(),
                    ));
                    Accepting { settings, task }
                }
                // The control side makes a socket for every address that is new.
                (None, None) => continue,
            };
            accepting.insert(listener.bind.clone(), entry);
        }
        let removed = std::mem::replace(&mut self.accepting, accepting);
        for (_, gone) in removed {
            gone.task.abort();
            closing.push(gone.task);
            let number = gone.settings.borrow().number.clone();
            self.connections.finish(|connection| Rc::ptr_eq(connection, &number));
        }
        (closing, listening)
    }

    /// From now on connections of an address are held to these limits, or end with what they do.
    fn hold_to(
        &self,
        settings: &ListenerSettings,
        limits: &Limits,
    ) -> (Rc<Cell<usize>>, Arc<Bounds>) {
        let ListenerSettings { number, bounds, limits: before, .. } = settings;
        bounds.set(limits);
        if !connection::can_follow(before, limits) {
            self.connections.finish(|connection| Rc::ptr_eq(connection, number));
        }
        (number.clone(), bounds.clone())
    }

    fn sweep(&self) {
        let now = clock::now();
        self.watch.sweep(now);
        if let Some(proxy) = &self.proxy {
            proxy.tick();
        }
        self.upstreams.sweep(now);
        for (plugin, _) in &self.plugins {
            plugin.sweep();
        }
        self.flush();
    }

    fn flush(&self) {
        if let Some(proxy) = &self.proxy
            && let Some(log) = &mut *proxy.log.borrow_mut()
        {
            log.flush();
        }
    }

    /// Gives back how many connections were cut at the deadline.
    async fn drain(&mut self, grace: Duration) -> usize {
        for (_, accepting) in self.accepting.drain() {
            accepting.task.abort();
        }
        self.connections.finish(|_| true);
        let deadline = clock::now() + grace;
        while self.connections.count() > 0 && clock::now() < deadline {
            let tick = SWEEP.min(deadline.saturating_duration_since(clock::now()));
            let _ = tokio::time::timeout(tick, self.connections.emptied()).await;
            self.sweep();
        }
        self.connections.count()
    }
}
