//! Ways around a guard: a guarded path whose other spellings take a wider route to its upstream.
//!
//! In: routes, plugins and listeners that were checked. Out: warnings. Never: stops anything; package
//! registries and object stores need the spellings that `path = "strict"` refuses. Or compares every
//! route with every other: only those are that take the same spelling to the same endpoint.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::{Check, Checked, Tables, sample};
use crate::config::model::{
    ComponentSource, HostMatch, Listener, Match, PathMatch, PathPolicy, Plugin, Route, Upstream,
    ValueMatch,
};
use crate::config::problem::Problem;
use crate::config::read::TableReader;

/// Built-in components that decide who may pass. One from a file may be one.
const GUARDS: [&str; 4] = ["basic-auth", "ip-filter", "jwt", "key-auth"];

/// Wide routes that are compared with guarded ones, all together.
const MAX_COMPARED: usize = 1_000_000;

impl Check<'_> {
    /// Warns of every wide route that leads around the guard of another, unless one of the two or
    /// the listener is strict, or the wide one says `path = "normal"` itself.
    pub(super) fn ways_around(&self, checked: &Checked, tables: &Tables<'_>) {
        let guards = self.guards(checked);
        let guarded: Vec<(&Route, Vec<usize>)> = checked
            .routes
            .iter()
            .filter(|route| route.path == PathPolicy::Normal && route.matches.path.is_some())
            .map(|route| (route, self.guards_of(&guards, route)))
            .filter(|(_, guards)| !guards.is_empty())
            .collect();
        if guarded.is_empty() {
            return;
        }
        let Some(wide) = self.wide(checked, tables, &guards) else { return };
        let mut left = MAX_COMPARED;
        for (route, guards) in guarded {
            let mut told: HashSet<&str> = HashSet::new();
            let endpoints = wide.endpoints_of(route);
            for spelling in spellings_of(route) {
                let taking = wide.taking(route, &guards, &endpoints, &spelling);
                let Some(rest) = left.checked_sub(endpoints.len() + taking.len()) else { return };
                left = rest;
                for around in taking {
                    if self.report.has_many_warnings() {
                        return;
                    }
                    if self.leads_around(checked, around, route, &guards)
                        && told.insert(&around.name)
                        && let Some(table) = tables.get(&*around.name)
                    {
                        self.warn(table, around, route, &spelling);
                    }
                }
            }
        }
    }

    fn warn(&self, table: &TableReader<'_>, wide: &Route, guarded: &Route, spelling: &str) {
        let message = format!(
            "[routes.{}] takes {spelling:?} to the upstream that [routes.{}] guards, and some \
             servers read it as the guarded path",
            wide.name, guarded.name,
        );
        self.report.warning(
            Problem::new(table.place.clone(), table.path.clone(), message).with_hint(
                "path = \"strict\" in either route or in the listener refuses such paths; path = \
                 \"normal\" here says that this is meant",
            ),
        );
    }

    /// Whether a request can take `wide` instead of `guarded` and meet a guard less; both lead to
    /// the same endpoint.
    fn leads_around(
        &self,
        checked: &Checked,
        wide: &Route,
        guarded: &Route,
        guards: &[usize],
    ) -> bool {
        let reaches = |route: &Route, at: usize| {
            route.listeners.as_ref().is_none_or(|listeners| listeners.contains(&at))
        };
        let unguarded = |listener: &Listener| {
            listener.path == PathPolicy::Normal
                && guards
                    .iter()
                    .any(|guard| !wide.plugins.contains(guard) && !listener.plugins.contains(guard))
        };
        overlap(&wide.matches, &guarded.matches)
            && checked.listeners.iter().any(|listener| {
                let at = self.listeners.names.binary_search(&&*listener.name);
                at.is_ok_and(|at| reaches(wide, at) && reaches(guarded, at)) && unguarded(listener)
            })
    }

    /// The plugins that may decide who may pass, by index.
    fn guards(&self, checked: &Checked) -> HashSet<usize> {
        let guards = |plugin: &&Plugin| match &plugin.component {
            ComponentSource::BuiltIn(component) => GUARDS.contains(&&**component),
            ComponentSource::File(_) => true,
        };
        let named = |plugin: &Plugin| self.plugins.names.binary_search(&&*plugin.name).ok();
        checked.plugins.iter().filter(guards).filter_map(named).collect()
    }

    /// A route's guards, sorted.
    fn guards_of(&self, guards: &HashSet<usize>, route: &Route) -> Vec<usize> {
        let mut own: Vec<usize> =
            route.plugins.iter().copied().filter(|plugin| guards.contains(plugin)).collect();
        own.sort_unstable();
        own.dedup();
        own
    }

    /// `None` where there are more ways than anybody compares.
    fn wide<'a>(
        &self,
        checked: &'a Checked,
        tables: &Tables<'_>,
        guards: &HashSet<usize>,
    ) -> Option<Wide<'a>> {
        let mut numbers: HashMap<(String, u16), Endpoint> = HashMap::new();
        let named = |upstream: &Upstream| {
            let at = self.upstreams.names.binary_search(&&*upstream.name).ok()?;
            let mut number = |host: &str, port| {
                let next = numbers.len();
                *numbers.entry((host.to_ascii_lowercase(), port)).or_insert(next)
            };
            let endpoints = upstream.endpoints.iter().map(|to| number(&to.host, to.port));
            Some((at, endpoints.collect()))
        };
        let mut wide = Wide {
            endpoints: checked.upstreams.iter().filter_map(named).collect(),
            to: HashMap::new(),
        };
        let mut left = MAX_COMPARED;
        for route in &checked.routes {
            // Strict, or said to be meant.
            let may = |table: &&&TableReader<'_>| table.field("path").is_none();
            if tables.get(&*route.name).filter(may).is_none() {
                continue;
            }
            let own = self.guards_of(guards, route);
            let ways: usize = wide.lists(route).map(Vec::len).sum();
            left = left.checked_sub(ways)?;
            for endpoint in wide.endpoints_of(route) {
                let to = wide.to.entry(endpoint).or_default().entry(own.clone()).or_default();
                let host = host_of(route);
                if host.is_some() {
                    to.entry(None).or_default().all.add(route);
                }
                let to = to.entry(host).or_default();
                to.own.add(route);
            }
        }
        Some(wide)
    }
}

