//! Texts that stand for something.

use std::time::Duration;

use crate::config::address::{bind, origin};
use crate::config::matcher::{exact_path, host, path, prefix_path};
use crate::config::scalar::{duration, size};
use crate::config::{Bind, HostMatch, PathMatch, Pattern};

/// The lists that a plugin's own durations and sizes are held to as well.
fn shared(list: &str) -> Vec<(&str, Option<u64>)> {
    list.lines()
        .filter_map(|line| line.strip_prefix('|')?.rsplit_once("| "))
        .map(|(text, value)| (text, value.replace('_', "").parse().ok()))
        .collect()
}

#[test]
fn durations() {
    let list = shared(include_str!("../../../../../sdk/units/cases/durations.txt"));
    assert!(list.len() > 60);
    for (text, nanoseconds) in list {
        assert_eq!(duration(text).ok(), nanoseconds.map(Duration::from_nanos), "{text:?}");
    }
    for (text, says) in [("10", "is not a duration"), ("0.1us1", "is not"), ("999999999h", "584")] {
        let fault = duration(text).unwrap_err();
        assert!(fault.message.contains(says), "{}", fault.message);
    }
}

#[test]
fn sizes() {
    let list = shared(include_str!("../../../../../sdk/units/cases/sizes.txt"));
    assert!(list.len() > 60);
    for (text, bytes) in list {
        assert_eq!(size(text).ok(), bytes, "{text:?}");
    }
    for (text, says) in [("10K", "is not a size"), ("0.5B", "whole"), ("99999999999GiB", "64 bits")]
    {
        let fault = size(text).unwrap_err();
        assert!(fault.message.contains(says), "{}", fault.message);
    }
}

#[test]
fn binds() {
    for (text, address) in
        [("127.0.0.1:80", "127.0.0.1:80"), ("[::]:80", "[::]:80"), ("localhost:0", "127.0.0.1:0")]
    {
        assert_eq!(bind(text), Ok(Bind::Tcp(address.parse().unwrap())), "{text}");
    }
    assert_eq!(bind("unix:/run/x"), Ok(Bind::Unix("/run/x".into())));
    assert!(
        matches!(bind("[fe80::1%2]:80"), Ok(Bind::Tcp(std::net::SocketAddr::V6(v6))) if v6.scope_id() == 2)
    );
    assert!(bind("[fe80::1]:80").unwrap_err().hint.unwrap().contains("[fe80::1%2]:80"));
    for text in ["::1", "*:80", "host:80", "127.0.0.1:http", "", "unix:"] {
        assert!(bind(text).is_err(), "{text:?}");
    }
    assert!(bind(&format!("unix:/{}", "x".repeat(107))).is_err());
}

#[test]
fn origins() {
    let origin_of = |text: &str| origin(text).map(|o| (o.tls, o.host.to_string(), o.port)).ok();
    let is = |tls, host: &str, port| Some((tls, host.to_owned(), port));
    assert_eq!(origin_of("http://App.internal"), is(false, "app.internal", 80));
    assert_eq!(origin_of("https://app:8443/"), is(true, "app", 8443));
    assert_eq!(origin_of("https://[::1]"), is(true, "::1", 443));
    assert_eq!(origin_of("http://[::1]:9"), is(false, "::1", 9));
    for text in ["http:///x", "http://a:", "http://[::1", "http://::1:80", "http://a?x", "//a"] {
        assert_eq!(origin_of(text), None, "{text:?}");
    }
}

#[test]
fn hosts() {
    assert_eq!(host("API.Example.com"), Ok(HostMatch::Exact("api.example.com".into())));
    assert_eq!(host("*.example.com"), Ok(HostMatch::Suffix(".example.com".into())));
    assert_eq!(host("[::1]"), Ok(HostMatch::Exact("[::1]".into())));
    for text in ["", "*", "*.", "**.a", "a*.b", "a..b", ".a", "-a.b", "a/b", "[x]"] {
        assert!(host(text).is_err(), "{text:?}");
    }
}

#[test]
fn paths_are_kept_in_the_form_that_requests_are_matched_in() {
    let shown = |result: Result<PathMatch, _>| match result {
        Ok(PathMatch::Exact(path)) => format!("exact {path}"),
        Ok(PathMatch::Below(path)) => format!("below {path}"),
        Ok(PathMatch::Prefix(path)) => format!("prefix {path}"),
        Ok(PathMatch::Regex(regex)) => format!("regex {regex:?}"),
        Err(_) => "refused".to_owned(),
    };
    assert_eq!(shown(path("/api")), "exact /api");
    assert_eq!(shown(path("/api/*")), "below /api/");
    assert_eq!(shown(path("/*")), "below /");
    assert_eq!(shown(path("/%41/é")), "exact /A/%C3%A9");
    assert_eq!(shown(exact_path("/api/*")), "refused");
    assert_eq!(shown(prefix_path("/api/")), "prefix /api");
    assert_eq!(shown(prefix_path("/")), "prefix ");
    assert_eq!(shown(path("*")), "refused");
}

#[test]
fn patterns_match_all_or_nothing() {
    let alternatives = Pattern::of_value("a|b").unwrap();
    assert!(alternatives.is_match("a") && !alternatives.is_match("ab"));
    let commented = Pattern::of_value("(?x) a # not the end").unwrap();
    assert!(commented.is_match("a") && !commented.is_match("aa"));
    assert!(Pattern::of_value("a)(b").is_err());
}
