//! Ways around a guard: a guarded path whose other spellings take a wider route to its upstream.
//!
//! In: routes, plugins and listeners that were checked. Out: warnings. Never: stops anything; package
//! registries and object stores need the spellings that `path = "strict"` refuses.

use super::{Check, Checked};
use crate::config::model::{
    ComponentSource, HostMatch, Listener, PathMatch, PathPolicy, Plugin, Route,
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
            let around = |guarded: &&Route| self.leads_around(checked, wide, guarded);
            let Some((guarded, spelling)) = checked
                .routes
                .iter()
                .filter(around)
                .find_map(|guarded| Some((guarded, spelling(wide, guarded)?)))
            else {
                continue;
            };
            let message = format!(
                "[routes.{}] takes {spelling:?} to the upstream that [routes.{}] guards, and \
                 some servers read it as the guarded path",
                wide.name, guarded.name,
            );
            self.report.warning(
                Problem::new(named.value.place.clone(), named.value.path.clone(), message)
                    .with_hint(
                        "path = \"strict\" in either route or in the listener refuses such \
                         paths; path = \"normal\" here says that this is meant",
                    ),
            );
        }
    }

    /// Whether a request can take `wide` instead of `guarded` to the same upstream and meet a guard
    /// less.
    fn leads_around(&self, checked: &Checked, wide: &Route, guarded: &Route) -> bool {
        let same_upstream = wide
            .upstreams
            .iter()
            .any(|to| guarded.upstreams.iter().any(|other| other.upstream == to.upstream));
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
        same_upstream
            && guarded.path == PathPolicy::Normal
            && hosts_overlap(wide.matches.host.as_ref(), guarded.matches.host.as_ref())
            && checked.listeners.iter().any(|listener| {
                let at = self.listeners.names.binary_search(&&*listener.name);
                at.is_ok_and(|at| reaches(wide, at) && reaches(guarded, at)) && unguarded(listener)
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

/// A spelling of the guarded path that only the wide route takes.
fn spelling(wide: &Route, guarded: &Route) -> Option<String> {
    let path = guarded.matches.path.as_ref()?;
    let (PathMatch::Exact(text) | PathMatch::Below(text) | PathMatch::Prefix(text)) = path else {
        return None;
    };
    let text = text.trim_end_matches('/');
    let (before, last) = text.rsplit_once('/')?;
    if last.is_empty() {
        return None;
    }
    let spellings = [
        format!("{before}/{last};x/y"),
        format!("{before}//{last}/y"),
        format!("{before}/{last}%2Fy"),
        format!("{before}/{last};x"),
    ];
    let takes = |path: Option<&PathMatch>, spelling: &str| match path {
        None => true,
        Some(PathMatch::Exact(exact)) => spelling == exact,
        Some(PathMatch::Below(prefix)) => spelling.starts_with(prefix.as_str()),
        Some(PathMatch::Prefix(prefix)) => spelling
            .strip_prefix(prefix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        Some(PathMatch::Regex(regex)) => regex.is_match(spelling),
    };
    spellings.into_iter().find(|spelling| {
        takes(wide.matches.path.as_ref(), spelling) && !takes(Some(path), spelling)
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
