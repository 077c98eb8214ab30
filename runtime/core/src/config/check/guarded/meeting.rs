//! Whether requests can match two routes, whatever their path.
//!
//! In: routes. Out: whether some request matches both, or one of them takes all that others do.
//! Never: looks at paths.

use crate::config::model::{HostMatch, Match, Route, ValueMatch};

/// Whether one request can match both, but for its path.
pub(super) fn meet(one: &Match, other: &Match) -> bool {
    let methods = one.methods.is_empty()
        || other.methods.is_empty()
        || one.methods.iter().any(|method| other.methods.contains(method));
    methods
        && hosts_meet(one.host.as_ref(), other.host.as_ref())
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
fn hosts_meet(one: Option<&HostMatch>, other: Option<&HostMatch>) -> bool {
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

/// Whether a route surely takes whatever matches two others, but for its path: all that it asks for
/// one of them does as well.
pub(super) fn takes_all_of(route: &Route, one: &Route, other: &Route) -> bool {
    let own = &route.matches;
    let both = [&one.matches, &other.matches];
    let methods = own.methods.is_empty()
        || both.iter().any(|them| {
            !them.methods.is_empty() && them.methods.iter().all(|it| own.methods.contains(it))
        });
    let host = own.host.as_ref().is_none_or(|host| {
        both.iter().any(|them| them.host.as_ref().is_some_and(|narrow| is_wider(host, narrow)))
    });
    let headers = own.headers.iter().all(|asked| both.iter().any(|it| asks(&it.headers, asked)));
    let query = own.query.iter().all(|asked| both.iter().any(|it| asks(&it.query, asked)));
    let listeners = route.listeners.as_ref().is_none_or(|own| {
        [one, other].iter().any(|them| {
            let theirs = them.listeners.as_ref();
            theirs.is_some_and(|theirs| theirs.iter().all(|it| own.contains(it)))
        })
    });
    methods && host && headers && query && listeners
}

fn is_wider(host: &HostMatch, narrow: &HostMatch) -> bool {
    match (host, narrow) {
        (HostMatch::Suffix(suffix), HostMatch::Exact(one) | HostMatch::Suffix(one)) => {
            one.ends_with(suffix.as_str())
        }
        (HostMatch::Exact(one), HostMatch::Exact(other)) => one == other,
        (HostMatch::Exact(_), HostMatch::Suffix(_)) => false,
    }
}

/// Whether what is asked for of one name is asked for here.
fn asks<N: PartialEq>(here: &[(N, ValueMatch)], asked: &(N, ValueMatch)) -> bool {
    here.iter().filter(|(name, _)| *name == asked.0).any(|(_, value)| match (&asked.1, value) {
        (ValueMatch::Present, _) => true,
        (ValueMatch::Exact(one), ValueMatch::Exact(other)) => one == other,
        (ValueMatch::Regex(one), ValueMatch::Regex(other)) => one.as_str() == other.as_str(),
        (ValueMatch::Regex(regex), ValueMatch::Exact(text)) => regex.is_match(text),
        _ => false,
    })
}
