//! HTTP/1.1 framing: what two parsers could read differently is refused, in both directions.

use std::net::{Shutdown, SocketAddr};

use weir_tests::{Answer, Origin, RawClient, Setup, get, request};

/// A head that is right so far; [`HEADS`] go on behind it.
const HEAD: &str = "POST /x HTTP/1.1\r\nHost: a\r\n";
/// A whole head; [`CHUNKS`] go on behind it.
const CHUNKED: &str = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What follows [`HEAD`], and the status that refuses it.
const HEADS: &[(&str, &str, u16)] = &[
    ("CL and TE together", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("TE and CL together", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", 400),
    ("TE twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("TE twice in one line", "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501),
    ("obfuscated TE: another name", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501),
    ("obfuscated TE: quotes", "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501),
    ("obfuscated TE: vertical tab", "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 501),
    ("obfuscated TE: identity", "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n", 501),
    ("a coding that is not chunked", "Transfer-Encoding: gzip\r\n\r\n", 501),
    ("a coding before chunked", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    ("an empty TE", "Transfer-Encoding:\r\n\r\n", 501),
    ("differing CL", "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
    ("several CL", "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    ("several CL in one line", "Content-Length: 3, 3\r\n\r\nabc", 400),
    ("CL +1", "Content-Length: +1\r\n\r\na", 400),
    ("CL -1", "Content-Length: -1\r\n\r\na", 400),
    ("CL 1_0", "Content-Length: 1_0\r\n\r\n0123456789", 400),
    ("CL 0x10", "Content-Length: 0x10\r\n\r\n0123456789", 400),
    ("CL overflows", "Content-Length: 18446744073709551616\r\n\r\na", 400),
    ("CL overflows far", "Content-Length: 99999999999999999999999999\r\n\r\na", 400),
    ("CL empty", "Content-Length:\r\n\r\n", 400),
    ("CL with a space within", "Content-Length: 1 0\r\n\r\n0123456789", 400),
    ("bare LF in the head", "A: b\nC: d\r\n\r\n", 400),
    ("bare LF ends the head", "Content-Length: 0\r\n\n", 400),
    ("bare CR in the head", "A: b\rC: d\r\n\r\n", 400),
    ("CR CR LF", "A: b\r\r\n\r\n", 400),
    ("NUL in a value", "A: b\0c\r\n\r\n", 400),
    ("NUL in a name", "A\0: b\r\n\r\n", 400),
    ("space before the colon", "A : b\r\n\r\n", 400),
    ("tab before the colon", "A\t: b\r\n\r\n", 400),
    ("TE with space before the colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    ("obs-fold", "A: b\r\n c\r\n\r\n", 400),
    ("obs-fold of TE", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 501),
    ("a line without a colon", "nonsense\r\n\r\n", 400),
    ("an empty name", ": b\r\n\r\n", 400),
    ("a name that is no token", "A(b): c\r\n\r\n", 400),
];

/// Whole requests; the status is 400.
const REQUESTS: &[(&str, &str)] = &[
    ("leading space on the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
    ("TE on HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("HTTP/0.9", "GET /\r\n"),
    ("HTTP/1.32", "GET / HTTP/1.32\r\nHost: a\r\n\r\n"),
    ("HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    ("http/1.1 in lower case", "GET / http/1.1\r\nHost: a\r\n\r\n"),
    ("two spaces in the request line", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a tab in the request line", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a method that is no token", "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    ("TLS to a plain listener", "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n"),
];

/// What follows [`CHUNKED`]; the status is 400.
const CHUNKS: &[(&str, &str)] = &[
    ("chunk size with prefix 0x", "0x3\r\nabc\r\n0\r\n\r\n"),
    ("chunk size with a sign", "+3\r\nabc\r\n0\r\n\r\n"),
    ("chunk size with an underscore", "1_0\r\n0123456789abcdef\r\n0\r\n\r\n"),
    ("chunk size overflows", "10000000000000003\r\nabc\r\n0\r\n\r\n"),
    ("chunk size empty", "\r\nabc\r\n0\r\n\r\n"),
    ("space before the chunk size", " 3\r\nabc\r\n0\r\n\r\n"),
    ("space after the chunk size", "3 \r\nabc\r\n0\r\n\r\n"),
    ("bare LF after the chunk size", "3\nabc\r\n0\r\n\r\n"),
    ("CR inside a chunk extension", "3;a\rb\r\nabc\r\n0\r\n\r\n"),
    ("LF inside a chunk extension", "3;a\nb\r\nabc\r\n0\r\n\r\n"),
    ("bare LF after a chunk", "3\r\nabc\n0\r\n\r\n"),
    ("a chunk longer than its size", "3\r\nabcd\r\n0\r\n\r\n"),
    ("bare LF ends the body", "3\r\nabc\r\n0\r\n\n"),
    ("CL as a trailer", "3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"),
    ("TE as a trailer", "3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("obs-fold in a trailer", "3\r\nabc\r\n0\r\nA: b\r\n c\r\n\r\n"),
];

/// Requests with the body `abc`.
const CLEAR: &[(&str, &str)] = &[
    (
        "TE in any case",
        "POST /x HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "a chunk extension",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=\"b c\"\r\nabc\r\n0\r\n\r\n",
    ),
    (
        "a chunk size with leading zeros",
        "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0003\r\nabc\r\n00\r\n\r\n",
    ),
    (
        "an empty line before the request",
        "\r\nPOST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    ),
    (
        "white space around a value",
        "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: \t 3 \t\r\n\r\nabc",
    ),
    ("CL 003", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 003\r\n\r\nabc"),
    ("obs-text", "POST /x HTTP/1.1\r\nHost: a\r\nA: \u{fc}\r\nContent-Length: 3\r\n\r\nabc"),
];

/// What an endpoint answers that is a 502.
const ANSWERS: &[(&str, &[u8])] = &[
    ("no HTTP", b"hello\r\n\r\n"),
    ("HTTP/0.9", b"<html>"),
    ("HTTP/3.7", b"HTTP/3.7 200 OK\r\ncontent-length: 0\r\n\r\n"),
    ("a status of four digits", b"HTTP/1.1 2000 OK\r\ncontent-length: 0\r\n\r\n"),
    ("a status that is no number", b"HTTP/1.1 2xx OK\r\ncontent-length: 0\r\n\r\n"),
    ("a head that ends early", b"HTTP/1.1 200 OK\r\ncontent-le"),
    ("nothing", b""),
    (
        "CL and TE",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ),
    ("differing CL", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd"),
    ("CL +3", b"HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\nabc"),
    ("CL overflows", b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\nabc"),
    (
        "TE twice",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    ("a coding that is not chunked", b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nabc"),
    (
        "a coding before chunked",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ),
    (
        "chunked is not last",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ),
    (
        "TE on HTTP/1.0",
        b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    ),
    ("obs-fold", b"HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n"),
    ("NUL in a value", b"HTTP/1.1 200 OK\r\na: b\0c\r\ncontent-length: 0\r\n\r\n"),
    (
        "a 101 that nobody asked for",
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
    ),
];

/// What an endpoint answers that breaks after its head went on.
const BROKEN: &[(&str, &[u8])] = &[
    ("a body shorter than CL", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc"),
    ("no last chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    (
        "a bad chunk size",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    ),
    (
        "a chunk longer than its size",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    ),
    (
        "a chunk size that overflows",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
    ),
];

/// Sends the bytes, in one piece and one by one, and wants this status and the connection's end.
fn refused(name: &str, bytes: &[u8], status: u16, address: SocketAddr) {
    for piece in [bytes.len(), 1] {
        let mut client = RawClient::connect(address);
        for part in bytes.chunks(piece) {
            client.send(part);
        }
        let answer = client.try_answer("GET");
        let got = answer.as_ref().map(|answer| answer.status);
        assert_eq!(got, Some(status), "{name}, in pieces of {piece}: {answer:?}");
        assert!(client.is_closed(), "{name}, in pieces of {piece}: the connection stays open");
    }
}

#[test]
fn a_request_head_that_could_be_read_in_two_ways_is_refused() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (name, rest, status) in HEADS {
        refused(name, format!("{HEAD}{rest}").as_bytes(), *status, proxy.address("web"));
    }
    for (name, request) in REQUESTS {
        refused(name, request.as_bytes(), 400, proxy.address("web"));
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
}

#[test]
fn a_refusal_is_counted() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let counted = || proxy.metric(r#"weir_errors_total{kind="http_request_error"}"#);
    assert_eq!(counted(), 0.0);
    RawClient::connect(proxy.address("web")).send(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n");
    while counted() == 0.0 {
        std::thread::yield_now();
    }
    assert_eq!(counted(), 1.0);
}

#[test]
fn a_chunk_that_could_be_read_in_two_ways_is_refused() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (name, rest) in CHUNKS {
        refused(name, format!("{CHUNKED}{rest}").as_bytes(), 400, proxy.address("web"));
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
}

#[test]
fn what_is_unusual_but_clear_passes() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (name, request) in CLEAR {
        for piece in [request.len(), 1] {
            let mut client = RawClient::connect(proxy.address("web"));
            for part in request.as_bytes().chunks(piece) {
                client.send(part);
            }
            assert_eq!(client.answer().status, 200, "{name}");
            assert_eq!(origin.last().body, "abc", "{name}");
            // The connection is in step: it takes another request.
            client.send(b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(client.answer().text().starts_with("GET /next\n"), "{name}");
        }
    }
}

#[test]
fn a_request_body_shorter_than_its_length_never_becomes_a_whole_one() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for request in [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na",
    ] {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(request.as_bytes());
        client.stream().shutdown(Shutdown::Write).expect("half closed");
        let status = client.try_answer("POST").map(|answer| answer.status);
        assert!(matches!(status, None | Some(400)), "{request:?}: {status:?}");
        assert!(client.is_closed(), "{request:?}");
    }
    assert!(origin.seen().is_empty(), "{:?}", origin.seen());
}

#[test]
fn what_is_longer_than_a_request_body_is_the_next_request() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"POST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcdef\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.answer().status, 400);
    assert!(client.is_closed());
    assert_eq!(origin.seen().len(), 1);
    assert_eq!(origin.last().body, "abc");
}

#[test]
fn an_answer_that_could_be_read_in_two_ways_is_a_bad_gateway() {
    for (name, bytes) in ANSWERS {
        let origin = Origin::replying(bytes);
        let proxy = Setup::to(&origin).start();
        let answer = request(proxy.address("web"), "POST", "/", &[("content-length", "0")], b"");
        assert_eq!(answer.status, 502, "{name}: {answer:?}");
        let why = answer.header("proxy-status").unwrap_or_default();
        assert!(why.starts_with("weir; error="), "{name}: {answer:?}");
    }
}

#[test]
fn an_endless_answer_head_is_a_bad_gateway() {
    let origin = Origin::raw(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        weir_tests::read_head(&mut stream).await;
        let mut piece = b"HTTP/1.1 200 OK\r\n".to_vec();
        while stream.write_all(&piece).await.is_ok() {
            piece = [b"x: ".as_slice(), &[b'y'; 60_000], b"\r\n"].concat();
        }
    });
    let proxy = Setup::to(&origin).start();
    let answer = get(proxy.address("web"), "/");
    assert_eq!(answer.status, 502);
    let why = answer.header("proxy-status").unwrap_or_default();
    assert!(why.contains("http_response_header_section_size"), "{answer:?}");
}

/// The head is gone when the body breaks: the client must be able to tell.
#[test]
fn a_broken_answer_body_never_looks_whole() {
    for (name, bytes) in BROKEN {
        let origin = Origin::replying(bytes);
        let proxy = Setup::to(&origin).start();
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let whole = client.try_answer("GET").filter(|answer| answer.status == 200);
        assert!(whole.is_none(), "{name}: {whole:?}");
    }
}

#[test]
fn an_answer_body_longer_than_its_length_is_cut_and_its_connection_not_used_again() {
    let origin = Origin::raw(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc\
            HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nsmuggled";
        while !weir_tests::read_head(&mut stream).await.is_empty() {
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    });
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    for _ in 0..3 {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let Answer { status, body, .. } = client.answer();
        assert_eq!((status, body.as_slice()), (200, b"abc".as_slice()));
    }
    assert_eq!(origin.connections(), 3);
}

#[test]
fn an_answer_in_http_1_0_goes_on_in_http_1_1() {
    let origin = Origin::replying(b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nhello");
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.exactly(12).as_deref(), Some(b"HTTP/1.1 200".as_slice()));
}

/// White space before the colon of a response's field is taken out (RFC 9112, 5.1).
#[test]
fn an_answers_space_before_the_colon_is_removed() {
    let origin = Origin::replying(b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\nx-a \t: b\r\n\r\nok");
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let text = String::from_utf8(client.rest()).expect("text");
    assert!(text.contains("content-length: 2\r\n") && text.contains("x-a: b\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\nok"), "{text}");
    // Lengths that contradict each other still do.
    let two =
        b"HTTP/1.1 200 OK\r\ncontent-length : 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let proxy = Setup::to(&Origin::replying(two)).start();
    assert_eq!(get(proxy.address("web"), "/").status, 502);
}
