//! A request is sent again only where that cannot do a thing twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weir_tests::{Origin, RawClient, Setup, free_port, read_head, request};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// What an endpoint does with the second request of its first connection.
#[derive(Clone, Copy)]
enum Second {
    Fin,
    Rst,
    Part,
}

/// Each request line, as the endpoint read them.
type Lines = Arc<Mutex<Vec<String>>>;

/// Answers everything but the second request of its first connection.
fn unreliable(second: Second) -> (Origin, Lines) {
    let lines: Lines = Arc::default();
    let log = lines.clone();
    let connections = Arc::new(AtomicUsize::new(0));
    let origin = Origin::raw(move |mut stream: TcpStream| {
        let (log, first) = (log.clone(), connections.fetch_add(1, Ordering::Relaxed) == 0);
        async move {
            for number in 0.. {
                let head = read_head(&mut stream).await;
                if head.is_empty() {
                    return;
                }
                let line = String::from_utf8_lossy(&head);
                let line = line.lines().next().unwrap_or_default().to_owned();
                log.lock().expect("not poisoned").push(line);
                if first && number == 1 {
                    match second {
                        Second::Fin => {}
                        Second::Rst => drop(stream.set_zero_linger()),
                        Second::Part => drop(stream.write_all(b"HTTP/1.1 200 O").await),
                    }
                    return;
                }
                if stream.write_all(OK).await.is_err() {
                    return;
                }
            }
        }
    });
    (origin, lines)
}

#[test]
fn on_a_reused_connection_an_idempotent_request_is_replayed_and_no_other() {
    for (name, second, method, status, times) in [
        ("FIN", Second::Fin, "GET", 200, 2),
        ("FIN", Second::Fin, "HEAD", 200, 2),
        ("FIN", Second::Fin, "PUT", 200, 2),
        ("FIN", Second::Fin, "DELETE", 200, 2),
        ("FIN", Second::Fin, "POST", 502, 1),
        ("FIN", Second::Fin, "PATCH", 502, 1),
        ("RST", Second::Rst, "GET", 200, 2),
        ("RST", Second::Rst, "POST", 502, 1),
        ("after response bytes", Second::Part, "GET", 502, 1),
        ("after response bytes", Second::Part, "POST", 502, 1),
    ] {
        let (origin, lines) = unreliable(second);
        let proxy = Setup::to(&origin).start();
        assert_eq!(request(proxy.address("web"), "GET", "/first", &[], b"").status, 200);
        let answer = request(proxy.address("web"), method, "/second", &[], b"");
        assert_eq!(answer.status, status, "{name}, {method}: {answer:?}");
        let lines = lines.lock().expect("not poisoned");
        let seen = lines.iter().filter(|line| line.contains("/second")).count();
        assert_eq!(seen, times, "{name}, {method}: {lines:?}");
    }
}

/// Its body went out with the first attempt and is gone.
#[test]
fn a_request_whose_body_was_sent_is_not_replayed() {
    let (origin, lines) = unreliable(Second::Fin);
    let proxy = Setup::to(&origin).start();
    assert_eq!(request(proxy.address("web"), "GET", "/first", &[], b"").status, 200);
    assert_eq!(request(proxy.address("web"), "PUT", "/second", &[], b"body").status, 502);
    assert_eq!(lines.lock().expect("not poisoned").len(), 2);
}

/// A connection that was made for the request, and ends without a byte: the endpoint restarts, or
/// closed what it had just accepted.
#[test]
fn on_a_fresh_connection_it_is_the_same() {
    for reset in [false, true] {
        for (method, body, retries, status, connections) in [
            ("GET", "", 1, 200, 2),
            ("DELETE", "", 1, 200, 2),
            ("GET", "", 0, 502, 1),
            ("POST", "", 1, 502, 1),
            ("PUT", "body", 1, 502, 1),
        ] {
            let served = Arc::new(AtomicUsize::new(0));
            let origin = Origin::raw(move |mut stream| {
                let first = served.fetch_add(1, Ordering::Relaxed) == 0;
                async move {
                    read_head(&mut stream).await;
                    if !first {
                        let _ = stream.write_all(OK).await;
                        read_head(&mut stream).await;
                    } else if reset {
                        drop(stream.set_zero_linger());
                    }
                }
            });
            let proxy = Setup::to(&origin).upstream(&format!("retries = {retries}")).start();
            let answer = request(proxy.address("web"), method, "/", &[], body.as_bytes());
            assert_eq!(answer.status, status, "{reset} {method} {retries}: {answer:?}");
            assert_eq!(origin.connections(), connections, "{reset} {method} {retries}");
        }
    }
    let origin = Origin::replying(b"");
    let proxy = Setup::to(&origin).start();
    let answer = request(proxy.address("web"), "GET", "/", &[], b"");
    assert_eq!(answer.status, 502);
    assert_eq!(answer.header("proxy-status"), Some("weir; error=connection_terminated"));
    assert_eq!(origin.connections(), 2, "once more, and no oftener");
}

