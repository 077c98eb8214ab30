//! Builds everything that a configuration is made into.
//!
//! In: a checked configuration, and what it replaces. Out: a [`Built`]: router, clusters, loaded and
//! configured plugins, TLS; or every problem with its place. Never: opens a listener or disturbs
//! what serves; a failure here leaves nothing behind.

mod tls;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use weir_core::config::{self, Config, Problem, Problems, Refused};
use weir_core::router::Router;
use weir_core::telemetry::metrics::Metrics;
use weir_wasm::{Host, LoadedPlugin};

use crate::server::Built;
use crate::tls::{Authorities, Pairs, PemFiles};
use crate::upstream::{Cluster, EndpointSet};

/// Numbers for listeners' names: a name keeps its number as long as the process lives.
#[derive(Debug, Default)]
pub struct Numbers(HashMap<Arc<str>, usize>);

/// Builds everything but the listeners, and the sets of endpoints that the configuration names, in the
/// order of `config.upstreams`. Endpoints that are in `sets` keep their state. Certificates are looked at
/// as of `now`: what is said of their dates is among the configuration's warnings.
///
/// # Errors
/// Every problem of every part: plugins, TLS, upstreams.
pub fn build(
    mut config: Config,
    host: &Host,
    metrics: &Metrics,
    numbers: &mut Numbers,
    before: Option<&Built>,
    sets: &[Arc<EndpointSet>],
    now: SystemTime,
) -> Result<(Built, Vec<Arc<EndpointSet>>), Problems> {
    let mut problems = Vec::new();
    let plugins = load_plugins(&config, host, before, &mut problems);
    if let Err(message) = host.check_room(&plugins, config.server.workers) {
        let place = config.places.of("server.workers");
        let hint = "set `workers` lower, or give routes the same plugins instead of copies";
        let message = format!("server.workers: {message}");
        problems.push(Problem::new(place, "server.workers", message).with_hint(hint));
    }
    let files = PemFiles::new(config.contents.clone());
    let pairs = Pairs::new(files.clone());
    let (found, remarks) = tls::look(&config, &files, &pairs, now);
    config.warn(remarks);
    let mut more = Vec::new();
    let terminated = tls::terminate(&config, &pairs, &mut more);
    let sets = upstreams(&config, &files, metrics, sets, &mut more);
    problems.extend(found);
    add_unknown(&mut problems, more);
    if let Some(problems) = Problems::of(problems, config.warnings.clone()) {
        return Err(problems);
    }
    let numbers = config.listeners.iter().map(|listener| numbers.of(&listener.name)).collect();
    let built = Built {
        generation: before.map_or(1, |before| before.generation + 1),
        routers: routers(&config),
        clusters: sets.iter().map(|set| set.cluster.clone()).collect(),
        plugins,
        tls: terminated,
        numbers,
        config: Arc::new(config),
    };
    Ok((built, sets))
}

