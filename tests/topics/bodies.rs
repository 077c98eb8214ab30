//! Bodies: none where there is none, streamed with back-pressure, with trailers, and early answers.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_tests::{Daemon, Origin, RawClient, Setup, free_port, h2, read_head, request};

/// Method, what the endpoint answers, the status and the Content-Length that arrive.
const EMPTY: &[(&str, &[u8], u16, Option<&str>)] = &[
    ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n", 200, Some("10")),
    ("HEAD", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", 200, None),
    ("HEAD", b"HTTP/1.1 404 Not Found\r\ncontent-length: 3\r\n\r\n", 404, Some("3")),
    ("GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, None),
    ("GET", b"HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n", 304, None),
    ("HEAD", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", 304, Some("9")),
    ("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200, Some("0")),
    ("GET", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 200, None),
];

#[test]
fn head_204_and_304_have_no_body_and_leave_the_connection_in_step() {
    for (method, bytes, status, length) in EMPTY {
        let bytes: &'static [u8] = bytes;
        let origin = Origin::raw(move |mut stream| async move {
            while !read_head(&mut stream).await.is_empty() {
                if stream.write_all(bytes).await.is_err() {
                    return;
                }
            }
        });
        let proxy = Setup::to(&origin).start();
        let mut client = RawClient::connect(proxy.address("web"));
        for round in 0..3 {
            let head = format!("{method} / HTTP/1.1\r\nHost: a\r\n\r\n");
            client.send(head.as_bytes());
            let answer = client.answer_to(method);
            let case = format!("{method} {status}, round {round}: {answer:?}");
            assert_eq!(answer.status, *status, "{case}");
            assert!(answer.body.is_empty(), "{case}");
            if length.is_some() {
                assert_eq!(answer.header("content-length"), *length, "{case}");
            }
        }
        assert_eq!(origin.connections(), 1, "{method} {status}");
    }
}

#[test]
fn a_body_that_ends_with_the_connection_arrives_whole() {
    let origin = Origin::replying(b"HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    for _ in 0..2 {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer();
        assert_eq!(answer.text(), "until the end");
        assert_eq!(answer.header("transfer-encoding"), Some("chunked"));
    }
    let ask = Request::get("http://a/").body(Bytes::new()).expect("a request");
    assert_eq!(h2(proxy.address("web"), ask).text(), "until the end");
}

const TRAILERS: &[u8] =
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, x-other\r\n\r\n\
    4\r\nbody\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\nx-other: 3\r\n\r\n";

#[test]
fn response_trailers_go_to_a_client_that_takes_them() {
    let origin = Origin::replying(TRAILERS);
    let proxy = Setup::to(&origin).start();
    for (te, taken) in [("trailers", true), ("Trailers", true), ("gzip", false)] {
        let mut client = RawClient::connect(proxy.address("web"));
        let head =
            format!("GET / HTTP/1.1\r\nHost: a\r\nTE: {te}\r\nConnection: te, close\r\n\r\n");
        client.send(head.as_bytes());
        let text = String::from_utf8(client.rest()).expect("text");
        let (_, body) = text.split_once("\r\n\r\n").expect("a body");
        assert!(
            body.starts_with("4\r\nbody\r\n0\r\n") && body.ends_with("\r\n\r\n"),
            "{te}: {body}"
        );
        for trailer in ["x-sum: 1", "x-sum: 2", "x-other: 3"] {
            assert_eq!(body.contains(trailer), taken, "{te}: {body}");
        }
    }
}

#[test]
fn request_trailers_reach_the_endpoint() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n",
    );
    client.send(b"4\r\nbody\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let seen = origin.last();
    assert_eq!(seen.body, "body");
    let trailers = seen.trailers.expect("trailers");
    let sums: Vec<_> = trailers.get_all("x-sum").iter().collect();
    assert_eq!(sums, ["1", "2"]);
}

const EXPECT: &[u8] =
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

#[test]
fn one_hundred_continue_is_sent_where_the_body_is_wanted() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    for _ in 0..2 {
        client.send(EXPECT);
        assert_eq!(client.exactly(CONTINUE.len()).as_deref(), Some(CONTINUE));
        client.send(b"body");
        assert!(client.answer().text().ends_with("\n\nbody"));
    }
    // HTTP/1.0 knows no 1xx.
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"POST / HTTP/1.0\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody");
    assert_eq!(client.exactly(12).as_deref(), Some(b"HTTP/1.0 200".as_slice()));
}

#[test]
fn a_refusal_goes_out_without_100_continue() {
    let origin = Origin::echo();
    let down = Setup::to_url(format!("http://127.0.0.1:{}", free_port()));
    for (name, proxy, status) in [
        ("limit", Setup::to(&origin).listener("body_limit = \"3B\"").start(), 413),
        ("plugin", Setup::to(&origin).plugin("mock", "{ status = 401 }").start(), 401),
        ("route", Setup::to(&origin).route("match = { path = \"/x\" }").start(), 404),
        ("no endpoint", down.start(), 502),
    ] {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(EXPECT);
        let line = client.exactly(12).expect("a status line");
        assert_eq!(line, format!("HTTP/1.1 {status}").as_bytes(), "{name}");
    }
}

#[test]
fn informational_responses_do_not_become_the_answer() {
    let origin = Origin::replying(
        b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n\
          HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfinal",
    );
    let proxy = Setup::to(&origin).start();
    assert_eq!(request(proxy.address("web"), "GET", "/", &[], b"").text(), "final");
    let answer = request(proxy.address("web"), "HEAD", "/", &[], b"");
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("5")));
}

