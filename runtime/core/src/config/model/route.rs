//! A route as configured: what it matches, and where that goes.
//!
//! In: a checked `[routes.NAME]`. Out: what routers and bindings are built from. Never: shows what a
//! field is matched with.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Bound, PathPolicy};
use crate::config::pattern::Pattern;

/// `[routes.NAME]`
#[derive(Debug, Clone)]
pub struct Route {
    pub name: Arc<str>,
    /// Only requests of these, as indices into [`Config::listeners`](super::Config::listeners); `None`: of every listener.
    pub listeners: Option<Vec<usize>>,
    pub matches: Match,
    /// The stricter of this and the listener's counts.
    pub path: PathPolicy,
    /// Higher wins before specificity is looked at; default 0.
    pub priority: i32,
    /// Indices into [`Config::plugins`](super::Config::plugins), in order.
    pub plugins: Vec<usize>,
    /// Indices into [`Config::upstreams`](super::Config::upstreams) with weights; empty: a plugin must reply.
    pub upstreams: Vec<WeightedUpstream>,
    /// From the request's head to the response's head; default 60s. Where that is not written, a body
    /// on its way prolongs it. Upgrades and responses' bodies are not cut.
    pub timeout: Bound,
}

impl Route {
    /// Of [`Route::timeout`], where nothing is written.
    pub const TIMEOUT: Bound = Bound::by_default(Duration::from_secs(60));
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightedUpstream {
    pub upstream: usize,
    /// 0 sends nothing; default 1.
    pub weight: u32,
}

/// `match = { … }`; what is empty matches anything.
#[derive(Debug, Clone, Default)]
pub struct Match {
    pub host: Option<HostMatch>,
    pub path: Option<PathMatch>,
    pub methods: Vec<http::Method>,
    pub headers: Vec<(http::HeaderName, ValueMatch)>,
    pub query: Vec<(String, ValueMatch)>,
}

/// Lower-case, without port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostMatch {
    Exact(String),
    /// `*.example.com` is kept as `.example.com`; one or more labels before it.
    Suffix(String),
}

impl HostMatch {
    /// Whether a host (lower case, no port, no final dot) is meant.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            HostMatch::Exact(exact) => exact == host,
            HostMatch::Suffix(suffix) => {
                host.len() > suffix.len() && host.ends_with(suffix.as_str())
            }
        }
    }
}

#[derive(Debug, Clone)]
pub enum PathMatch {
    Exact(String),
    /// As in `"/api/*"`: kept as `/api/`; matches what starts with it.
    Below(String),
    /// `{ prefix = "/api" }`: whole segments; matches `/api` and `/api/…`. Kept without a final `/`.
    Prefix(String),
    /// Of the whole path.
    Regex(Pattern),
}

#[derive(Clone)]
pub enum ValueMatch {
    Exact(String),
    /// Of the whole value.
    Regex(Pattern),
    /// `{ present = true }`
    Present,
}

impl fmt::Debug for ValueMatch {
    /// Without what is matched: a header may be matched with a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueMatch::Exact(_) => "Exact(..)",
            ValueMatch::Regex(_) => "Regex(..)",
            ValueMatch::Present => "Present",
        })
    }
}
