//! Heads of responses that two readers could read differently, or that are too large: one judgement
//! whatever version the endpoint speaks.

use tokio::io::AsyncWriteExt;
use weir_tests::endpoint::{Endpoint, framed, max_streams, ok};
use weir_tests::frames::{END_HEADERS, END_STREAM, Frames, block, kind};
use weir_tests::{Answer, Origin, RawClient, Setup, get, read_head, request};

/// Fields of a response's head with the body `ok`, and what becomes of it: its `Content-Length`, or
/// why it is none.
type Judged = (&'static [(&'static str, &'static str)], Result<&'static str, &'static str>);

const LENGTHS: &[Judged] = &[
    (&[("content-length", "2")], Ok("2")),
    (&[("content-length", "02")], Ok("2")),
    (&[("content-length", "0000000002")], Ok("2")),
    (&[("content-length", "2"), ("content-length", "2")], Err("http_protocol_error")),
    (
        &[("content-length", "2"), ("x-a", "b"), ("content-length", "02")],
        Err("http_protocol_error"),
    ),
    (&[("content-length", "2"), ("content-length", "3")], Err("http_protocol_error")),
    (&[("content-length", "")], Err("http_protocol_error")),
    (&[("content-length", "2, 2")], Err("http_protocol_error")),
    (&[("content-length", "+2")], Err("http_protocol_error")),
    (&[("content-length", "0x2")], Err("http_protocol_error")),
    (&[("content-length", "two")], Err("http_protocol_error")),
];

fn judge(answer: &Answer, (fields, becomes): &Judged, name: &str) {
    match becomes {
        Ok(length) => {
            assert_eq!(answer.status, 200, "{name} {fields:?}");
            let lengths: Vec<_> = answer.headers.get_all("content-length").iter().collect();
            assert_eq!(lengths, [length], "{name} {fields:?}");
        }
        Err(kind) => {
            assert_eq!(answer.status, 502, "{name} {fields:?}");
            let said = format!("weir; error={kind}");
            assert_eq!(answer.header("proxy-status"), Some(said.as_str()), "{name} {fields:?}");
        }
    }
}

fn over_http2(fields: &'static [(&'static str, &'static str)]) -> Endpoint {
    Endpoint::new(max_streams(100), move |_, stream| {
        let data = framed(kind::DATA, END_STREAM, stream, b"ok");
        [ok(stream, false, fields), data].concat()
    })
}

#[test]
fn a_length_is_one_number_over_either_version() {
    for case in LENGTHS {
        let fields = case.0;
        let endpoint = over_http2(fields);
        let proxy = Setup::to(&endpoint.origin).upstream("protocol = \"http2\"").start();
        judge(&get(proxy.address("web"), "/"), case, "h2");
        let head = request(proxy.address("web"), "HEAD", "/", &[], b"");
        assert_eq!(head.status, if case.1.is_ok() { 200 } else { 502 }, "HEAD {fields:?}");
        let request = http::Request::get("http://a/").body(bytes::Bytes::new());
        judge(&weir_tests::h2(proxy.address("web"), request.expect("a request")), case, "h2 h2");

        let origin = Origin::raw(move |mut stream| async move {
            read_head(&mut stream).await;
            let lines: String = fields.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n{lines}\r\nok");
            let _ = stream.write_all(head.as_bytes()).await;
        });
        judge(&get(Setup::to(&origin).start().address("web"), "/"), case, "h1");
    }
}

/// 100 fields, 64 KiB.
#[test]
fn a_heads_size_has_one_bound_over_either_version() {
    for (count, size, passes) in [
        (1, 60 << 10, true),
        (17, 1 << 10, true),
        (90, 1, true),
        (101, 1, false),
        (70, 1 << 10, false),
    ] {
        let value: &'static str = Box::leak("x".repeat(size).into_boxed_str());
        let fields: &'static [(&str, &str)] = Box::leak(vec![("x-a", value); count].into());
        let h2 = Endpoint::new(max_streams(100), move |_, stream| in_frames(stream, fields));
        let h1 = Origin::raw(move |mut stream| async move {
            while !read_head(&mut stream).await.is_empty() {
                let lines: String = fields.iter().map(|(n, v)| format!("{n}: {v}\r\n")).collect();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{lines}\r\n");
                let _ = stream.write_all(head.as_bytes()).await;
            }
        });
        for (origin, protocol) in [(&h2.origin, "http2"), (&h1, "http1")] {
            let proxy = Setup::to(origin).upstream(&format!("protocol = {protocol:?}")).start();
            let answer = get(proxy.address("web"), "/");
            let name = format!("{protocol}, {count} fields of {size}");
            assert_eq!(answer.status, if passes { 200 } else { 502 }, "{name}");
            if passes {
                assert_eq!(answer.headers.get_all("x-a").iter().count(), count, "{name}");
            } else {
                let why = "weir; error=http_response_header_section_size";
                assert_eq!(answer.header("proxy-status"), Some(why), "{name}");
            }
        }
    }
}

/// A head in as many frames as it needs.
fn in_frames(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    let block = [vec![0x88], block(fields)].concat();
    let mut frames = Vec::new();
    let pieces: Vec<&[u8]> = block.chunks(16_000).collect();
    for (at, piece) in pieces.iter().enumerate() {
        let kind = if at == 0 { kind::HEADERS } else { kind::CONTINUATION };
        let end = if at + 1 == pieces.len() { END_HEADERS } else { 0 };
        let flags = end | if at == 0 { END_STREAM } else { 0 };
        frames.extend(framed(kind, flags, stream, piece));
    }
    frames
}

/// Over HTTP/1.1 each of these is a `http_protocol_error`, and over HTTP/2 it is none of another kind.
#[test]
fn what_is_malformed_is_called_so() {
    type Answered = fn(u32) -> Vec<u8>;
    const ANSWERS: [(&str, Answered); 8] = [
        ("a name in upper case", |stream| ok(stream, true, &[("X-A", "b")])),
        ("a field of the connection", |stream| ok(stream, true, &[("connection", "close")])),
        ("a coding", |stream| ok(stream, true, &[("transfer-encoding", "chunked")])),
        ("a padded value", |stream| ok(stream, true, &[("x-a", "b ")])),
        ("no status", |stream| {
            framed(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block(&[("x-a", "b")]))
        }),
        ("data before the head", |stream| framed(kind::DATA, END_STREAM, stream, b"data")),
        ("a length that is not kept", |stream| ok(stream, true, &[("content-length", "3")])),
        ("101", |stream| {
            let fields = [(":status", "101")];
            framed(kind::HEADERS, END_HEADERS | END_STREAM, stream, &block(&fields))
        }),
    ];
    for (name, answer) in ANSWERS {
        let endpoint = Endpoint::new(max_streams(100), move |_, stream| answer(stream));
        let upstream = "protocol = \"http2\"\nretries = 0";
        let proxy = Setup::to(&endpoint.origin).upstream(upstream).start();
        let answer = get(proxy.address("web"), "/");
        assert_eq!(answer.status, 502, "{name}");
        let said = answer.header("proxy-status");
        assert_eq!(said, Some("weir; error=http_protocol_error"), "{name}");
    }
}

/// RFC 9110, 7.8: a server must not switch to what was not offered, and says what it switches to.
#[test]
fn a_101_switches_to_what_was_offered() {
    for (offer, answer, switches) in [
        ("websocket", "Upgrade: websocket\r\n", true),
        ("websocket", "Upgrade: WebSocket\r\n", true),
        ("foo/2, websocket", "Upgrade: websocket\r\n", true),
        ("foo/2, websocket", "Upgrade: foo/2, websocket\r\n", true),
        ("foo", "Upgrade: bar\r\n", false),
        ("foo", "Upgrade: foo, bar\r\n", false),
        ("foo", "Upgrade: foo\r\nUpgrade: bar\r\n", false),
        ("foo/2", "Upgrade: foo/1\r\n", false),
        ("foo", "Upgrade: \r\n", false),
        ("foo", "", false),
    ] {
        let origin = Origin::raw(move |mut stream| async move {
            read_head(&mut stream).await;
            let head =
                format!("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n{answer}\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
        });
        let proxy = Setup::to(&origin).start();
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(
            format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: {offer}\r\n\r\n")
                .as_bytes(),
        );
        let got = client.answer();
        assert_eq!(got.status, if switches { 101 } else { 502 }, "{offer}: {answer}");
        if !switches {
            let said = got.header("proxy-status");
            assert_eq!(said, Some("weir; error=http_upgrade_failed"), "{offer}: {answer}");
        }
    }
}

/// As over HTTP/1.1: one, or none that is forwarded.
#[test]
fn a_clients_length_over_http2_is_one_number() {
    const POST: &[(&str, &str)] =
        &[(":method", "POST"), (":scheme", "http"), (":authority", "a"), (":path", "/x")];
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (lengths, passes) in [
        (&["4"][..], true),
        (&["004"], true),
        (&["4", "4"], false),
        (&["4", "04"], false),
        (&["4, 4"], false),
        (&[""], false),
    ] {
        let before = origin.seen().len();
        let mut client = Frames::connect(proxy.address("web"));
        let fields: Vec<_> = lengths.iter().map(|length| ("content-length", *length)).collect();
        client.head(1, false, &[POST, &fields].concat());
        client.send(kind::DATA, END_STREAM, 1, b"body");
        let status = client.status(1);
        assert_eq!(status == 200, passes, "{lengths:?}: {status}");
        if passes {
            let seen = origin.last().headers;
            let seen: Vec<_> = seen.get_all("content-length").iter().collect();
            assert_eq!(seen, ["4"], "{lengths:?}");
        } else {
            assert!(matches!(status, 0 | 400), "{lengths:?}: {status}");
            assert_eq!(origin.seen().len(), before, "{lengths:?}");
        }
    }
}
