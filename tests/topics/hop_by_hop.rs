//! Hop-by-hop fields stay on their hop, in both directions; others cannot be taken away by them.

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use weir_tests::{Origin, RawClient, Setup, request};

/// A name, the fields sent, and what must be gone and must stay.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
    &'static [&'static str],
);

/// A request's fields; the names that must not arrive; those that must.
const REQUESTS: &[Case] = &[
    (
        "tokens of Connection",
        &[("connection", "x-one, X-Two"), ("x-one", "1"), ("x-two", "2"), ("x-three", "3")],
        &["connection", "x-one", "x-two"],
        &["x-three"],
    ),
    (
        "the fields that are hop-by-hop by themselves",
        &[
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eDp5"),
            ("te", "gzip"),
            ("upgrade", "x"),
        ],
        &["keep-alive", "proxy-connection", "proxy-authorization", "te", "upgrade"],
        &[],
    ),
    ("Proxy (httpoxy)", &[("Proxy", "http://evil")], &["proxy"], &[]),
    (
        "names with _ or .",
        &[("x_forwarded_for", "1"), ("x.y", "1"), ("_", "1"), ("x-y", "1")],
        &["x_forwarded_for", "x.y", "_"],
        &["x-y"],
    ),
    (
        "CVE-2024-45410: X-Forwarded-* cannot be removed",
        &[(
            "connection",
            "close, x-forwarded-for, x-forwarded-host, x-forwarded-proto, forwarded, via, host",
        )],
        &["connection"],
        &["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "host"],
    ),
    (
        "credentials and lengths cannot be removed",
        &[
            ("connection", "authorization, cookie, content-length, content-type"),
            ("authorization", "Bearer x"),
            ("cookie", "a=b"),
            ("content-type", "text/plain"),
            ("content-length", "0"),
        ],
        &["connection"],
        &["authorization", "cookie", "content-type", "content-length"],
    ),
    (
        "tokens that are no names",
        &[("connection", ", ,, (, x y, x-one"), ("x-one", "1"), ("x-two", "1")],
        &["x-one"],
        &["x-two"],
    ),
];

#[test]
fn a_request_leaves_its_hop_behind() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (name, fields, gone, there) in REQUESTS {
        let answer = request(proxy.address("web"), "POST", "/", fields, b"");
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let seen = origin.last().headers;
        for field in *gone {
            assert!(!seen.contains_key(*field), "{name}: {field} arrived: {seen:?}");
        }
        for field in *there {
            assert!(seen.contains_key(*field), "{name}: {field} is missing: {seen:?}");
        }
    }
}

#[test]
fn te_arrives_as_trailers_and_nothing_else() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (te, expected) in [
        ("trailers", Some("trailers")),
        ("TRAILERS", Some("trailers")),
        ("gzip, Trailers;q=0.5", Some("trailers")),
        ("gzip", None),
        ("xtrailers", None),
    ] {
        request(proxy.address("web"), "GET", "/", &[("te", te), ("connection", "te")], b"");
        let seen = origin.last();
        let arrived = seen.headers.get("te").and_then(|value| value.to_str().ok());
        assert_eq!(arrived, expected, "{te}");
    }
}

#[test]
fn a_value_that_is_not_utf_8_passes_and_harms_nothing() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: \xff\xfe, x-one\r\nX-One: 1\r\n");
    client.send(
        b"X-Two: \xff\xfe\r\nCookie: a=\xff\r\nAccept: \xff\r\nX-Forwarded-For: \xff\r\n\r\n",
    );
    assert_eq!(client.answer().status, 200);
    let seen = origin.last().headers;
    assert_eq!(seen["x-two"].as_bytes(), b"\xff\xfe");
    assert_eq!(seen["x-forwarded-for"], "127.0.0.1");
    assert!(!seen.contains_key("x-one"), "{seen:?}");
}

#[test]
fn a_response_leaves_its_hop_behind() {
    let origin = Origin::answering(|_| {
        Response::builder()
            .header("connection", "x-one, keep-alive, set-cookie")
            .header("keep-alive", "timeout=5")
            .header("proxy-authenticate", "Basic")
            .header("proxy-connection", "close")
            .header("upgrade", "h2c")
            .header("x-one", "1")
            .header("x-two", "2")
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .body(Full::new(Bytes::from_static(b"body")))
            .expect("a response")
    });
    let proxy = Setup::to(&origin).start();
    let answer = request(proxy.address("web"), "GET", "/", &[], b"");
    assert_eq!(answer.text(), "body");
    for gone in
        ["connection", "keep-alive", "proxy-authenticate", "proxy-connection", "upgrade", "x-one"]
    {
        assert!(answer.header(gone).is_none(), "{gone}: {answer:?}");
    }
    assert_eq!(answer.header("x-two"), Some("2"));
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.header("via"), Some("1.1 weir"));
}

/// Stripped before plugins: one that copies a field finds none. And after: what a plugin sets
/// does not frame messages.
#[test]
fn plugins_see_no_hop_by_hop_field() {
    let origin = Origin::echo();
    let config = "{ request = { set = { x-copy = \"<{request.header.x-one}>\" } } }";
    let proxy = Setup::to(&origin).plugin("headers", config).start();
    let fields = [("connection", "x-one"), ("x-one", "1")];
    request(proxy.address("web"), "GET", "/", &fields, b"");
    assert_eq!(origin.last().headers["x-copy"], "<>");
}
