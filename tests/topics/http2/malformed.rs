//! Malformed requests (RFC 9113, 8.1.1): each ends its stream, and no part of it arrives.
//!
//! In: heads, bodies and trailers by frames. Out: resets and refusals, and an origin that saw nothing.
//! Never: what takes time or room; [`super`] has that.

use weir_tests::frames::{END_STREAM, Frames, kind};
use weir_tests::{Origin, Setup, get};

use super::{GET, POST};

/// Fields behind [`GET`] that make the request malformed (RFC 9113, 8.1.1 and 8.2).
const MALFORMED: &[(&str, &[(&str, &str)])] = &[
    ("connection", &[("connection", "x-one")]),
    ("keep-alive", &[("keep-alive", "timeout=5")]),
    ("proxy-connection", &[("proxy-connection", "close")]),
    ("transfer-encoding", &[("transfer-encoding", "chunked")]),
    ("upgrade", &[("upgrade", "websocket")]),
    ("te without trailers", &[("te", "gzip")]),
    ("a name in upper case", &[("X-One", "1")]),
    ("a name with a space", &[("x one", "1")]),
    ("an empty name", &[("", "1")]),
    ("CR LF in a value", &[("x-one", "1\r\nx-two: 2")]),
    ("NUL in a value", &[("x-one", "1\0")]),
    ("a pseudo-field behind a field", &[("x-one", "1"), (":path", "/y")]),
    ("a pseudo-field twice", &[(":path", "/y")]),
    ("an unknown pseudo-field", &[(":evil", "1")]),
    ("a response's pseudo-field", &[(":status", "200")]),
    ("END_STREAM with CL > 0", &[("content-length", "3")]),
];

#[test]
fn a_malformed_request_is_reset_or_refused_and_others_go_on() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (name, fields) in MALFORMED {
        let mut client = Frames::connect(proxy.address("web"));
        client.head(1, true, &[GET, fields].concat());
        let status = client.status(1);
        assert!(matches!(status, 0 | 400), "{name}: {status}");
    }
    for (name, fields) in [
        ("no path", vec![(":method", "GET"), (":scheme", "http"), (":authority", "a")]),
        ("no method", vec![(":scheme", "http"), (":authority", "a"), (":path", "/")]),
        ("no authority", vec![(":method", "GET"), (":scheme", "http"), (":path", "/")]),
        (
            "an empty path",
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "")],
        ),
        (
            "a path that is none",
            vec![(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "x")],
        ),
    ] {
        let mut client = Frames::connect(proxy.address("web"));
        client.head(1, true, &fields);
        let status = client.status(1);
        assert!(matches!(status, 0 | 400), "{name}: {status}");
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
    assert_eq!(get(proxy.address("web"), "/").status, 200);
}

#[test]
fn a_body_that_is_not_as_long_as_it_says_is_reset() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (length, data) in [("3", "abcd"), ("5", "abc")] {
        let mut client = Frames::connect(proxy.address("web"));
        client.head(1, false, &[POST, &[("content-length", length)]].concat());
        client.send(kind::DATA, END_STREAM, 1, data.as_bytes());
        let status = client.status(1);
        assert!(matches!(status, 0 | 400 | 502), "{length}: {status}");
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
}

#[test]
fn pseudo_fields_in_trailers_never_arrive() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, false, POST);
    client.send(kind::DATA, 0, 1, b"body");
    client.head(1, true, &[(":path", "/evil")]);
    client.status(1);
    for seen in origin.seen() {
        assert_eq!(seen.target, "/x");
        let trailers = seen.trailers.unwrap_or_default();
        assert!(trailers.is_empty(), "{trailers:?}");
    }
}

#[test]
fn values_with_outer_white_space_are_malformed() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for value in [" a", "a ", "\ta", "a\t", " "] {
        let mut client = Frames::connect(proxy.address("web"));
        client.head(1, true, &[GET, &[("x-a", value)]].concat());
        assert_eq!(client.status(1), 400, "{value:?}");
    }
    assert!(origin.seen().is_empty());
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, true, &[GET, &[("x-a", "a b"), ("x-b", "")]].concat());
    assert_eq!(client.status(1), 200);
}
