//! HTTP/2 on both sides: the same request and answer as on HTTP/1.1, and no way to hurt others.

mod malformed;

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_tests::frames::{ACK, END_HEADERS, END_STREAM, Frames, block, kind};
use weir_tests::{Gate, Origin, RawClient, Setup, get, h2, read_head, request};

const GET: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/x")];
const POST: &[(&str, &str)] =
    &[(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/x")];

const LATE: &[(&str, &str)] =
    &[(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/late")];

#[test]
fn cookie_crumbs_are_joined() {
    let h1 = Origin::echo();
    let h2c = Origin::h2c(|_| Response::default());
    for (name, origin, protocol) in [("h1", &h1, "http1"), ("h2c", &h2c, "http2")] {
        let proxy = Setup::to(origin).upstream(&format!("protocol = {protocol:?}")).start();
        let mut client = Frames::connect(proxy.address("web"));
        let crumbs = [("cookie", "a=1"), ("x-one", "1"), ("cookie", "b=2; c=3"), ("cookie", "a=4")];
        client.head(1, true, &[GET, &crumbs].concat());
        assert_eq!(client.status(1), 200, "{name}");
        let seen = origin.last().headers;
        let cookies: Vec<_> = seen.get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3; a=4"], "{name}");
    }
}

/// CVE-2026-49975: crumbs count as fields.
#[test]
fn many_small_fields_and_large_heads_are_431() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let crumbs: Vec<_> = (0..200).map(|_| ("cookie", "a")).collect();
    let large = "x".repeat(3000);
    let large: Vec<_> = (0..30).map(|_| ("x-large", large.as_str())).collect();
    for (name, fields) in [("cookie crumbs", crumbs), ("large", large)] {
        let mut client = Frames::connect(proxy.address("web"));
        let fields = block(&[GET, &fields].concat());
        let (first, rest) = fields.split_at(fields.len().min(16_000));
        let flags = |last: bool| if last { END_HEADERS } else { 0 };
        client.send(kind::HEADERS, END_STREAM | flags(rest.is_empty()), 1, first);
        let mut rest = rest.chunks(16_000).peekable();
        while let Some(part) = rest.next() {
            client.send(kind::CONTINUATION, flags(rest.peek().is_none()), 1, part);
        }
        assert_eq!(client.status(1), 431, "{name}");
    }
    assert!(origin.seen().is_empty());
}

/// A peer that makes work without end: the connection ends, and others do not notice.
#[test]
fn floods_end_the_connection_and_hurt_nobody_else() {
    let origin = Origin::echo();
    // Who asks for this is answered late, and until then nobody reads what he sends.
    let late = "[routes.late]\nmatch = { path = \"/late\" }\nplugins = [\"late\"]\n\
                [plugins.late]\ncomponent = \"mock\"\nconfig = { delay = \"1m\" }\n";
    let proxy = weir_tests::Proxy::start(&format!("{}\n{late}", Setup::to(&origin).toml()));
    type Flood = fn(&mut Frames, u32) -> bool;
    let floods: &[(&str, Flood)] = &[
        ("rapid reset", |client, number| {
            let stream = number * 2 + 1;
            client.head(stream, true, GET)
                && client.send(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8])
        }),
        ("CONTINUATION", |client, number| match number {
            0 => client.send(kind::HEADERS, END_STREAM, 1, &block(GET)),
            _ => client.send(kind::CONTINUATION, 0, 1, &block(&[("x", "y")])),
        }),
        ("an HPACK bomb", |client, number| match number {
            // One large field enters the table; then it is named again and again.
            0 => {
                let mut entry = vec![0x40, 1, b'x', 127, 0xa1, 0x1e];
                entry.extend(vec![b'y'; 4000]);
                client.send(kind::HEADERS, END_STREAM, 1, &[block(GET), entry].concat())
            }
            _ => client.send(kind::CONTINUATION, 0, 1, &[0xbe; 10_000]),
        }),
        ("DATA of a byte that nobody reads", |client, number| match number {
            0 => client.head(1, false, LATE),
            _ => client.send(kind::DATA, 0, 1, b"x"),
        }),
        ("window updates of zero", |client, _| client.send(kind::WINDOW_UPDATE, 0, 0, &[0; 4])),
        ("frames of no stream", |client, _| client.send(kind::DATA, 0, 99, b"x")),
    ];
    for (name, flood) in floods {
        let mut client = Frames::connect(proxy.address("web"));
        let timeout = Some(Duration::from_secs(5));
        client.stream().set_write_timeout(timeout).expect("a timeout");
        let end = (0..200_000).find(|number| !flood(&mut client, *number));
        assert!(end.is_some(), "{name}: the proxy took all of it");
        assert_eq!(get(proxy.address("web"), "/").status, 200, "{name}");
    }
}

/// What costs nothing may go on, but it is read and dropped.
#[test]
fn pings_and_settings_are_answered_and_do_not_pile_up() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = Frames::connect(proxy.address("web"));
    for number in 0..100_u64 {
        client.send(kind::PING, 0, 0, &number.to_be_bytes());
        let pong = loop {
            let frame = client.find(kind::PING, 0).expect("an answer");
            if frame.flags & ACK != 0 {
                break frame;
            }
        };
        assert_eq!(pong.payload, number.to_be_bytes());
    }
    client.head(1, true, GET);
    // SETTINGS_INITIAL_WINDOW_SIZE changes while the request is in flight.
    client.send(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0x10, 0]);
    assert_eq!(client.status(1), 200);
}