/// Every problem of a configuration that was refused: what is sound of it is looked at as if it
/// were to serve, its certificates as of `now`.
pub fn problems(refused: Refused, host: &Host, now: SystemTime) -> Option<Problems> {
    let Refused { mut problems, mut sound } = refused;
    let wrong = |section: &str, name: &str| {
        let within = |path: &str| {
            let rest = path.strip_prefix(section).and_then(|rest| rest.strip_prefix(name));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        problems.iter().any(|problem| within(&problem.path))
    };
    // These were read to their end, and would complain of the same again.
    sound.listeners.retain(|listener| !wrong("listeners.", &listener.name));
    sound.upstreams.retain(|upstream| !wrong("upstreams.", &upstream.name));
    let mut more = Vec::new();
    load_plugins(&sound, host, None, &mut more);
    let files = PemFiles::new(sound.contents.clone());
    let pairs = Pairs::new(files.clone());
    let (found, remarks) = tls::look(&sound, &files, &pairs, now);
    sound.warn(remarks);
    add_unknown(&mut problems, found);
    tls::terminate(&sound, &pairs, &mut more);
    upstreams(&sound, &files, &Metrics::new(), &[], &mut more);
    add_unknown(&mut problems, more);
    Problems::of(problems, sound.warnings)
}

/// Adds problems, but those at a key of which one is known.
fn add_unknown(problems: &mut Vec<Problem>, mut more: Vec<Problem>) {
    more.retain(|new| {
        problems.iter().all(|known| (&known.place, &known.path) != (&new.place, &new.path))
    });
    problems.extend(more);
}

/// A router for each listener; those that reach every route share one.
fn routers(config: &Config) -> Vec<(Arc<Router>, Arc<[usize]>)> {
    let all: Arc<[usize]> = (0..config.routes.len()).collect();
    let of_all = Arc::new(Router::new(&config.routes));
    let reaches = |listener: usize| -> Vec<usize> {
        let has = |route: &config::Route| {
            route.listeners.as_ref().is_none_or(|listeners| listeners.contains(&listener))
        };
        let routes = config.routes.iter().enumerate();
        routes.filter(|(_, route)| has(route)).map(|(at, _)| at).collect()
    };
    (0..config.listeners.len())
        .map(|listener| {
            let reach = reaches(listener);
            if reach.len() == config.routes.len() {
                return (of_all.clone(), all.clone());
            }
            let routes: Vec<config::Route> =
                reach.iter().filter_map(|at| config.routes.get(*at).cloned()).collect();
            (Arc::new(Router::new(&routes)), reach.into())
        })
        .collect()
}

fn load_plugins(
    config: &Config,
    host: &Host,
    before: Option<&Built>,
    problems: &mut Vec<Problem>,
) -> Vec<Arc<LoadedPlugin>> {
    host.loading().limit(config.server.compile);
    let _compiled = host.loading().built_ins(config.plugins.iter().map(|it| &it.component));
    let (mut plugins, mut found) = (Vec::new(), Vec::new());
    for plugin in &config.plugins {
        let loaded = match &plugin.component {
            config::ComponentSource::File(file) if config.contents.is_held(file) => {
                let before = before.and_then(|before| with_component(before, &plugin.component));
                host.load_as_before(plugin, file, before)
            }
            _ => host.load(plugin),
        };
        match loaded {
            Ok(loaded) => {
                let serving = before.and_then(|before| of_name(before, &plugin.name));
                found.extend(
                    serving
                        .map(|serving| loaded.beyond(serving, &plugin.grants))
                        .unwrap_or_default(),
                );
                plugins.push(loaded);
            }
            Err(problems) => found.extend(problems),
        }
    }
    let places = &config.places;
    problems.extend(found.iter().filter_map(|found| places.problem(found.finding())));
    plugins
}

/// The plugin of a name.
fn of_name<'a>(built: &'a Built, name: &str) -> Option<&'a LoadedPlugin> {
    built.plugins.iter().map(Arc::as_ref).find(|plugin| **plugin.name() == *name)
}

/// A plugin whose component came from there.
fn with_component<'a>(
    built: &'a Built,
    source: &config::ComponentSource,
) -> Option<&'a LoadedPlugin> {
    let mut all = built.config.plugins.iter().zip(&built.plugins);
    all.find(|(known, _)| known.component == *source).map(|(_, plugin)| &**plugin)
}

/// The endpoints that the configuration names.
fn upstreams(
    config: &Config,
    files: &PemFiles,
    metrics: &Metrics,
    before: &[Arc<EndpointSet>],
    problems: &mut Vec<Problem>,
) -> Vec<Arc<EndpointSet>> {
    let system = Authorities::new(files.clone());
    let mut made = Vec::new();
    for (at, upstream) in config.upstreams.iter().enumerate() {
        let mut upstream = upstream.clone();
        if let Some(health) = &mut upstream.health
            && health.host.is_none()
            && upstream.host == config::HostPolicy::Client
        {
            health.host = usual_host(config, at);
        }
        let known = before.iter().find(|set| set.cluster.config.name == upstream.name);
        let (name, endpoints) = (upstream.name.clone(), upstream.endpoints.clone());
        let cluster = Cluster::new(upstream, metrics, &system, known.map(|set| &*set.cluster));
        let known = known.map(Arc::as_ref);
        match cluster.and_then(|cluster| EndpointSet::new(cluster, &endpoints, metrics, known)) {
            Ok(set) => made.push(set),
            Err(error) => {
                let keys = ["upstreams", &*name, "tls"];
                // What is of no value in that table is the upstream's.
                let table = if error.at.is_empty() { &keys[..2] } else { &keys[..] };
                problems.push(tls::problem(config, table, &error));
            }
        }
    }
    made
}

/// The host that requests to an upstream name, where its routes take one only.
fn usual_host(config: &Config, upstream: usize) -> Option<String> {
    let leads_there = |route: &&config::Route| {
        route.upstreams.iter().any(|target| target.upstream == upstream && target.weight > 0)
    };
    let mut hosts =
        config.routes.iter().filter(leads_there).map(|route| match &route.matches.host {
            Some(config::HostMatch::Exact(host)) => Some(host),
            _ => None,
        });
    let first = hosts.next()??;
    hosts.all(|host| host == Some(first)).then(|| first.clone())
}

impl Numbers {
    fn of(&mut self, name: &Arc<str>) -> usize {
        let next = self.0.len();
        *self.0.entry(name.clone()).or_insert(next)
    }
}

#[cfg(test)]
mod tests;
