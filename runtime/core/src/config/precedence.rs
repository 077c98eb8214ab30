//! Which of two routes is more specific, as the Gateway API orders them.
//!
//! In: two routes, paths in normal form. Out: an order without ties between differently named
//! routes. Never: looks at a request.
//!
//! First `priority`, the higher. Then, each only if all before are equal: the host (exact, longest
//! suffix, any), the path (exact, longest prefix, regular expression, any), whether methods are
//! named, how many headers, how many query parameters. At last the name, in alphabetical order.

use std::cmp::Ordering;

use super::model::{HostMatch, PathMatch, Route};

/// `Less`: `a` wins.
pub(crate) fn precedence(a: &Route, b: &Route) -> Ordering {
    let specific = |route: &Route| {
        let matches = &route.matches;
        (
            route.priority,
            host(matches.host.as_ref()),
            path(matches.path.as_ref()),
            !matches.methods.is_empty(),
            matches.headers.len(),
            matches.query.len(),
        )
    };
    specific(b).cmp(&specific(a)).then_with(|| a.name.cmp(&b.name))
}

fn host(host: Option<&HostMatch>) -> (u8, usize) {
    match host {
        Some(HostMatch::Exact(_)) => (2, 0),
        Some(HostMatch::Suffix(suffix)) => (1, suffix.len()),
        None => (0, 0),
    }
}

/// `/api/*` is one character longer than `{ prefix = "/api" }`, and matches one path less.
fn path(path: Option<&PathMatch>) -> (u8, usize) {
    match path {
        Some(PathMatch::Exact(_)) => (3, 0),
        Some(PathMatch::Below(prefix) | PathMatch::Prefix(prefix)) => (2, prefix.len()),
        Some(PathMatch::Regex(_)) => (1, 0),
        None => (0, 0),
    }
}