#[test]
fn a_slow_stream_does_not_block_others() {
    let gate = Gate::default();
    let held = gate.clone();
    let slow = Origin::answering(move |_| {
        held.pass();
        Response::default()
    });
    let fast = Origin::saying("fast");
    let toml = Setup::to(&fast).toml()
        + &format!(
            "[routes.slow]\nmatch = {{ path = \"/slow\" }}\nupstream = \"slow\"\n\
             [upstreams.slow]\nendpoints = [{:?}]\n",
            slow.url()
        );
    let proxy = weir_tests::Proxy::start(&toml);
    let mut client = Frames::connect(proxy.address("web"));
    let slow = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/slow")];
    client.head(1, true, &slow);
    gate.wait_for(1);
    for stream in (3..203).step_by(2) {
        client.head(stream, true, GET);
        assert_eq!(client.status(stream), 200);
    }
    gate.open();
    assert_eq!(client.status(1), 200);
}

/// An endpoint that tells when its connection ended.
fn watched() -> (Origin, mpsc::Receiver<()>) {
    let (told, ended) = mpsc::channel();
    let told = Arc::new(Mutex::new(told));
    let origin = Origin::raw(move |mut stream| {
        let told = told.clone();
        async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart").await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            let _ = told.lock().expect("not poisoned").send(());
        }
    });
    (origin, ended)
}

#[test]
fn a_client_that_resets_or_goes_away_cancels_the_upstream_request() {
    let (origin, ended) = watched();
    let proxy = Setup::to(&origin).start();
    let within = Duration::from_secs(5);
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, true, GET);
    assert_eq!(client.status(1), 200);
    client.send(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    ended.recv_timeout(within).expect("the upstream connection ends after a reset");
    // The connection itself lives on.
    client.head(3, true, GET);
    assert_eq!(client.status(3), 200);
    drop(client);
    ended.recv_timeout(within).expect("the upstream connection ends with the h2 connection");
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    client.exactly(12);
    drop(client);
    ended.recv_timeout(within).expect("the upstream connection ends with the h1 connection");
}

#[test]
fn requests_pass_between_the_versions() {
    let h1 = Origin::echo();
    let h2c = Origin::h2c(|seen| {
        let body = format!("{} {}", seen.method, String::from_utf8_lossy(&seen.body));
        Response::new(Full::new(Bytes::from(body)))
    });
    let to_h1 = Setup::to(&h1).start();
    let to_h2c = Setup::to(&h2c).upstream("protocol = \"http2\"").start();
    let post = || {
        let request = Request::post("http://a.example/x?y=z").header("te", "trailers");
        request.body(Bytes::from_static(b"body")).expect("a request")
    };
    assert!(h2(to_h1.address("web"), post()).text().starts_with("POST /x?y=z\n"));
    assert_eq!(h1.last().body, "body");
    assert_eq!(h1.last().headers["host"], "a.example");
    assert_eq!(h1.last().headers["via"], "2 weir");
    assert_eq!(h2(to_h2c.address("web"), post()).text(), "POST body");
    assert_eq!(h2c.last().target, "http://a.example/x?y=z");
    let fields = [("host", "b.example"), ("connection", "x-one"), ("x-one", "1")];
    let answer = request(to_h2c.address("web"), "POST", "/x", &fields, b"body");
    assert_eq!(answer.text(), "POST body");
    assert_eq!(answer.header("via"), Some("2 weir"));
    let seen = h2c.last();
    assert_eq!(seen.target, "http://b.example/x");
    assert!(!seen.headers.contains_key("x-one") && !seen.headers.contains_key("host"));
    assert_eq!(h2c.connections(), 1);
}

