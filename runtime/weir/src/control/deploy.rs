//! Takes a configuration into use.
//!
//! In: a checked configuration. Out: every worker serves from it. Never: disturbs what serves before
//! everything is built and every address is bound.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;
use weir_core::config::{Bind, Config};
use weir_core::telemetry::metrics::Series;
use weir_wasm::LoadedPlugin;

use super::build::build;
use super::options::StartError;
use super::reading::warn;
use super::running::Running;
use super::state::{Bound, State};
use crate::net::{self, ConnectionLimit, ListenSocket as Socket};
use crate::server::{Built, Command, Parts};

impl Running {
    /// Builds a configuration and has every worker serve from it.
    ///
    /// # Errors
    /// It is wrong, or the system refuses something; what serves goes on. Or a worker does not serve
    /// all of it, which the others do.
    pub(super) fn deploy(&self, config: Config, state: &mut State) -> Result<u64, StartError> {
        let before = self.built.load_full();
        let known = self.endpoints.load_full();
        let (host, metrics, numbers) = (&self.host, &self.metrics, &mut state.numbers);
        let (before_it, now) = (before.as_deref(), self.options.clock.wall());
        let (built, endpoints) = build(config, host, metrics, numbers, before_it, &known, now)?;
        warn(&built.config.warnings);
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
            if self.host.loading().is_interrupted() {
                return Err(StartError::system("taking it into use was interrupted"));
            }
            let plugins = built
                .plugins
                .iter()
                .map(|plugin| if stays(plugin) { Ok(None) } else { plugin.prepare().map(Some) })
                .collect::<Result<Vec<_>, _>>()
                .map_err(|error| StartError::refused("plugin instance", error))?;
            let sockets = sockets.pop().unwrap_or_default();
            let limits =
                built.config.listeners.iter().filter_map(|known| limits.get(&known.bind).cloned());
            let limits = limits.collect();
            parts.push(Box::new(Parts { built: built.clone(), plugins, sockets, limits }));
        }
        if self.ending.load(Ordering::Relaxed) {
            return Err(StartError::Ending);
        }
        // From here on only the system can fail, and this configuration serves.
        for bind in state.bound.keys().filter(|bind| !bound.contains_key(*bind)) {
            self.disown_socket_file(bind);
        }
        self.host.reserve(&built.plugins, self.workers.len());
        for listener in &built.config.listeners {
            if let Some(limit) = limits.get(&listener.bind) {
                limit.set(listener.limits.max_connections);
            }
        }
        // First: what serves from now on is to have somebody to send to.
        self.follow_endpoints(endpoints);
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
        let mut failed = None;
        for (worker, answer) in answers.into_iter().enumerate() {
            let answered = answer.blocking_recv().unwrap_or_else(|_| Err("it has ended".into()));
            if let Err(why) = answered {
                failed = failed.or(Some(format!("worker {worker} does not serve: {why}")));
            }
        }
        state.bound = bound;
        state.limits = limits;
        let generation = built.generation;
        self.tidy_metrics(&built);
        self.built.store(Some(built));
        failed.map_or(Ok(generation), |why| Err(StartError::system(why)))
    }

    /// A socket for each worker on each address that is new, or whose file was lost.
    #[expect(clippy::type_complexity, reason = "one pair, used once")]
    fn open_sockets(
        &self,
        built: &Built,
        state: &State,
    ) -> Result<(Vec<Vec<(Bind, Socket)>>, HashMap<Bind, Bound>), StartError> {
        let mut sockets: Vec<Vec<(Bind, Socket)>> = Vec::new();
        sockets.resize_with(self.workers.len(), Vec::new);
        let mut bound = HashMap::new();
        for listener in &built.config.listeners {
            if let Some(known) = state.bound.get(&listener.bind)
                && known.file == net::socket_file(&listener.bind)
            {
                bound.insert(listener.bind.clone(), known.clone());
                continue;
            }
            let made = net::listen(&listener.bind, self.workers.len()).map_err(|error| {
                let key = format!("listeners.{}.bind", listener.name);
                StartError::refused(format!("{}: {key}", built.config.places.of(&key)), error)
            })?;
            let actual = match made.first().and_then(Socket::local_addr) {
                Some(address) => Bind::Tcp(address),
                None => listener.bind.clone(),
            };
            let file = net::socket_file(&listener.bind);
            self.own_socket_file(&listener.bind, file);
            bound.insert(listener.bind.clone(), Bound { at: actual, file });
            for (worker, socket) in sockets.iter_mut().zip(made) {
                worker.push((listener.bind.clone(), socket));
            }
        }
        Ok((sockets, bound))
    }

    /// Forgets the series of what is no more, and what its plugins held, so that memory stays flat over
    /// reloads.
    fn tidy_metrics(&self, built: &Built) {
        let config = &built.config;
        let endpoints = self.endpoints.load();
        self.host.retain(|name| config.plugins.iter().any(|plugin| &*plugin.name == name));
        self.metrics.retain(|series| match series {
            Series::Route(name) => {
                name == crate::proxy::NO_ROUTE || config.routes.iter().any(|r| &*r.name == name)
            }
            Series::Plugin(name) => config.plugins.iter().any(|plugin| &*plugin.name == name),
            Series::Listener("(admin)") => true,
            Series::Listener(name) => config.listeners.iter().any(|known| &*known.name == name),
            Series::Upstream(name) => config.upstreams.iter().any(|known| &*known.name == name),
            Series::Endpoint { upstream, endpoint } => endpoints
                .iter()
                .filter(|set| &*set.cluster.config.name == upstream)
                .any(|set| set.endpoints.iter().any(|known| &*known.address == endpoint)),
        });
        for (listener, tls) in config.listeners.iter().zip(&built.tls) {
            let certificates = tls.iter().flat_map(|tls| &tls.certificates);
            let facts = certificates.map(|facts| (facts.subject.as_str(), facts.not_after));
            self.metrics.set_certificates(&listener.name, facts);
        }
    }
}
