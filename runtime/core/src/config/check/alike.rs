//! Routes of which one can never be taken.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::{Check, Tables};
use crate::config::model::{Match, PathMatch, Route, ValueMatch};
use crate::config::problem::Problem;
use crate::config::read::TableReader;

/// From where two routes are reached.
enum Shared {
    /// Both from all that reach the second.
    All,
    /// Both from this listener, the second from others too.
    Some(usize),
}

/// Routes that match the same, in the order in which they go.
#[derive(Default)]
struct Taken<'a> {
    count: usize,
    first: Option<&'a Route>,
    /// The first that is reached from everywhere, and how many go before it.
    everywhere: Option<(usize, &'a Route)>,
    /// The first of each listener.
    on: HashMap<usize, (usize, &'a Route)>,
}

impl<'a> Taken<'a> {
    /// The first that is reached from where a route is.
    fn before(&self, route: &Route) -> Option<&'a Route> {
        let Some(listeners) = &route.listeners else { return self.first };
        let on = listeners.iter().filter_map(|listener| self.on.get(listener));
        let first = on.chain(&self.everywhere).min_by_key(|(at, _)| *at);
        first.map(|(_, route)| *route)
    }

    fn add(&mut self, route: &'a Route) {
        let here = (self.count, route);
        self.count += 1;
        match &route.listeners {
            None => {
                self.everywhere.get_or_insert(here);
            }
            Some(listeners) if listeners.is_empty() => return,
            Some(listeners) => {
                listeners.iter().for_each(|listener| {
                    self.on.entry(*listener).or_insert(here);
                });
            }
        }
        self.first.get_or_insert(route);
    }
}

impl Check<'_> {
    /// Warns of routes that match the same as another that goes first, on the same listener.
    pub(super) fn alike(&self, routes: &[Route], tables: &Tables<'_>) {
        let mut first_come: Vec<&Route> = routes.iter().collect();
        first_come.sort_by_key(|route| (Reverse(any(&route.matches)), &route.name));
        let mut known: HashMap<String, Taken<'_>> = HashMap::new();
        for route in first_come {
            let taken = known.entry(told(&route.matches, route.priority)).or_default();
            if let Some(first) = taken.before(route)
                && let Some(shared) = shared(first, route)
                && let Some(table) = tables.get(&*route.name)
            {
                self.never_taken(table, route, first, &shared);
            }
            taken.add(route);
        }
    }

    fn never_taken(&self, table: &TableReader<'_>, route: &Route, first: &Route, shared: &Shared) {
        let why = match any(&route.matches) == any(&first.matches) {
            true => "whose name comes first",
            false => "which names its path",
        };
        let on = match shared {
            Shared::All => None,
            Shared::Some(listener) => self.listeners.names.get(*listener),
        };
        let on = on.map_or_else(String::new, |listener| format!(" on listener {listener}"));
        let (path, first) = (&table.path, &first.name);
        let message =
            format!("[{path}] matches what [routes.{first}] does, {why}: it is never taken{on}");
        self.report.warning(
            Problem::new(table.place.clone(), path.clone(), message)
                .with_hint("tell them apart by match, listeners or priority"),
        );
    }
}

fn shared(first: &Route, second: &Route) -> Option<Shared> {
    match (&first.listeners, &second.listeners) {
        (None, _) => Some(Shared::All),
        (Some(first), None) => first.first().copied().map(Shared::Some),
        (Some(first), Some(second)) => {
            let first: HashSet<&usize> = first.iter().collect();
            let mut both = second.iter().filter(|listener| first.contains(listener));
            let one = both.next().copied()?;
            let all = second.iter().all(|listener| first.contains(listener));
            Some(if all { Shared::All } else { Shared::Some(one) })
        }
    }
}

/// How specific a path is that every request has: `/*`, the prefix `/`, none at all; else 0.
fn any(matches: &Match) -> u8 {
    match &matches.path {
        Some(PathMatch::Below(path)) if path == "/" => 3,
        Some(PathMatch::Prefix(path)) if path.is_empty() => 2,
        None => 1,
        Some(_) => 0,
    }
}

/// The same text for matches that are the same, in whatever order they are written.
fn told(matches: &Match, priority: i32) -> String {
    let Match { host, path, methods, headers, query } = matches;
    let path = path.as_ref().filter(|_| any(matches) == 0);
    let sorted = |mut all: Vec<String>| {
        all.sort();
        all.dedup();
        all
    };
    let value = |value: &ValueMatch| match value {
        ValueMatch::Exact(text) => format!("={text:?}"),
        ValueMatch::Regex(regex) => format!("~{regex:?}"),
        ValueMatch::Present => "*".to_owned(),
    };
    let methods = sorted(methods.iter().map(ToString::to_string).collect());
    let headers = headers.iter().map(|(name, wanted)| format!("{name}{}", value(wanted)));
    let query = query.iter().map(|(name, wanted)| format!("{name:?}{}", value(wanted)));
    let (headers, query) = (sorted(headers.collect()), sorted(query.collect()));
    format!("{priority} {host:?} {path:?} {methods:?} {headers:?} {query:?}")
}
