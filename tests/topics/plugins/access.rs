//! rate-limit, ip-filter, body-limit, cors: what may come in, and how much of it.

use std::sync::{Arc, Mutex};

use weir_tests::{Origin, RawClient, request, until};

use super::Setup;

#[test]
fn rate_limit() {
    // Slow enough that no token comes back within the test, however busy the machine.
    let setup = Setup::new(
        "rate-limit",
        r#"config = { rate = 3, per = "1h", key = "request.header.x-tenant" }"#,
    );
    for left in ["2", "1", "0"] {
        let answer = setup.get("/", &[("x-tenant", "a")]);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-limit"), Some("3"));
        assert_eq!(answer.header("ratelimit-remaining"), Some(left));
    }
    let answer = setup.get("/", &[("x-tenant", "a")]);
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let wait: u32 =
        answer.header("retry-after").and_then(|text| text.parse().ok()).expect("a number");
    assert!((1100..=1200).contains(&wait), "a third of an hour, not {wait} s");
    assert_eq!(setup.origin.seen().len(), 3);
    assert_eq!(setup.get("/", &[("x-tenant", "b")]).status, 200, "a bucket of its own");
    // A key is the whole field, whatever stands in its first line.
    let two = [("x-tenant", "c"), ("x-tenant", "a")];
    let one = [("x-tenant", "c, a")];
    for fields in [&two[..], &one, &two] {
        assert_eq!(setup.get("/", fields).status, 200, "{fields:?}");
    }
    assert_eq!(setup.get("/", &one).status, 429);
    assert_eq!(setup.get("/", &[("x-tenant", "c")]).status, 200);
}

#[test]
fn rate_limit_in_flight() {
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().expect("the gate");
    let of_origin = gate.clone();
    let origin = Origin::answering(move |_| {
        drop(of_origin.lock());
        http::Response::new(http_body_util::Full::new(bytes::Bytes::new()))
    });
    let setup =
        Setup::with_origin("rate-limit", "config = { in_flight = 1, status = 503 }", origin);
    let mut first = RawClient::connect(setup.proxy.address("web"));
    first.send(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
    until("the first request never arrives", || setup.origin.connections() > 0);
    let refused = setup.get("/", &[]);
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some());
    drop(closed);
    assert_eq!(first.answer().status, 200);
    assert_eq!(setup.get("/", &[]).status, 200, "the place was given back");
}

#[test]
fn ip_filter() {
    let refused = Setup::new("ip-filter", r#"config = { deny = ["127.0.0.0/8"] }"#);
    let answer = refused.get("/", &[("x-forwarded-for", "192.0.2.1")]);
    assert_eq!(answer.status, 403);
    assert!(!answer.text().contains("127.0.0.1"), "{}", answer.text());
    assert!(refused.origin.seen().is_empty(), "the upstream was asked");

    let allowed = Setup::new("ip-filter", r#"config = { allow = ["127.0.0.1", "::1"] }"#);
    assert_eq!(allowed.get("/", &[]).status, 200);
    let others = Setup::new("ip-filter", r#"config = { allow = ["192.0.2.0/24"] }"#);
    assert_eq!(others.get("/", &[("x-forwarded-for", "192.0.2.1")]).status, 403);
}

#[test]
fn body_limit() {
    let setup = Setup::new("body-limit", r#"config = { limit = "1KiB" }"#);
    let address = setup.proxy.address("web");
    assert_eq!(request(address, "POST", "/", &[], &[b'a'; 1024]).status, 200);
    assert_eq!(setup.origin.last().body.len(), 1024);
    let refused = request(address, "POST", "/", &[], &[b'a'; 1025]);
    assert_eq!(refused.status, 413);

    // Without a length it is counted on its way.
    let mut client = RawClient::connect(address);
    client.send(b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send(format!("200\r\n{}\r\n200\r\n{0}\r\n0\r\n\r\n", "a".repeat(0x200)).as_bytes());
    assert_eq!(client.answer().status, 200);
    assert_eq!(setup.origin.last().body.len(), 1024);
    let mut client = RawClient::connect(address);
    client.send(b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n");
    client.send(format!("200\r\n{}\r\n201\r\n{0}a\r\n0\r\n\r\n", "a".repeat(0x200)).as_bytes());
    assert_eq!(client.answer().status, 413);
    assert_eq!(setup.origin.seen().len(), 2, "the upstream took a body cut off for a whole one");
}

#[test]
fn cors() {
    let setup = Setup::new(
        "cors",
        r#"config = { allow_origins = ["https://app.test", "https://*.preview.test"], allow_methods = ["GET", "PUT"], allow_headers = ["x-token"], allow_credentials = true, max_age = "1h" }"#,
    );
    let preflight = |origin: &str| {
        let fields = [
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "x-token"),
        ];
        setup.ask("OPTIONS", "/", &fields)
    };
    let answer = preflight("https://app.test");
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.test"));
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("access-control-max-age"), Some("3600"));
    assert!(answer.header("access-control-allow-methods").is_some_and(|all| all.contains("PUT")));
    assert!(
        answer.header("access-control-allow-headers").is_some_and(|all| all.contains("x-token"))
    );
    let foreign = preflight("https://evil.test");
    assert_eq!(foreign.status, 403);
    assert!(foreign.header("access-control-allow-origin").is_none());
    assert!(setup.origin.seen().is_empty(), "a preflight is answered here");

    let answer = setup.get("/", &[("origin", "https://a.preview.test")]);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://a.preview.test"));
    assert!(answer.header("vary").is_some_and(|vary| vary.eq_ignore_ascii_case("origin")));
    let answer = setup.get("/", &[("origin", "https://evil.test")]);
    assert_eq!(answer.status, 200);
    assert!(answer.header("access-control-allow-origin").is_none());
    assert!(answer.header("vary").is_some(), "also where nothing is granted");
}