/// No 100 comes: the body is taken as it comes, and the endpoint answers as if nobody had asked.
#[test]
fn an_expectation_is_met_without_a_100() {
    let h1 = Origin::echo();
    let h2c = Origin::h2c(|_| Response::default());
    for (origin, protocol) in [(&h1, "http1"), (&h2c, "http2")] {
        let proxy = Setup::to(origin).upstream(&format!("protocol = {protocol:?}")).start();
        let mut client = Frames::connect(proxy.address("web"));
        client.head(1, false, &[POST, &[("expect", "100-continue")]].concat());
        client.send(0, 1, 1, b"body");
        assert_eq!(client.status(1), 200, "{protocol}");
        assert_eq!(origin.last().body, "body", "{protocol}");
    }
}

#[test]
fn trailers_and_grpc_pass() {
    let origin = Origin::replying(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ntransfer-encoding: chunked\r\n\r\n\
          4\r\nbody\r\n0\r\ngrpc-status: 0\r\n\r\n",
    );
    let proxy = Setup::to(&origin).start();
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, false, &[POST, &[("te", "trailers")]].concat());
    client.send(kind::DATA, 0, 1, b"body");
    client.head(1, true, &[("x-sum", "1")]);
    assert_eq!(client.status(1), 200);
    assert_eq!(client.find(kind::DATA, 1).expect("data").payload, b"body");
    let trailers = client.find(kind::HEADERS, 1).expect("trailers");
    assert_ne!(trailers.flags & END_STREAM, 0);
}

#[test]
fn a_local_error_to_a_grpc_client_is_a_grpc_status() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).route("match = { path = \"/only\" }").start();
    let ask = Request::post("http://a/service/Method").header("content-type", "application/grpc");
    let answer = h2(proxy.address("web"), ask.body(Bytes::new()).expect("a request"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/grpc"));
    assert_eq!(answer.header("grpc-status"), Some("12"));
    assert!(answer.body.is_empty());
}

#[test]
fn what_only_begins_like_grpc_is_none() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).route("match = { path = \"/only\" }").start();
    for (kind, grpc) in [
        ("application/grpc+proto", true),
        ("Application/gRPC;v=1", true),
        ("application/grpcfoo", false),
        ("application/grpc-web", false),
    ] {
        let ask = Request::post("http://a/service/Method").header("content-type", kind);
        let answer = h2(proxy.address("web"), ask.body(Bytes::new()).expect("a request"));
        assert_eq!(answer.status, if grpc { 200 } else { 404 }, "{kind}");
        assert_eq!(answer.header("grpc-status").is_some(), grpc, "{kind}");
    }
}

/// An answer before the end of the request: it ends by itself, and the reset that may follow comes
/// later (clients take one that comes with it for a failure).
#[test]
fn an_early_answer_is_not_followed_by_a_reset_at_once() {
    let early = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 413 X\r\ncontent-length: 5\r\n\r\nlarge").await;
        tokio::time::sleep(Duration::from_secs(30)).await;
    });
    let echo = Origin::echo();
    for (name, setup, status) in [
        ("endpoint", Setup::to(&early), 413),
        ("limit", Setup::to(&echo).listener("body_limit = \"10B\""), 413),
        ("plugin", Setup::to(&echo).plugin("key-auth", "{ keys = [\"secret\"] }"), 401),
    ] {
        let proxy = setup.start();
        for ends in [true, false] {
            let mut client = Frames::connect(proxy.address("web"));
            client.head(1, false, POST);
            client.send(kind::DATA, 0, 1, &[b'x'; 100]);
            assert_eq!(client.status(1), status, "{name}");
            let over = std::iter::from_fn(|| client.find(kind::DATA, 1));
            assert!(over.into_iter().any(|frame| frame.flags & END_STREAM != 0), "{name}");
            // More than its windows have room for, were it not read.
            for _ in 0..if ends { 5 } else { 0 } {
                client.send(kind::DATA, 0, 1, &[b'x'; 10_000]);
            }
            if ends {
                client.send(kind::DATA, END_STREAM, 1, b"");
                client.send(kind::PING, 0, 0, &[7; 8]);
                loop {
                    let frame = client.next_frame().expect("an acknowledgement");
                    assert_ne!(frame.kind, kind::RST_STREAM, "{name}");
                    if frame.kind == kind::PING {
                        break;
                    }
                }
            } else {
                let reset = client.find(kind::RST_STREAM, 1).expect("a reset in the end");
                assert_eq!(reset.payload, [0; 4], "{name}");
            }
        }
    }
}