#[test]
fn retries_can_be_switched_off() {
    let (origin, lines) = unreliable(Second::Fin);
    let proxy = Setup::to(&origin).upstream("retries = 0").start();
    assert_eq!(request(proxy.address("web"), "GET", "/first", &[], b"").status, 200);
    assert_eq!(request(proxy.address("web"), "GET", "/second", &[], b"").status, 502);
    assert_eq!(lines.lock().expect("not poisoned").len(), 2);
}

#[test]
fn an_upgrade_is_retried_only_where_nothing_was_sent() {
    let (origin, lines) = unreliable(Second::Fin);
    let proxy = Setup::to(&origin).start();
    assert_eq!(request(proxy.address("web"), "GET", "/first", &[], b"").status, 200);
    let upgrade = [("connection", "upgrade"), ("upgrade", "websocket")];
    assert_eq!(request(proxy.address("web"), "GET", "/second", &upgrade, b"").status, 502);
    assert_eq!(lines.lock().expect("not poisoned").len(), 2);
    // One of two endpoints is down, whose turn it is each second time.
    let origin = Origin::echo();
    let proxy =
        Setup::to_url(format!("http://127.0.0.1:{}", free_port())).and(origin.url()).start();
    for _ in 0..4 {
        assert_eq!(request(proxy.address("web"), "GET", "/", &upgrade, b"").status, 200);
    }
}

/// The endpoint closes what is idle: the next request, of any method, does not notice.
#[test]
fn a_stale_pooled_connection_is_not_used() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(OK).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    });
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    for round in 1..=5 {
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
        assert_eq!(client.answer().status, 200, "{round}");
        assert_eq!(origin.connections(), round);
        std::thread::sleep(Duration::from_millis(60));
    }
}

/// As above, but the endpoint says so before.
#[test]
fn connection_close_of_an_endpoint_is_kept() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let answer = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";
        let _ = stream.write_all(answer).await;
        // It does not close at once.
        tokio::time::sleep(Duration::from_secs(5)).await;
    });
    let proxy = Setup::to(&origin).start();
    for round in 1..=3 {
        assert_eq!(request(proxy.address("web"), "POST", "/", &[], b"x").status, 200);
        assert_eq!(origin.connections(), round);
    }
}

#[test]
fn what_was_not_sent_goes_to_another_endpoint_whatever_its_method() {
    let origin = Origin::echo();
    let down = format!("http://127.0.0.1:{}", free_port());
    let proxy = Setup::to_url(down).and(origin.url()).start();
    for number in 0..10 {
        let answer = request(proxy.address("web"), "POST", "/", &[], b"body");
        assert_eq!(answer.status, 200, "{number}: {answer:?}");
        assert!(answer.text().ends_with("\n\nbody"), "{number}");
    }
    assert_eq!(origin.seen().len(), 10);
}

#[test]
fn with_every_endpoint_down_the_answer_says_why() {
    let down = || format!("http://127.0.0.1:{}", free_port());
    for retries in [0, 1, 5] {
        let setup = Setup::to_url(down()).and(down());
        let proxy = setup.upstream(&format!("retries = {retries}")).start();
        for _ in 0..4 {
            let answer = request(proxy.address("web"), "GET", "/", &[], b"");
            assert_eq!(answer.status, 502, "{retries}: {answer:?}");
            let why = answer.header("proxy-status");
            assert_eq!(why, Some("weir; error=connection_refused"), "{retries}");
        }
    }
}

/// RST_STREAM with REFUSED_STREAM, for the stream of this id.
fn refusal(id: [u8; 4]) -> Vec<u8> {
    [&[0, 0, 4, 3, 0][..], &id, &[0, 0, 0, 7]].concat()
}

/// GOAWAY without an error: no stream was looked at, and none will be.
fn going_away(_: [u8; 4]) -> Vec<u8> {
    [&[0, 0, 8, 7, 0][..], &[0; 4], &[0; 4], &[0; 4]].concat()
}

/// GOAWAY with ENHANCE_YOUR_CALM: what is above its last stream was not looked at either.
fn calming(_: [u8; 4]) -> Vec<u8> {
    [&[0, 0, 8, 7, 0][..], &[0; 4], &[0; 4], &[0, 0, 0, 0xb]].concat()
}

/// RST_STREAM with INTERNAL_ERROR.
fn reset(id: [u8; 4]) -> Vec<u8> {
    [&[0, 0, 4, 3, 0][..], &id, &[0, 0, 0, 2]].concat()
}

/// RST_STREAM with ENHANCE_YOUR_CALM.
fn calming_reset(id: [u8; 4]) -> Vec<u8> {
    [&[0, 0, 4, 3, 0][..], &id, &[0, 0, 0, 0xb]].concat()
}

