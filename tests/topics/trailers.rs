//! What may come behind a body: nothing that the chain set or checked in the head, nothing that was
//! for the last hop, and nothing that RFC 9110, 6.5.1 keeps to heads.

use http::HeaderMap;
use tokio::io::AsyncWriteExt;
use weir_tests::endpoint::{Endpoint, framed, max_streams, ok};
use weir_tests::frames::{END_HEADERS, END_STREAM, Frames, block, kind};
use weir_tests::{Origin, Proxy, RawClient, Setup, read_head};

const POST: &[(&str, &str)] =
    &[(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/x")];

/// Names that [`chained`] sets or checks, of classes that belong into a head, and two that pass.
const TRAILERS: &[(&str, &str)] = &[
    ("x-sum", "1"),
    ("x-request-id", "9"),
    ("x-key", "9"),
    ("x_key", "9"),
    ("x-tenant", "9"),
    ("x-other-tenant", "9"),
    ("team", "9"),
    ("location", "/9"),
    ("age", "9"),
    ("expires", "9"),
    ("vary", "9"),
    ("server", "9"),
    ("retry-after", "9"),
    ("if-none-match", "9"),
    ("range", "9"),
    ("strict-transport-security", "9"),
    ("access-control-allow-origin", "9"),
    ("x-frame-options", "9"),
    ("grpc-status", "0"),
];

fn chained(origin: &Origin, protocol: &str) -> Proxy {
    let toml = Setup::to(origin)
        .plugin("request-id", "{}")
        .plugin("key-auth", "{ keys = [\"k\"], header = \"x-key\" }")
        .plugin("headers", "{ request = { set = { team = \"a\" } } }")
        .plugin("cors", "{ allow_origins = [\"*\"], expose_headers = [\"x-sum\"] }")
        .route("match = { headers = { x-tenant = \"1\" } }")
        .upstream(&format!("protocol = {protocol:?}"))
        .toml();
    let other = "[routes.other]\nmatch = { headers = { x-other-tenant = \"1\" } }\n\
                 upstream = \"origin\"\n";
    Proxy::start(&format!("{toml}\n{other}"))
}

fn names(trailers: &HeaderMap) -> Vec<&str> {
    let mut names: Vec<&str> = trailers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    names
}

#[test]
fn a_clients_trailers_carry_nothing_that_the_chain_sets_or_checks() {
    let h1 = Origin::echo();
    let h2c = Origin::h2c(|_| http::Response::default());
    for (origin, protocol) in [(&h1, "http1"), (&h2c, "http2")] {
        let proxy = chained(origin, protocol);
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(
            b"POST /x HTTP/1.1\r\nHost: a\r\nX-Key: k\r\nX-Tenant: 1\r\nTransfer-Encoding: chunked\r\n\
              Connection: x-hop, close\r\nTrailer: X-Sum, X-Key, team, x-hop, Age,, grpc-status\r\n\
              \r\n4\r\nbody\r\n0\r\nx-hop: 1\r\n",
        );
        for (name, value) in TRAILERS {
            client.send(format!("{name}: {value}\r\n").as_bytes());
        }
        client.send(b"\r\n");
        assert_eq!(client.answer().status, 200, "{protocol}");
        let seen = origin.last();
        assert_eq!(names(&seen.trailers.expect("trailers")), ["grpc-status", "x-sum"]);
        assert_eq!(seen.headers["trailer"], "X-Sum, grpc-status", "{protocol}");

        let mut client = Frames::connect(proxy.address("web"));
        client.head(1, false, &[POST, &[("x-key", "k"), ("x-tenant", "1")]].concat());
        client.send(kind::DATA, 0, 1, b"body");
        client.head(1, true, TRAILERS);
        assert_eq!(client.status(1), 200, "{protocol}");
        let seen = origin.last();
        assert_eq!(names(&seen.trailers.expect("trailers")), ["grpc-status", "x-sum"]);
    }
}

/// The client's view of what [`chained`] passes on of an endpoint's trailers.
fn assert_filtered(proxy: &Proxy, name: &str) {
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(
        b"GET /x HTTP/1.1\r\nHost: a\r\nX-Key: k\r\nX-Tenant: 1\r\nTE: trailers\r\n\
          Connection: te, close\r\n\r\n",
    );
    let text = String::from_utf8(client.rest()).expect("text").to_ascii_lowercase();
    let (head, body) = text.split_once("\r\n\r\n").expect("a body");
    assert!(head.contains("\r\ntrailer: x-sum, grpc-status\r\n"), "{name}: {head}");
    let mut trailers: Vec<&str> =
        body.strip_prefix("4\r\npart\r\n0\r\n").expect("the body").lines().collect();
    trailers.sort_unstable();
    assert_eq!(trailers, ["", "grpc-status: 0", "x-sum: 1"], "{name}");
}

#[test]
fn an_endpoints_trailers_carry_nothing_that_the_chain_sets_or_checks() {
    let announced = "x-sum, Set-Cookie, x-request-id, vary, grpc-status";
    let endpoint = Endpoint::new(max_streams(100), move |_, stream| {
        let flags = END_HEADERS | END_STREAM;
        let trailers = framed(kind::HEADERS, flags, stream, &block(TRAILERS));
        let head = ok(stream, false, &[("trailer", announced)]);
        [head, framed(kind::DATA, 0, stream, b"part"), trailers].concat()
    });
    assert_filtered(&chained(&endpoint.origin, "http2"), "h2");

    let origin = Origin::raw(move |mut stream| async move {
        read_head(&mut stream).await;
        let mut response = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: x-hop\r\n\
             Trailer: {announced}, x-hop\r\n\r\n4\r\npart\r\n0\r\nx-hop: 1\r\n"
        );
        for (name, value) in TRAILERS {
            response += &format!("{name}: {value}\r\n");
        }
        response += "\r\n";
        let _ = stream.write_all(response.as_bytes()).await;
    });
    assert_filtered(&chained(&origin, "http1"), "h1");
}

/// As in a head (RFC 9113, 8.2.1).
#[test]
fn padded_values_in_trailers_are_malformed() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for value in ["b ", " b", "b\t"] {
        let mut client = Frames::connect(proxy.address("web"));
        client.head(1, false, POST);
        client.send(kind::DATA, 0, 1, b"body");
        client.head(1, true, &[("x-sum", value)]);
        assert!(matches!(client.status(1), 0 | 400), "{value:?}");
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());

    let endpoint = Endpoint::new(max_streams(100), |_, stream| {
        let flags = END_HEADERS | END_STREAM;
        let trailers = framed(kind::HEADERS, flags, stream, &block(&[("x-sum", "b ")]));
        [ok(stream, false, &[]), framed(kind::DATA, 0, stream, b"part"), trailers].concat()
    });
    let proxy = Setup::to(&endpoint.origin).upstream("protocol = \"http2\"").start();
    let mut client = Frames::connect(proxy.address("web"));
    let mut get = POST.to_vec();
    get[0] = (":method", "GET");
    client.head(1, true, &get);
    assert_eq!(client.status(1), 200);
    assert_eq!(client.find(kind::DATA, 1).expect("data").payload, b"part");
    let end = client.next_frame().expect("the end");
    assert_eq!((end.kind, end.stream), (kind::RST_STREAM, 1));
}
