//! Texts that stand for something.

use std::time::Duration;

use crate::config::address::{bind, origin};
use crate::config::matcher::{anchored, exact_path, host, path, prefix_path};
use crate::config::scalar::{duration, show_duration, show_size, size};
use crate::config::{Bind, HostMatch, PathMatch};

#[test]
fn durations() {
    for (text, millis) in
        [("250ms", 250), ("10s", 10_000), ("1m30s", 90_000), ("1.5s", 1500), ("1d", 86_400_000)]
    {
        assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
    }
    for text in ["", "10", "s", "10 s", "1s1m", "1s1s", "-1s", "1e3s", "1..5s", "10S", "٣s"] {
        assert!(duration(text).is_err(), "{text:?}");
    }
    assert_eq!(show_duration(Duration::from_millis(90_250)), "1m30s250ms");
}

#[test]
fn sizes() {
    for (text, bytes) in
        [("64KiB", 65_536), ("10MB", 10_000_000), ("1.5kib", 1536), ("512", 512), ("0B", 0)]
    {
        assert_eq!(size(text), Ok(bytes), "{text}");
    }
    for text in ["", "KiB", "-1", "1.5B", "1PiB", "99999999999GiB", "1_000"] {
        assert!(size(text).is_err(), "{text:?}");
    }
    assert_eq!(show_size(16 << 20), "16MiB");
}

#[test]
fn binds() {
    for (text, address) in
        [("127.0.0.1:80", "127.0.0.1:80"), ("[::]:80", "[::]:80"), ("localhost:0", "127.0.0.1:0")]
    {
        assert_eq!(bind(text), Ok(Bind::Tcp(address.parse().unwrap())), "{text}");
    }
    assert_eq!(bind("unix:/run/x"), Ok(Bind::Unix("/run/x".into())));
    for text in ["::1", "*:80", "host:80", "127.0.0.1:http", "", "unix:"] {
        assert!(bind(text).is_err(), "{text:?}");
    }
    assert!(bind(&format!("unix:/{}", "x".repeat(107))).is_err());
}

#[test]
fn origins() {
    let origin_of = |text: &str| origin(text).map(|o| (o.tls, o.host, o.port)).ok();
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
        Ok(PathMatch::Regex(regex)) => format!("regex {regex}"),
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
    let alternatives = anchored("a|b").unwrap();
    assert!(alternatives.is_match("a") && !alternatives.is_match("ab"));
    let commented = anchored("(?x) a # not the end").unwrap();
    assert!(commented.is_match("a") && !commented.is_match("aa"));
    assert!(anchored("a)(b").is_err());
}
