//! What a request is matched with: hosts, paths, methods.
//!
//! In: a text without its place. Out: the matcher, in the form that requests are compared in, or a
//! [`Fault`] with a hint. Never: matches anything.

use std::net::Ipv6Addr;

use super::address::is_host_name;
use super::model::{HostMatch, PathMatch};
use super::pattern::Pattern;
use super::problem::Fault;
use crate::http::path::normalize;

/// `match.host`
pub(crate) fn host(text: &str) -> Result<HostMatch, Fault> {
    let lower = text.to_ascii_lowercase();
    if let Some(domain) = lower.strip_prefix("*.")
        && is_host_name(domain)
    {
        return Ok(HostMatch::Suffix(format!(".{domain}")));
    }
    let bracketed = lower.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if is_host_name(&lower) || bracketed.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()) {
        return Ok(HostMatch::Exact(lower));
    }
    let hint = if lower == "*" || lower.is_empty() {
        "leave host out to match any".to_owned()
    } else if lower.contains("://") {
        "write the name alone, without scheme and path".to_owned()
    } else if !lower.is_ascii() {
        "write an international name in its ASCII form: \"xn--…\"".to_owned()
    } else if lower.parse::<Ipv6Addr>().is_ok() {
        format!("write an IPv6 address in brackets: \"[{lower}]\"")
    } else if lower.contains('*') {
        "a star stands for the first labels only: \"*.example.com\"".to_owned()
    } else if lower.contains(':') {
        "leave the port out: it is the listener that decides it".to_owned()
    } else {
        "write \"api.example.com\" or \"*.example.com\"".to_owned()
    };
    Err(Fault::hint(format!("{text:?} is not a host name"), hint))
}

/// `match.path` as a string: exact, or all below if it ends in `/*`.
pub(crate) fn path(text: &str) -> Result<PathMatch, Fault> {
    match text.strip_suffix('*') {
        Some(below) if below.ends_with('/') => Ok(PathMatch::Below(plain_path(below)?)),
        _ => exact_path(text),
    }
}

/// `match.path.exact`
pub(crate) fn exact_path(text: &str) -> Result<PathMatch, Fault> {
    Ok(PathMatch::Exact(plain_path(text)?))
}

/// `match.path.prefix`
pub(crate) fn prefix_path(text: &str) -> Result<PathMatch, Fault> {
    Ok(PathMatch::Prefix(plain_path(text)?.trim_end_matches('/').to_owned()))
}

/// `match.path.regex`
pub(crate) fn regex_path(text: &str) -> Result<PathMatch, Fault> {
    Pattern::of_path(text).map(PathMatch::Regex)
}

/// A path in the normal form that requests are matched in.
fn plain_path(text: &str) -> Result<String, Fault> {
    let fault = |why: &str, hint: &str| Err(Fault::hint(format!("path {text:?} {why}"), hint));
    if !text.starts_with('/') {
        return fault("does not start with \"/\"", "write \"/api\" or \"/api/*\"");
    }
    if text.contains('*') {
        let hint =
            "a star stands only at the end, after a slash: \"/api/*\"; else { regex = \"…\" }";
        return fault("has a star inside", hint);
    }
    if text.contains(['?', '#']) {
        let hint = "match the query with query = { name = \"value\" }";
        return fault("has a query or fragment", hint);
    }
    if text.split('/').any(|segment| matches!(segment, "." | "..")) {
        let hint = "dots are resolved before routing: write the path that is left";
        return fault("has a \".\" or \"..\" segment", hint);
    }
    match normalize(text) {
        Ok(normal) => Ok(normal.into_owned()),
        Err(bad) => fault("is one that no request can have", bad.as_str()),
    }
}

/// `match.methods`
pub(crate) fn method(text: &str) -> Result<http::Method, Fault> {
    const STANDARD: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    let upper = text.to_ascii_uppercase();
    if upper != text && STANDARD.contains(&upper.as_str()) {
        return Err(Fault::hint(
            format!("{text:?} is not a method: their case matters"),
            format!("write {upper:?}"),
        ));
    }
    http::Method::from_bytes(text.as_bytes())
        .map_err(|_| Fault::hint(format!("{text:?} is not a method"), "write \"GET\", \"POST\" …"))
}
