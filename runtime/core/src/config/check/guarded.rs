//! Ways around a guard: paths that a guarded route does not take, and servers read as one that it
//! does, where a wider route takes them to its upstream.
//!
//! In: routes, plugins and listeners that were checked. Out: warnings. Never: stops anything; package
//! registries and object stores need the spellings that `path = "strict"` refuses. Or compares every
//! route with every other: only those are that take the same path to the same endpoint, and only so
//! many that nobody waits for it.

mod meeting;
mod spelling;
mod ways;

use std::collections::HashSet;

use self::meeting::{meet, takes_all_of};
use self::ways::{Left, Ways, Wide};
use super::{Check, Checked, Tables};
use crate::config::model::{
    ComponentSource, Listener, PathMatch, PathPolicy, Plugin, Route, Upstream,
};
use crate::config::place::Place;
use crate::config::precedence::precedence;
use crate::config::problem::Problem;

/// Built-in components that decide who may pass. One from a file may be one.
const GUARDS: [&str; 4] = ["basic-auth", "ip-filter", "jwt", "key-auth"];

/// A route and its guards, sorted.
struct Guarded<'a> {
    route: &'a Route,
    guards: &'a [usize],
}

/// How a path leads around a guard.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is written as `path = "strict"` refuses it.
    Spelled,
    /// It lacks the slash at its end, or has one more: no endpoint has to refuse that.
    Slash,
}