/// The endpoint refuses after the head and reads no more; the client sends everything before it
/// looks. hyper#3078, hyper#4176, RFC 9112 9.6.
#[test]
fn an_early_413_arrives_during_an_upload_and_its_connection_is_dropped() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream
            .write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig")
            .await;
        tokio::time::sleep(Duration::from_secs(30)).await;
    });
    let proxy = Setup::to(&origin).start();
    for round in 1..=2 {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n");
        let block = [b'x'; 100_000];
        for _ in 0..80 {
            client.send(&block);
        }
        let answer = client.answer();
        assert_eq!((answer.status, answer.text()), (413, "big".to_owned()));
        assert!(client.is_closed());
        assert_eq!(origin.connections(), round);
    }
}

/// The proxy's own limit, found out in the middle of a body without a length.
#[test]
fn a_body_beyond_the_limit_is_a_413_that_arrives() {
    let h1 = Origin::echo();
    let h2c = Origin::h2c(|_| http::Response::default());
    for (name, setup) in
        [("h1", Setup::to(&h1)), ("h2c", Setup::to(&h2c).upstream("protocol = \"http2\""))]
    {
        let proxy = setup.listener("body_limit = \"1MB\"").start();
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        let block = [b"186a0\r\n".as_slice(), &[b'x'; 100_000], b"\r\n"].concat();
        for _ in 0..80 {
            client.send(&block);
        }
        assert_eq!(client.answer().status, 413, "{name}");
        assert!(client.is_closed(), "{name}");
    }
    assert!(h1.seen().is_empty());
    assert!(h2c.seen().is_empty());
}

/// An endpoint that sends as fast as it can, and counts what it could send.
fn fountain(total: u64) -> (Origin, Arc<AtomicU64>) {
    let sent = Arc::new(AtomicU64::new(0));
    let count = sent.clone();
    let origin = Origin::raw(move |mut stream| {
        let count = count.clone();
        async move {
            let asked = read_head(&mut stream).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {total}\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
            if asked.starts_with(b"HEAD ") {
                return;
            }
            let block = vec![b'x'; 64 << 10];
            let mut left = total;
            while left > 0 {
                let length = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                if stream.write_all(&block[..length]).await.is_err() {
                    return;
                }
                left -= length as u64;
                count.fetch_add(length as u64, Ordering::Relaxed);
            }
        }
    });
    (origin, sent)
}

#[test]
fn a_slow_reader_slows_the_endpoint_instead_of_filling_memory() {
    const TOTAL: u64 = 256 << 20;
    let (origin, sent) = fountain(TOTAL);
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    // It stands still once all buffers on the way are full.
    let mut before = 0;
    loop {
        std::thread::sleep(Duration::from_millis(200));
        let now = sent.load(Ordering::Relaxed);
        if now == before && now > 0 {
            break;
        }
        before = now;
    }
    assert!(before < 40 << 20, "{before} bytes were taken from the endpoint");
    let mut stream = client.stream().try_clone().expect("a clone");
    let mut space = vec![0; 1 << 20];
    let mut read = 0;
    while let Ok(length @ 1..) = stream.read(&mut space) {
        read += length as u64;
    }
    assert!(read > TOTAL, "{read}");
}

#[test]
fn an_endpoint_that_does_not_read_slows_the_client() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let proxy = Setup::to(&origin).start();
    let client = RawClient::connect(proxy.address("web"));
    let mut stream = client.stream();
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n";
    stream.write_all(head).expect("sent");
    let block = vec![b'x'; 64 << 10];
    let mut sent = 0;
    while let Ok(length) = stream.write(&block) {
        sent += length;
        assert!(sent < 40 << 20, "{sent} bytes were taken from the client");
    }
}

/// 1 GB through a process of its own, whose memory the kernel counts.
#[test]
fn a_gigabyte_streams_in_constant_memory() {
    const TOTAL: u64 = 1_000_000_000;
    let (origin, _) = fountain(TOTAL);
    let port = free_port();
    let toml = Setup::to(&origin).toml().replace("127.0.0.1:0", &format!("127.0.0.1:{port}"));
    let daemon =
        Daemon::start(env!("CARGO_BIN_EXE_weir-under-test"), &["run"], &[("weir.toml", &toml)]);
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    weir_tests::wait_for_port(address);
    let resident = || -> u64 {
        // Not the high-water mark of all: that has the program's own pages as they come and go.
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.id()));
        let status = status.expect("the process runs");
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("its memory");
        line.split_whitespace()
            .nth(1)
            .and_then(|kilobytes| kilobytes.parse().ok())
            .expect("a number")
    };
    let mut client = RawClient::connect(address);
    client.send(b"HEAD /warm HTTP/1.1\r\nHost: a\r\n\r\n");
    client.answer_to("HEAD");
    let before = resident();
    let mut client = RawClient::connect(address);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let mut stream = client.stream().try_clone().expect("a clone");
    let mut space = vec![0; 1 << 20];
    let (mut read, mut most, mut looks) = (0, 0, 0);
    while let Ok(length @ 1..) = stream.read(&mut space) {
        read += length as u64;
        if read / (32 << 20) > looks {
            looks += 1;
            most = resident().max(most);
        }
    }
    assert!(read > TOTAL && looks > 20, "{read} bytes, {looks} looks");
    let grown = most.saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB more than before");
}

#[test]
fn an_upload_is_passed_on_while_it_comes() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let mut first = [0; 64];
        let length = stream.read(&mut first).await.unwrap_or(0);
        let body =
            format!("got {}", String::from_utf8_lossy(&first[..length]).replace("\r\n", "|"));
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all((head + &body).as_bytes()).await;
        let _ = stream.read(&mut first).await;
    });
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    std::thread::sleep(Duration::from_millis(50));
    client.send(b"5\r\nfirst\r\n");
    // The answer comes although the request is not over.
    assert_eq!(client.answer().text(), "got 5|first|");
}
