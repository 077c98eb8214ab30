//! What a route wants besides host and path: methods, headers, query parameters.
//!
//! In: a route's match; then a request. Out: whether it holds. Never: allocates, but for a query
//! value that is percent-encoded, and a field of several lines.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use super::Request;
use crate::config::{Match, Steps, TooLong, ValueMatch};
use crate::http::query;

/// The conditions of one route.
#[derive(Debug)]
pub(super) struct Rule {
    /// Index of the route in the configuration.
    pub(super) route: usize,
    /// Most routes have none.
    conditions: Option<Box<Conditions>>,
}

#[derive(Debug)]
struct Conditions {
    /// One of them; empty: any.
    methods: Vec<Method>,
    /// All of them. The lines of a field are one value (RFC 9110, 5.3), for an endpoint reads them
    /// so: nobody gets past a match, or into it, by a line more.
    headers: Vec<(HeaderName, ValueMatch)>,
    /// All of them, decoded; of a repeated parameter the first counts (as the Gateway API says).
    query: Vec<(String, ValueMatch)>,
}

impl Rule {
    pub(super) fn new(route: usize, matches: &Match) -> Self {
        let Match { host: _, path: _, methods, headers, query } = matches;
        let bare = methods.is_empty() && headers.is_empty() && query.is_empty();
        let conditions = (!bare).then(|| {
            Box::new(Conditions {
                methods: methods.clone(),
                headers: headers.clone(),
                query: query.clone(),
            })
        });
        Rule { route, conditions }
    }

    pub(super) fn holds(&self, request: &Request<'_>) -> bool {
        match &self.conditions {
            None => true,
            Some(conditions) => conditions.hold(request),
        }
    }
}

impl Conditions {
    fn hold(&self, request: &Request<'_>) -> bool {
        let Request { query, parts, steps, .. } = *request;
        (self.methods.is_empty() || self.methods.contains(&parts.method))
            && self.headers.iter().all(|(name, value)| {
                combined(&parts.headers, name, steps)
                    .is_some_and(|field| matches(value, &field, steps, TooLong::Field))
            })
            && self.query.iter().all(|(name, value)| {
                let query = query.unwrap_or_default();
                steps.take(query.len(), TooLong::Target)
                    && query::first(query, name)
                        .is_some_and(|first| matches(value, &first, steps, TooLong::Target))
            })
    }
}

/// A field's value, its lines joined by commas.
fn combined<'a>(headers: &'a HeaderMap, name: &HeaderName, steps: &Steps) -> Option<Cow<'a, [u8]>> {
    let mut lines = headers.get_all(name).iter().map(HeaderValue::as_bytes);
    let first = lines.next()?;
    let mut value = Cow::Borrowed(first);
    for line in lines {
        if !steps.take(line.len() + 2, TooLong::Field) {
            return None;
        }
        let value = value.to_mut();
        value.extend_from_slice(b", ");
        value.extend_from_slice(line);
    }
    Some(value)
}

fn matches(wanted: &ValueMatch, value: &[u8], steps: &Steps, too_long: TooLong) -> bool {
    match wanted {
        ValueMatch::Exact(exact) => exact.as_bytes() == value,
        ValueMatch::Regex(regex) => regex.takes(value, steps, too_long),
        ValueMatch::Present => true,
    }
}
