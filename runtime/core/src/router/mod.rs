//! The route table: which route a request takes.
//!
//! In: the routes of a configuration; then, for each request, its host (lower case, no port), its
//! path in normal form, its query and its head. Out: the index of the one route that wins, or none
//! (404). Never: allocates for a request unless a query value must be decoded, looks at routes of
//! other hosts, depends on the order in which routes were written, or takes more than its [`Steps`].
//!
//! Routes are put in the order of [precedence] once, when the table is built; a route's
//! place in it is its rank. A request then asks the tables of its exact host, of the suffixes it
//! ends in, and of any host, for the lowest rank whose conditions hold, and leaves out what cannot
//! beat the rank it has. So thousands of hosts cost a hash, thousands of paths of a host a binary
//! search; only regular expressions are tried one after the other.

mod paths;
mod rule;

use std::collections::HashMap;

use http::request::Parts;
use rustc_hash::FxBuildHasher;

use crate::config::{HostMatch, Route, Steps, TooLong, precedence};

use self::paths::Paths;
use self::rule::Rule;

/// A place in the order of precedence; lower wins.
type Rank = u32;
/// Of no route.
const NONE: Rank = Rank::MAX;

/// All routes, indexed. Built once for a configuration.
#[derive(Debug)]
pub struct Router {
    /// By rank.
    rules: Vec<Rule>,
    // Keys come from the configuration only, so a hash without a seed cannot be attacked.
    exact: HashMap<Box<str>, Paths, FxBuildHasher>,
    /// `.example.com`
    suffixes: HashMap<Box<str>, Paths, FxBuildHasher>,
    /// Of the longest key of `suffixes`: what is longer is not looked up, so that a host of a
    /// thousand labels costs no more than one of ten.
    longest_suffix: usize,
    any: Paths,
}

/// What rules look at.
#[derive(Clone, Copy)]
struct Request<'a> {
    path: &'a str,
    query: Option<&'a str>,
    parts: &'a Parts,
    steps: &'a Steps,
}

impl Router {
    /// Indexes routes; their order means nothing.
    ///
    /// Paths in matches are brought into the normal form that request paths have. One that has none
    /// can never match.
    pub fn new(routes: &[Route]) -> Self {
        let mut ranked: Vec<(usize, Route)> = routes
            .iter()
            .map(|route| Route { matches: paths::normal(&route.matches), ..route.clone() })
            .enumerate()
            .collect();
        ranked.sort_by(|(_, a), (_, b)| precedence(a, b));

        let mut exact: HashMap<Box<str>, paths::Builder, FxBuildHasher> = HashMap::default();
        let mut suffixes: HashMap<Box<str>, paths::Builder, FxBuildHasher> = HashMap::default();
        let mut any = paths::Builder::default();
        for (rank, (_, route)) in ranked.iter().enumerate() {
            let paths = match &route.matches.host {
                Some(HostMatch::Exact(host)) => exact.entry(host.as_str().into()).or_default(),
                Some(HostMatch::Suffix(host)) => suffixes.entry(host.as_str().into()).or_default(),
                None => &mut any,
            };
            paths.add(rank as Rank, route.matches.path.as_ref());
        }
        let build = |hosts: HashMap<Box<str>, paths::Builder, FxBuildHasher>| {
            hosts.into_iter().map(|(host, paths)| (host, paths.build())).collect()
        };
        Router {
            rules: ranked.iter().map(|(index, route)| Rule::new(*index, &route.matches)).collect(),
            longest_suffix: suffixes.keys().map(|suffix| suffix.len()).max().unwrap_or(0),
            exact: build(exact),
            suffixes: build(suffixes),
            any: any.build(),
        }
    }

    /// The index of the route that a request takes, in the slice the table was built from.
    ///
    /// `host`: lower case, no port, no final dot ([`crate::http::host::Target::host`]). `path`: in
    /// normal form ([`crate::http::path::normalize`]). `query`: as received, without `?`.
    ///
    /// # Errors
    /// What of the request is too long for its `steps`: no route was found, and others might have been.
    pub fn find(
        &self,
        host: &str,
        path: &str,
        query: Option<&str>,
        parts: &Parts,
        steps: &Steps,
    ) -> Result<Option<usize>, TooLong> {
        let request = Request { path, query, parts, steps };
        let mut best = NONE;
        if !self.exact.is_empty()
            && let Some(paths) = self.exact.get(host)
        {
            best = paths.find(&request, &self.rules, best);
        }
        if self.longest_suffix > 0 {
            best = self.find_suffix(host, &request, best);
        }
        best = self.any.find(&request, &self.rules, best);
        steps.verdict()?;
        Ok(self.rules.get(best as usize).map(|rule| rule.route))
    }

    /// Asks for each suffix that begins with a dot, longest first.
    fn find_suffix(&self, host: &str, request: &Request<'_>, mut best: Rank) -> Rank {
        // One label at least comes before the dot.
        let first = host.len().saturating_sub(self.longest_suffix).max(1);
        let Some(tail) = host.as_bytes().get(first..) else { return best };
        for dot in memchr::memchr_iter(b'.', tail) {
            if let Some(paths) = host.get(first + dot..).and_then(|end| self.suffixes.get(end)) {
                best = paths.find(request, &self.rules, best);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests;
