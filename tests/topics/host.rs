//! One host for routing, plugins and the endpoint, or a 400.

use bytes::Bytes;
use http::{Request, Version};
use weir_tests::{Origin, RawClient, Setup, h2, request};

/// Heads that name no usable host; the status is 400.
const REFUSED: &[(&str, &str)] = &[
    ("missing Host", "GET / HTTP/1.1\r\n\r\n"),
    ("missing Host in absolute form", "GET http://a/ HTTP/1.1\r\n\r\n"),
    ("several Host", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
    ("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    ("port 0", "GET / HTTP/1.1\r\nHost: a:0\r\n\r\n"),
    ("port 65536", "GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n"),
    ("a port that is no number", "GET / HTTP/1.1\r\nHost: a:8x\r\n\r\n"),
    ("port +80", "GET / HTTP/1.1\r\nHost: a:+80\r\n\r\n"),
    ("user information", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    ("user information in absolute form", "GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ("a list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    ("a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ("a percent", "GET / HTTP/1.1\r\nHost: a%20b\r\n\r\n"),
    ("not ASCII", "GET / HTTP/1.1\r\nHost: \u{fc}\r\n\r\n"),
    ("an open bracket", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    ("no IPv6 address", "GET / HTTP/1.1\r\nHost: [::g]\r\n\r\n"),
    ("an empty label", "GET / HTTP/1.1\r\nHost: a..b\r\n\r\n"),
    ("another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("asterisk of GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
];

/// Heads, and the `Host` that arrives.
const PASSED: &[(&str, &str, &str)] = &[
    ("as it is", "GET /x HTTP/1.1\r\nHost: Example.com:8080\r\n\r\n", "Example.com:8080"),
    ("absolute form wins", "GET http://one/x HTTP/1.1\r\nHost: two\r\n\r\n", "one"),
    ("absolute form with port", "GET http://one:81/x HTTP/1.1\r\nHost: two\r\n\r\n", "one:81"),
    ("IPv6", "GET /x HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", "[::1]:8080"),
    ("a final dot", "GET /x HTTP/1.1\r\nHost: example.com.\r\n\r\n", "example.com."),
    ("port 65535", "GET /x HTTP/1.1\r\nHost: a:65535\r\n\r\n", "a:65535"),
];

#[test]
fn a_request_without_one_legal_host_is_refused() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (name, head) in REFUSED {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(head.as_bytes());
        let answer = client.answer();
        assert_eq!(answer.status, 400, "{name}: {}", answer.text());
        assert!(client.is_closed(), "{name}");
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
}

#[test]
fn the_host_that_was_matched_is_the_one_that_arrives() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (name, head, host) in PASSED {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(head.as_bytes());
        assert_eq!(client.answer().status, 200, "{name}");
        let seen = origin.last();
        assert_eq!(seen.headers.get_all("host").iter().count(), 1, "{name}");
        assert_eq!(seen.headers["host"], *host, "{name}");
        assert_eq!(seen.target, "/x", "{name}");
        assert_eq!(seen.headers["x-forwarded-host"], *host, "{name}");
    }
}

#[test]
fn a_host_is_matched_in_any_case_without_port_and_final_dot() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).route("match = { host = \"example.com\" }").start();
    for (host, status) in [
        ("example.com", 200),
        ("EXAMPLE.com", 200),
        ("example.com:8080", 200),
        ("example.com.", 200),
        ("a.example.com", 404),
        ("example.com.evil", 404),
        ("xexample.com", 404),
    ] {
        let answer = request(proxy.address("web"), "GET", "/", &[("host", host)], b"");
        assert_eq!(answer.status, status, "{host}");
    }
}

#[test]
fn http_2_takes_the_authority_and_refuses_a_host_that_differs() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let ask = |host: Option<&str>| {
        let mut request = Request::builder().version(Version::HTTP_2).uri("http://one:8080/x");
        if let Some(host) = host {
            request = request.header("host", host);
        }
        h2(proxy.address("web"), request.body(Bytes::new()).expect("a request"))
    };
    assert_eq!(ask(None).status, 200);
    assert_eq!(origin.last().headers["host"], "one:8080");
    assert_eq!(ask(Some("ONE:8080")).status, 200);
    assert_eq!(ask(Some("two")).status, 400);
    assert_eq!(ask(Some("one")).status, 400);
    assert_eq!(origin.seen().len(), 2);
}

#[test]
fn http_1_0_needs_no_host_and_the_endpoint_gets_its_own() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET /x HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(origin.last().headers["host"], origin.address().to_string().as_str());
    let h2c = Origin::h2c(|_| http::Response::default());
    let proxy = Setup::to(&h2c).upstream("protocol = \"http2\"").start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET /x?y HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(h2c.last().target, format!("http://{}/x?y", h2c.address()));
}

#[test]
fn the_host_sent_is_the_configured_one() {
    let origin = Origin::echo();
    let own = origin.address().to_string();
    for (policy, expected) in
        [("client", "one"), ("endpoint", own.as_str()), ("fixed.example", "fixed.example")]
    {
        let proxy = Setup::to(&origin).upstream(&format!("host = {policy:?}")).start();
        request(proxy.address("web"), "GET", "/", &[("host", "one")], b"");
        assert_eq!(origin.last().headers["host"], expected, "{policy}");
        assert_eq!(origin.last().headers["x-forwarded-host"], "one", "{policy}");
    }
}

#[test]
fn connect_is_refused() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    assert_eq!(client.answer().status, 501);
    assert!(client.is_closed());
    assert!(origin.seen().is_empty());
}
