//! Ways around a guard: a guarded path whose other spellings take a wider route to its upstream.
//!
//! In: routes, plugins and listeners that were checked. Out: warnings. Never: stops anything; package
//! registries and object stores need the spellings that `path = "strict"` refuses.

use std::sync::Arc;

use super::{Check, Checked, sample};
use crate::config::model::{
    ComponentSource, HostMatch, Listener, Match, PathMatch, PathPolicy, Plugin, Route, ValueMatch,
};
use crate::config::problem::Problem;
use crate::config::read::{Named, TableReader};

/// Built-in components that decide who may pass. One from a file may be one.
const GUARDS: [&str; 4] = ["basic-auth", "ip-filter", "jwt", "key-auth"];

impl Check<'_> {
    /// Warns of every wide route that leads around the guard of another, unless one of the two or
    /// the listener is strict, or the wide one says `path = "normal"` itself.
    pub(super) fn ways_around(&self, checked: &Checked, routes: &[Named<'_, TableReader<'_>>]) {
        for named in routes {
            let Some(wide) = checked.routes.iter().find(|route| *route.name == *named.name) else {
                continue;
            };
            // Strict, or said to be meant.
            if named.value.field("path").is_some() {
                continue;
            }
            for guarded in &checked.routes {
                if self.leads_around(checked, wide, guarded)
                    && let Some(spelling) = spelling(wide, guarded)
                {
                    self.warn(&named.value, wide, guarded, &spelling);
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

    /// Whether a request can take `wide` instead of `guarded` to the same upstream and meet a guard
    /// less.
    fn leads_around(&self, checked: &Checked, wide: &Route, guarded: &Route) -> bool {
        let reaches = |route: &Route, at: usize| {
            route.listeners.as_ref().is_none_or(|listeners| listeners.contains(&at))
        };
        let unguarded = |listener: &Listener| {
            listener.path == PathPolicy::Normal
                && guarded.plugins.iter().any(|plugin| {
                    self.is_guard(checked, *plugin)
                        && !wide.plugins.contains(plugin)
                        && !listener.plugins.contains(plugin)
                })
        };
        guarded.path == PathPolicy::Normal
            && overlap(&wide.matches, &guarded.matches)
            && self.share_an_endpoint(checked, wide, guarded)
            && checked.listeners.iter().any(|listener| {
                let at = self.listeners.names.binary_search(&&*listener.name);
                at.is_ok_and(|at| reaches(wide, at) && reaches(guarded, at)) && unguarded(listener)
            })
    }

    /// Whether both lead to the same address, through one upstream or two.
    fn share_an_endpoint(&self, checked: &Checked, one: &Route, other: &Route) -> bool {
        let endpoints = |route: &Route| -> Vec<(Arc<str>, u16)> {
            let names =
                route.upstreams.iter().filter_map(|to| self.upstreams.names.get(to.upstream));
            let upstreams =
                names.filter_map(|name| checked.upstreams.iter().find(|up| *up.name == **name));
            let endpoints = upstreams.flat_map(|upstream| &upstream.endpoints);
            endpoints.map(|endpoint| (endpoint.host.clone(), endpoint.port)).collect()
        };
        let (one, other) = (endpoints(one), endpoints(other));
        one.iter().any(|(host, port)| {
            other.iter().any(|(name, at)| port == at && host.eq_ignore_ascii_case(name))
        })
    }

    fn is_guard(&self, checked: &Checked, plugin: usize) -> bool {
        let Some(name) = self.plugins.names.get(plugin) else { return false };
        let guards = |plugin: &Plugin| match &plugin.component {
            ComponentSource::BuiltIn(component) => GUARDS.contains(&&**component),
            ComponentSource::File(_) => true,
        };
        checked.plugins.iter().any(|plugin| *plugin.name == **name && guards(plugin))
    }
}

/// A spelling of a guarded path that only the wide route takes.
fn spelling(wide: &Route, guarded: &Route) -> Option<String> {
    let path = guarded.matches.path.as_ref()?;
    let takes = |path: Option<&PathMatch>, spelling: &str| match path {
        None => true,
        Some(PathMatch::Exact(exact)) => spelling == exact,
        Some(PathMatch::Below(prefix)) => spelling.starts_with(prefix.as_str()),
        Some(PathMatch::Prefix(prefix)) => spelling
            .strip_prefix(prefix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        Some(PathMatch::Regex(regex)) => regex.is_match(spelling),
    };
    let spellings = sample::paths(path).into_iter().flat_map(|path| spellings(&path));
    spellings.into_iter().find(|spelling| {
        takes(wide.matches.path.as_ref(), spelling) && !takes(Some(path), spelling)
    })
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