/// Routes that some spelling may take, by where they lead to, the guards they have, and the host they
/// are for if it is a single one.
struct Wide<'a> {
    /// By the upstream's index.
    endpoints: HashMap<usize, Vec<Endpoint>>,
    to: HashMap<Endpoint, ByGuards<'a>>,
}

type ByGuards<'a> = HashMap<Vec<usize>, HashMap<Option<&'a str>, Hosts<'a>>>;

/// The number of a host and port.
type Endpoint = usize;

/// Routes of one host, or without one; and of none, those of all the others.
#[derive(Default)]
struct Hosts<'a> {
    own: Paths<'a>,
    all: Paths<'a>,
}

/// Routes by the paths that they take.
#[derive(Default)]
struct Paths<'a> {
    exact: HashMap<&'a str, Vec<&'a Route>>,
    /// Without the slash that ends it.
    prefix: HashMap<&'a str, Vec<&'a Route>>,
    /// Any path, or a pattern of them.
    other: Vec<&'a Route>,
}

impl<'a> Wide<'a> {
    fn lists(&self, route: &Route) -> impl Iterator<Item = &Vec<Endpoint>> {
        route.upstreams.iter().filter_map(|to| self.endpoints.get(&to.upstream))
    }

    fn endpoints_of(&self, route: &Route) -> BTreeSet<Endpoint> {
        self.lists(route).flatten().copied().collect()
    }

    /// Routes that take a spelling to where a guarded one leads, and lack a guard of it.
    fn taking(
        &self,
        guarded: &Route,
        guards: &[usize],
        endpoints: &BTreeSet<Endpoint>,
        spelling: &str,
    ) -> Vec<&'a Route> {
        let mut found = Vec::new();
        for endpoint in endpoints {
            for (own, hosts) in self.to.get(endpoint).into_iter().flatten() {
                if guards.iter().all(|guard| own.binary_search(guard).is_ok()) {
                    continue;
                }
                let any = hosts.get(&None);
                any.into_iter().for_each(|hosts| hosts.own.taking(spelling, &mut found));
                match host_of(guarded) {
                    Some(host) => {
                        let same = hosts.get(&Some(host)).into_iter();
                        same.for_each(|hosts| hosts.own.taking(spelling, &mut found));
                    }
                    None => {
                        any.into_iter().for_each(|hosts| hosts.all.taking(spelling, &mut found));
                    }
                }
            }
        }
        // What is told does not depend on the order of tables that have none.
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        found
    }
}

