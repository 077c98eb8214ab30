//! Where routes lead, by the paths that they take: which of them take one to a guarded endpoint.
//!
//! In: upstreams and routes; then a guarded route and a path. Out: the routes that take it there and
//! lack a guard. Never: goes on where more was visited than anybody waits for: every start of a
//! path, every group of guards and every route that is looked at counts.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Bound;

use super::Guarded;
use crate::config::check::sample;
use crate::config::model::{HostMatch, PathMatch, Route, Upstream};
use crate::config::precedence::precedence;

/// What is visited, all together: a second of a slow machine.
const MOST: usize = 1_000_000;
/// Bytes of texts that are compared at the cost of one visit.
const TEXT: usize = 256;

/// How much may still be visited.
pub(super) struct Left(usize);

/// A route that may lead around another.
#[derive(Clone, Copy)]
pub(super) struct Wide<'a> {
    pub route: &'a Route,
    /// Sorted.
    pub guards: &'a [usize],
    /// It is no way around: it says that what it takes is meant.
    pub meant: bool,
}

/// Routes by where they lead to, and the host they are for if it is a single one.
pub(super) struct Ways<'a> {
    /// By the upstream's index.
    upstreams: HashMap<usize, Vec<Endpoint>>,
    to: HashMap<Endpoint, Hosts<'a>>,
    /// All of them, wherever they lead.
    anywhere: Hosts<'a>,
}

/// The number of endpoints that the same upstreams have.
type Endpoint = usize;

#[derive(Default)]
struct Hosts<'a> {
    by: HashMap<Option<&'a str>, Paths<'a>>,
    /// Those of single hosts once more.
    single: Paths<'a>,
}

/// Routes by what the paths that they take begin with.
#[derive(Default)]
struct Paths<'a>(BTreeMap<Cow<'a, str>, Groups<'a>>);

/// Routes by their guards.
type Groups<'a> = BTreeMap<&'a [usize], Vec<&'a Route>>;

// === impl Left ===

impl Default for Left {
    fn default() -> Left {
        Left(MOST)
    }
}

impl Left {
    /// One visit, and so many more.
    pub fn take(&mut self, more: usize) -> Option<()> {
        self.0 = self.0.checked_sub(more.saturating_add(1))?;
        Some(())
    }
}

// === impl Ways ===

impl<'a> Ways<'a> {
    /// `None` where there are more than anybody compares.
    pub fn new(
        upstreams: impl Iterator<Item = (usize, &'a Upstream)>,
        routes: impl Iterator<Item = Wide<'a>>,
        left: &mut Left,
    ) -> Option<Ways<'a>> {
        let (to, anywhere) = (HashMap::new(), Hosts::default());
        let mut ways = Ways { upstreams: endpoints(upstreams), to, anywhere };
        for Wide { route, guards, meant } in routes {
            left.take(0)?;
            ways.anywhere.add(route, &[]);
            if meant {
                continue;
            }
            // What has no weight is sent nothing.
            let sent = route.upstreams.iter().filter(|to| to.weight > 0);
            let ends = sent.filter_map(|to| ways.upstreams.get(&to.upstream)).flatten();
            for endpoint in ends.copied().collect::<BTreeSet<_>>() {
                left.take(0)?;
                ways.to.entry(endpoint).or_default().add(route, guards);
            }
        }
        Some(ways)
    }

    /// Where a guarded route leads, also with what has no weight for a time.
    pub fn endpoints_of(&self, guarded: &Route) -> BTreeSet<Endpoint> {
        let lists = guarded.upstreams.iter().filter_map(|to| self.upstreams.get(&to.upstream));
        lists.flatten().copied().collect()
    }

    /// Routes that take a path to where a guarded one leads, and lack a guard of it; `None` where
    /// there are more than anybody compares.
    pub fn taking(
        &self,
        guarded: &Guarded<'_>,
        endpoints: &BTreeSet<Endpoint>,
        path: &str,
        left: &mut Left,
    ) -> Option<Vec<&'a Route>> {
        let mut found = Vec::new();
        for endpoint in endpoints {
            left.take(0)?;
            if let Some(hosts) = self.to.get(endpoint) {
                hosts.taking(guarded.route, guarded.guards, path, left, &mut found)?;
            }
        }
        // What is told does not depend on the order of tables that have none.
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        Some(found)
    }

    /// Routes that take a path, wherever they lead, in the order of precedence.
    pub fn rivals(&self, guarded: &Route, path: &str, left: &mut Left) -> Option<Vec<&'a Route>> {
        let mut found = Vec::new();
        // They are kept without guards, and so lack any.
        self.anywhere.taking(guarded, &[usize::MAX], path, left, &mut found)?;
        found.sort_by(|a, b| precedence(a, b));
        Some(found)
    }
}