/// An HTTP/2 endpoint, frame by frame: meets the first stream of its life with `refusal` and
/// answers the others.
fn refusing_the_first_stream(refusal: fn([u8; 4]) -> Vec<u8>) -> (Origin, Arc<AtomicUsize>) {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    let streams = Arc::new(AtomicUsize::new(0));
    let counted = streams.clone();
    let origin = Origin::raw(move |mut stream: TcpStream| {
        let streams = counted.clone();
        async move {
            let mut preface = [0; 24];
            if stream.read_exact(&mut preface).await.is_err() {
                return;
            }
            let mut answer = vec![0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];
            loop {
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
                answer.clear();
                let mut head = [0; 9];
                if stream.read_exact(&mut head).await.is_err() {
                    return;
                }
                let [high, middle, low, kind, flags, id @ ..] = head;
                let length = u32::from_be_bytes([0, high, middle, low]) as usize;
                let mut payload = vec![0; length];
                if stream.read_exact(&mut payload).await.is_err() {
                    return;
                }
                if kind == SETTINGS && flags == 0 {
                    answer = vec![0, 0, 0, SETTINGS, 1, 0, 0, 0, 0];
                } else if kind == HEADERS {
                    if streams.fetch_add(1, Ordering::Relaxed) == 0 {
                        answer = refusal(id);
                    } else {
                        // `:status: 200` of HPACK's static table, END_HEADERS and END_STREAM.
                        answer = [&[0, 0, 1, HEADERS, 5][..], &id, &[0x88]].concat();
                    }
                }
            }
        }
    });
    (origin, streams)
}

#[test]
fn a_refused_stream_is_sent_again_whatever_its_method() {
    for refusal in [refusal, going_away, calming] {
        for (method, body, status, times) in
            [("GET", "", 200, 2), ("POST", "", 200, 2), ("POST", "x=1", 502, 1)]
        {
            let (origin, streams) = refusing_the_first_stream(refusal);
            let proxy = Setup::to(&origin).upstream("protocol = \"http2\"").start();
            let mut client = RawClient::connect(proxy.address("web"));
            let length = body.len();
            client.send(
                format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}")
                    .as_bytes(),
            );
            assert_eq!(client.answer().status, status, "{method} {body}");
            assert_eq!(streams.load(Ordering::Relaxed), times, "{method} {body}");
        }
    }
}

/// Without a byte of a response, a stream that is reset is as a connection that is closed.
#[test]
fn a_stream_that_is_reset_without_a_byte_is_sent_again_where_that_does_nothing_twice() {
    for refusal in [reset, calming_reset] {
        for (method, retries, status, times) in
            [("GET", 1, 200, 2), ("DELETE", 1, 200, 2), ("POST", 1, 502, 1), ("GET", 0, 502, 1)]
        {
            let (origin, streams) = refusing_the_first_stream(refusal);
            let lines = format!("protocol = \"http2\"\nretries = {retries}");
            let proxy = Setup::to(&origin).upstream(&lines).start();
            let answer = request(proxy.address("web"), method, "/", &[], b"");
            assert_eq!(answer.status, status, "{method} {retries}");
            assert_eq!(streams.load(Ordering::Relaxed), times, "{method} {retries}");
        }
    }
}

/// That a connection was stale is no try of its endpoint, and the next try is on a fresh one.
#[test]
fn a_stale_connection_uses_up_no_retry() {
    let served = Arc::new(AtomicUsize::new(0));
    let closing = Origin::raw(move |mut stream| {
        // Serves one request of its first three connections, and from then on none.
        let serves = served.fetch_add(1, Ordering::Relaxed) < 3;
        async move {
            read_head(&mut stream).await;
            if serves {
                let _ = stream.write_all(OK).await;
                read_head(&mut stream).await;
            }
        }
    });
    let good = Origin::saying("good");
    let proxy = Setup::to(&closing).start();
    // Three idle connections.
    let mut clients: Vec<_> = (0..3).map(|_| RawClient::connect(proxy.address("web"))).collect();
    for client in &mut clients {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for client in &mut clients {
        assert_eq!(client.answer().status, 200);
    }
    let both = Setup::to(&closing).and(good.url()).upstream("retries = 1").toml();
    proxy.reload(&both).expect("a good configuration");
    for number in 0..4 {
        let answer = request(proxy.address("web"), "GET", "/", &[], b"");
        assert_eq!(answer.text(), "good", "{number}: {answer:?}");
    }
}

/// A place that was waited for in vain is not waited for again.
#[test]
fn nobody_waits_twice_for_a_place() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let lines = "pool = { max_connections = 1 }\ntimeouts = { connect = \"300ms\" }\nretries = 3";
    let proxy = Setup::to(&origin).upstream(lines).start();
    let mut first = RawClient::connect(proxy.address("web"));
    first.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    weir_tests::until("the place is taken", || origin.connections() == 1);
    let answer = request(proxy.address("web"), "GET", "/", &[], b"");
    assert_eq!(answer.status, 503);
    let why = answer.header("proxy-status");
    assert_eq!(why, Some("weir; error=connection_limit_reached"));
    assert_eq!(proxy.metric("weir_upstream_retries_total{upstream=\"origin\"}"), 0.0);
}
