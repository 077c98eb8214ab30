//! After every answer the connection is in step with the client, or closed.

use std::time::Duration;

use weir_tests::{Origin, RawClient, Setup};

/// A local reply: a plugin's, an error's, a route's that does not exist. The body of the request
/// holds a whole request, which must never be served as one.
#[test]
fn a_local_reply_never_takes_the_rest_of_a_body_for_a_request() {
    let origin = Origin::echo();
    let mock = "{ status = 200, body = \"mocked\" }";
    let by_plugin = Setup::to(&origin).plugin("mock", mock).start();
    let by_limit = Setup::to(&origin).listener("body_limit = \"10B\"").start();
    let by_route = Setup::to(&origin).route("match = { path = \"/only\" }").start();
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = smuggled.len();
    let chunk = format!("{length:x}\r\n{smuggled}\r\n0\r\n\r\n");
    for (name, proxy, status) in
        [("plugin", &by_plugin, 200), ("limit", &by_limit, 413), ("route", &by_route, 404)]
    {
        for (framing, fields, body) in [
            ("length", format!("Content-Length: {length}\r\n"), smuggled),
            ("chunks", "Transfer-Encoding: chunked\r\n".to_owned(), chunk.as_str()),
        ] {
            for apart in [false, true] {
                let case = format!("{name}, {framing}, apart: {apart}");
                let mut client = RawClient::connect(proxy.address("web"));
                let head = format!("POST /x HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
                if apart {
                    client.send(head.as_bytes());
                    std::thread::sleep(Duration::from_millis(30));
                    client.send(body.as_bytes());
                } else {
                    client.send(format!("{head}{body}").as_bytes());
                }
                assert_eq!(client.answer().status, status, "{case}");
                // Whatever comes now is the answer to the next request, or the end.
                client.send(b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                if let Some(next) = client.try_answer("GET") {
                    let expected = if name == "limit" { 200 } else { status };
                    assert_eq!(next.status, expected, "{case}");
                    assert!(!next.text().contains("smuggled"), "{case}: {}", next.text());
                    assert!(client.is_closed(), "{case}: a third answer");
                }
            }
        }
    }
    assert!(origin.seen().iter().all(|seen| seen.target == "/next"), "{:?}", origin.seen());
}

#[test]
fn a_pipeline_is_answered_in_order_and_up_to_the_bad_request() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    let good: String =
        (0..20).map(|number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n")).collect();
    client.send(format!("{good}GET /bad HTTP/1.1\r\nHost : a\r\n\r\n{good}").as_bytes());
    for number in 0..20 {
        let answer = client.answer();
        assert_eq!(answer.status, 200, "{number}");
        assert!(answer.text().starts_with(&format!("GET /{number}\n")), "{}", answer.text());
    }
    assert_eq!(client.answer().status, 400);
    assert!(client.is_closed());
    assert_eq!(origin.seen().len(), 20);
}

/// A slow first answer: the refusal of the second request waits for its turn.
#[test]
fn a_bad_request_behind_a_slow_answer_does_not_overtake_it() {
    let origin = Origin::raw(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        weir_tests::read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow").await;
        weir_tests::read_head(&mut stream).await;
    });
    let proxy = Setup::to(&origin).start();
    for apart in [false, true] {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        if apart {
            std::thread::sleep(Duration::from_millis(50));
        }
        client.send(b"GET / HTTP/1.1\r\nHost : a\r\n\r\n");
        let first = client.answer();
        assert_eq!((first.status, first.text()), (200, "slow".to_owned()), "apart: {apart}");
        assert_eq!(client.answer().status, 400, "apart: {apart}");
        assert!(client.is_closed(), "apart: {apart}");
    }
}

/// CVE-2026-2833: behind an Upgrade that is refused, requests are requests.
#[test]
fn after_a_refused_upgrade_the_next_bytes_are_a_request() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(
        b"GET /one HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\
          GET /two HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1\r\n\r\n",
    );
    assert!(client.answer().text().starts_with("GET /one\n"));
    let second = client.answer().text();
    assert!(second.starts_with("GET /two\n"), "{second}");
    // It went through the proxy's own reading, not past it.
    assert!(!second.contains("x_forwarded_for") && second.contains("via: 1.1 weir"), "{second}");
    client.send(b"GET /three HTTP/1.1\r\nHost : a\r\n\r\n");
    assert_eq!(client.answer().status, 400);
}

/// CVE-2026-2833: what a client sends before the endpoint has switched is nobody's yet. It waits, and
/// is the new protocol's once there is one (RFC 9110, 7.8).
#[test]
fn bytes_before_the_101_never_reach_the_endpoint_before_it() {
    let (told, seen) = std::sync::mpsc::channel();
    let told = std::sync::Mutex::new(told);
    let told = std::sync::Arc::new(told);
    let origin = Origin::raw(move |mut stream| {
        let told = told.clone();
        async move {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            weir_tests::read_head(&mut stream).await;
            let mut early = Vec::new();
            let waits = Duration::from_millis(100);
            let _ = tokio::time::timeout(waits, stream.read_to_end(&mut early)).await;
            let switch =
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
            let _ = stream.write_all(switch).await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            let _ = told.lock().expect("not poisoned").send((early, rest));
        }
    });
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\x01\x02\r\n",
    );
    client.stream().shutdown(std::net::Shutdown::Write).expect("its side ends");
    client.rest();
    let ended = seen.recv_timeout(Duration::from_secs(10));
    let (early, rest) = ended.expect("the endpoint's connection ended");
    assert_eq!((&early[..], &rest[..]), (&b""[..], &b"\x01\x02\r\n"[..]));
}

/// CVE-2026-2835: a body without a length ends with the connection, whatever the client asks for.
#[test]
fn http_1_0_is_kept_alive_only_where_the_body_has_an_end() {
    let origin = Origin::raw(|mut stream| async move {
        use tokio::io::AsyncWriteExt;
        let head = weir_tests::read_head(&mut stream).await;
        let sized = head.starts_with(b"GET /sized");
        let answer: &[u8] = match sized {
            true => b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody",
            false => b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nbody",
        };
        let _ = stream.write_all(answer).await;
    });
    let proxy = Setup::to(&origin).start();
    for (target, connection, kept) in [
        ("/sized", "keep-alive", true),
        ("/sized", "close", false),
        ("/sized", "x", false),
        ("/unsized", "keep-alive", false),
    ] {
        let mut client = RawClient::connect(proxy.address("web"));
        let request = format!("GET {target} HTTP/1.0\r\nConnection: {connection}\r\n\r\n");
        client.send(request.as_bytes());
        let answer = client.answer();
        let case = format!("{target}, {connection}: {answer:?}");
        assert_eq!(answer.text(), "body", "{case}");
        assert!(answer.header("transfer-encoding").is_none(), "{case}");
        client.send(b"GET /sized HTTP/1.0\r\n\r\n");
        assert_eq!(client.try_answer("GET").is_some(), kept, "{case}");
    }
}

#[test]
fn a_close_that_the_client_asks_for_happens() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for connection in ["close", "Close", "keep-alive, close"] {
        let mut client = RawClient::connect(proxy.address("web"));
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nConnection: {connection}\r\n\r\n");
        client.send(request.as_bytes());
        assert_eq!(client.answer().status, 200);
        assert!(client.is_closed(), "{connection}");
    }
}