/// The endpoints of upstreams. Those that the same upstreams have are one: whoever leads to one of
/// them leads to all.
fn endpoints<'a>(
    upstreams: impl Iterator<Item = (usize, &'a Upstream)>,
) -> HashMap<usize, Vec<Endpoint>> {
    let mut of: HashMap<(String, u16), Vec<usize>> = HashMap::new();
    for (at, upstream) in upstreams {
        for to in &upstream.endpoints {
            let known = of.entry((machine(&to.host), to.port)).or_default();
            if known.last() != Some(&at) {
                known.push(at);
            }
        }
    }
    let distinct: BTreeSet<Vec<usize>> = of.into_values().collect();
    let mut lists: HashMap<usize, Vec<Endpoint>> = HashMap::new();
    for (endpoint, upstreams) in distinct.into_iter().enumerate() {
        for upstream in upstreams {
            lists.entry(upstream).or_default().push(endpoint);
        }
    }
    lists
}

/// The same text for the same machine, as far as that can be known without asking anybody.
fn machine(host: &str) -> String {
    const OWN: &str = "localhost";
    let Ok(address) = host.parse::<IpAddr>() else { return host.to_ascii_lowercase() };
    let own = [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
        // Connections to no address go to the own one.
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    ];
    match address.to_canonical() {
        address if own.contains(&address) => OWN.to_owned(),
        address => address.to_string(),
    }
}

// === impl Hosts ===

impl<'a> Hosts<'a> {
    fn add(&mut self, route: &'a Route, guards: &'a [usize]) {
        let host = host_of(route);
        if host.is_some() {
            self.single.add(route, guards);
        }
        self.by.entry(host).or_default().add(route, guards);
    }

    fn taking(
        &self,
        guarded: &Route,
        guards: &[usize],
        path: &str,
        left: &mut Left,
        found: &mut Vec<&'a Route>,
    ) -> Option<()> {
        if let Some(any) = self.by.get(&None) {
            any.taking(path, guards, left, found)?;
        }
        match host_of(guarded).map(|host| self.by.get(&Some(host))) {
            Some(Some(same)) => same.taking(path, guards, left, found),
            Some(None) => Some(()),
            None => self.single.taking(path, guards, left, found),
        }
    }
}

/// The one host that a route is for.
fn host_of(route: &Route) -> Option<&str> {
    match &route.matches.host {
        Some(HostMatch::Exact(host)) => Some(host),
        _ => None,
    }
}

// === impl Paths ===

impl<'a> Paths<'a> {
    fn add(&mut self, route: &'a Route, guards: &'a [usize]) {
        let start = match &route.matches.path {
            Some(PathMatch::Exact(text) | PathMatch::Below(text) | PathMatch::Prefix(text)) => {
                Cow::Borrowed(text.as_str())
            }
            Some(PathMatch::Regex(regex)) => Cow::Owned(sample::start(regex)),
            None => Cow::Borrowed(""),
        };
        self.0.entry(start).or_default().entry(guards).or_default().push(route);
    }

    /// Adds routes that take a path and lack one of these guards.
    fn taking(
        &self,
        path: &str,
        guards: &[usize],
        left: &mut Left,
        found: &mut Vec<&'a Route>,
    ) -> Option<()> {
        // What a text begins with is not greater than it, nor than what else is known that is not.
        let mut upto = Bound::Included(path);
        while let Some((start, groups)) =
            self.0.range::<str, _>((Bound::Unbounded, upto)).next_back()
        {
            left.take(start.len() / TEXT)?;
            if !path.starts_with(&**start) {
                upto = Bound::Included(common(path, start));
                continue;
            }
            for (own, routes) in groups {
                left.take(guards.len())?;
                if guards.iter().all(|guard| own.binary_search(guard).is_ok()) {
                    continue;
                }
                for route in routes {
                    left.take(path.len() / TEXT)?;
                    if takes(route.matches.path.as_ref(), path) {
                        found.push(route);
                    }
                }
            }
            upto = Bound::Excluded(&**start);
        }
        Some(())
    }
}

/// What two texts begin with.
fn common<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    one.get(..one.floor_char_boundary(same)).unwrap_or_default()
}

pub(super) fn takes(path: Option<&PathMatch>, spelling: &str) -> bool {
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

#[cfg(test)]
mod tests;