impl<'a> Paths<'a> {
    fn add(&mut self, route: &'a Route) {
        match &route.matches.path {
            Some(PathMatch::Exact(path)) => self.exact.entry(path).or_default().push(route),
            Some(PathMatch::Below(path) | PathMatch::Prefix(path)) => {
                self.prefix.entry(path.trim_end_matches('/')).or_default().push(route);
            }
            Some(PathMatch::Regex(_)) | None => self.other.push(route),
        }
    }

    fn taking(&self, spelling: &str, found: &mut Vec<&'a Route>) {
        let takes = |route: &&&Route| takes(route.matches.path.as_ref(), spelling);
        found.extend(self.exact.get(spelling).into_iter().flatten());
        let cuts = spelling.match_indices('/').map(|(at, _)| at).chain([spelling.len()]);
        for prefix in cuts.filter_map(|at| spelling.get(..at)) {
            found.extend(self.prefix.get(prefix).into_iter().flatten().filter(takes));
        }
        found.extend(self.other.iter().filter(takes));
    }
}

/// The one host that a route is for.
fn host_of(route: &Route) -> Option<&str> {
    match &route.matches.host {
        Some(HostMatch::Exact(host)) => Some(host),
        _ => None,
    }
}

fn takes(path: Option<&PathMatch>, spelling: &str) -> bool {
    match path {
        None => true,
        Some(PathMatch::Exact(exact)) => spelling == exact,
        Some(PathMatch::Below(prefix)) => spelling.starts_with(prefix.as_str()),
        Some(PathMatch::Prefix(prefix)) => spelling
            .strip_prefix(prefix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        Some(PathMatch::Regex(regex)) => regex.is_match(spelling),
    }
}

/// Spellings of a guarded path that it does not take itself.
fn spellings_of(guarded: &Route) -> Vec<String> {
    let Some(path) = &guarded.matches.path else { return Vec::new() };
    let all = sample::paths(path).into_iter().flat_map(|path| spellings(&path));
    all.filter(|spelling| !takes(Some(path), spelling)).collect()
}

/// A path with something else where one of its segments begins or ends, the last one first.
fn spellings(path: &str) -> Vec<String> {
    let path = path.trim_end_matches('/');
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    let mut all = Vec::new();
    for slash in slashes.into_iter().rev() {
        let (before, rest) = path.split_at(slash);
        let rest = rest.get(1..).unwrap_or_default();
        let (segment, behind) = rest.split_once('/').unwrap_or((rest, "y"));
        if segment.is_empty() {
            continue;
        }
        all.push(format!("{before}/{segment};x/{behind}"));
        all.push(format!("{before}//{segment}/{behind}"));
        all.push(format!("{before}/{segment}%2F{behind}"));
        if segment == rest {
            all.push(format!("{before}/{segment};x"));
        }
    }
    all
}

/// Whether one request can match both, but for its path.
fn overlap(one: &Match, other: &Match) -> bool {
    let methods = one.methods.is_empty()
        || other.methods.is_empty()
        || one.methods.iter().any(|method| other.methods.contains(method));
    methods
        && hosts_overlap(one.host.as_ref(), other.host.as_ref())
        && agree(&one.headers, &other.headers)
        && agree(&one.query, &other.query)
}

/// Whether no name has to have two values.
fn agree<N: PartialEq>(one: &[(N, ValueMatch)], other: &[(N, ValueMatch)]) -> bool {
    one.iter().all(|(name, value)| {
        other.iter().filter(|(same, _)| same == name).all(|(_, wanted)| match (value, wanted) {
            (ValueMatch::Exact(one), ValueMatch::Exact(other)) => one == other,
            (ValueMatch::Exact(text), ValueMatch::Regex(regex))
            | (ValueMatch::Regex(regex), ValueMatch::Exact(text)) => regex.is_match(text),
            _ => true,
        })
    })
}

/// Whether one host can match both.
fn hosts_overlap(one: Option<&HostMatch>, other: Option<&HostMatch>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return true };
    match (one, other) {
        (HostMatch::Exact(one), HostMatch::Exact(other)) => one == other,
        (HostMatch::Exact(host), HostMatch::Suffix(suffix))
        | (HostMatch::Suffix(suffix), HostMatch::Exact(host)) => host.ends_with(suffix.as_str()),
        (HostMatch::Suffix(one), HostMatch::Suffix(other)) => {
            one.ends_with(other.as_str()) || other.ends_with(one.as_str())
        }
    }
}