impl Check<'_> {
    /// Warns of every wide route that leads around the guard of another, unless the wide one says
    /// `path = "normal"` itself; of other spellings not where one of the two or the listener is
    /// strict.
    pub(super) fn ways_around(&self, checked: &Checked, tables: &Tables<'_>) {
        let guards = self.guards(checked);
        let own: Vec<Vec<usize>> =
            checked.routes.iter().map(|route| guards_of(&guards, route)).collect();
        let mut guarded = Vec::new();
        for (route, guards) in checked.routes.iter().zip(&own) {
            if route.matches.path.is_some() && !guards.is_empty() {
                guarded.push(Guarded { route, guards });
            }
        }
        if guarded.is_empty() {
            return;
        }
        let named = |upstream: &Upstream| self.upstreams.names.binary_search(&&*upstream.name).ok();
        let indexed = checked.upstreams.iter().filter_map(|it| Some((named(it)?, it)));
        let wide = checked.routes.iter().zip(&own).map(|(route, guards)| {
            // One that says so is meant.
            let said = tables.get(&*route.name).is_none_or(|table| table.field("path").is_some());
            Wide { route, guards, meant: said && route.path == PathPolicy::Normal }
        });
        let mut left = Left::default();
        let compared = Ways::new(indexed, wide, &mut left).and_then(|ways| {
            guarded
                .iter()
                .try_for_each(|guarded| self.around(checked, tables, &ways, guarded, &mut left))
        });
        if compared.is_none() {
            self.report.warning(
                Problem::new(
                    Place::Whole("configuration".into()),
                    "",
                    "there are too many routes to compare each guarded one with all that may lead \
                     around it: there may be more ways than are told",
                )
                .with_hint("path = \"strict\" in a listener refuses other spellings for all"),
            );
        }
    }

    /// `None` where there is more than anybody compares.
    fn around(
        &self,
        checked: &Checked,
        tables: &Tables<'_>,
        ways: &Ways<'_>,
        guarded: &Guarded<'_>,
        left: &mut Left,
    ) -> Option<()> {
        let to = ways.endpoints_of(guarded.route);
        for kind in [Kind::Spelled, Kind::Slash] {
            let paths = match kind {
                Kind::Spelled if guarded.route.path == PathPolicy::Strict => continue,
                Kind::Spelled => spelling::of(guarded.route),
                Kind::Slash => spelling::with_other_slash(guarded.route),
            };
            let mut seen = HashSet::new();
            for path in paths {
                let mut found = ways.taking(guarded, &to, &path, left)?;
                found.retain(|around| match kind {
                    Kind::Spelled => around.path == PathPolicy::Normal,
                    Kind::Slash => !is_exactly(around, &path),
                });
                let rivals = match kind {
                    Kind::Slash if !found.is_empty() => ways.rivals(guarded.route, &path, left)?,
                    _ => Vec::new(),
                };
                for around in found {
                    if self.report.has_many_warnings() {
                        return Some(());
                    }
                    if !seen.insert(&*around.name) {
                        continue;
                    }
                    left.take(checked.listeners.len())?;
                    if self.leads_around(checked, around, guarded, kind)
                        && !is_taken_before(&rivals, around, guarded.route, left)?
                    {
                        self.warn(tables, around, guarded.route, kind, &path);
                    }
                }
            }
        }
        Some(())
    }

    fn warn(&self, tables: &Tables<'_>, wide: &Route, guarded: &Route, kind: Kind, path: &str) {
        let Some(table) = tables.get(&*wide.name) else { return };
        let (reads, hint) = match (kind, &guarded.matches.path) {
            (Kind::Spelled, _) => (
                "some servers read it as the guarded path",
                "path = \"strict\" in either route or in the listener refuses such paths; path = \
                 \"normal\" here says that this is meant"
                    .to_owned(),
            ),
            (Kind::Slash, Some(PathMatch::Below(_))) => (
                "some servers answer it as with the slash",
                format!(
                    "match.path = {{ prefix = {path:?} }} in [routes.{}] takes both; path = \
                     \"normal\" here says that this is meant",
                    guarded.name
                ),
            ),
            (Kind::Slash, _) => (
                "some servers make no difference of the slash at its end",
                format!(
                    "guard {path:?} as well, by a route of its own; path = \"normal\" here says \
                     that this is meant"
                ),
            ),
        };
        let message = format!(
            "[routes.{}] takes {path:?} to the upstream that [routes.{}] guards, and {reads}",
            wide.name, guarded.name,
        );
        self.report.warning(
            Problem::new(table.place.clone(), table.path.clone(), message).with_hint(hint),
        );
    }

    /// Whether a request can take `wide` instead of `guarded` and meet a guard less; both lead to
    /// the same endpoint.
    fn leads_around(
        &self,
        checked: &Checked,
        wide: &Route,
        guarded: &Guarded<'_>,
        kind: Kind,
    ) -> bool {
        let reaches = |route: &Route, at: usize| {
            route.listeners.as_ref().is_none_or(|listeners| listeners.contains(&at))
        };
        let unguarded = |listener: &Listener| {
            (kind == Kind::Slash || listener.path == PathPolicy::Normal)
                && guarded
                    .guards
                    .iter()
                    .any(|guard| !wide.plugins.contains(guard) && !listener.plugins.contains(guard))
        };
        meet(&wide.matches, &guarded.route.matches)
            && checked.listeners.iter().any(|listener| {
                let at = self.listeners.names.binary_search(&&*listener.name);
                at.is_ok_and(|at| reaches(wide, at) && reaches(guarded.route, at))
                    && unguarded(listener)
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
}

/// A route's guards, sorted.
fn guards_of(guards: &HashSet<usize>, route: &Route) -> Vec<usize> {
    let mut own: Vec<usize> =
        route.plugins.iter().copied().filter(|plugin| guards.contains(plugin)).collect();
    own.sort_unstable();
    own.dedup();
    own
}

/// Whether a route is for this path alone: who writes that means it.
fn is_exactly(route: &Route, path: &str) -> bool {
    matches!(&route.matches.path, Some(PathMatch::Exact(exact)) if exact == path)
}

/// Whether another route, of those in the order of precedence, takes all of what is guarded that
/// `wide` would; `None` where there are more than anybody compares.
fn is_taken_before(
    rivals: &[&Route],
    wide: &Route,
    guarded: &Route,
    left: &mut Left,
) -> Option<bool> {
    let before = rivals.partition_point(|rival| precedence(rival, wide).is_lt());
    left.take(before)?;
    Some(rivals.iter().take(before).any(|rival| takes_all_of(rival, wide, guarded)))
}
