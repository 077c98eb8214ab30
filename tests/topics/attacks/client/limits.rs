//! Limits of a listener: at the limit a request passes, one beyond it is refused.

use std::time::Duration;

use http::Response;
use http_body_util::Full;
use tokio::io::AsyncWriteExt;
use weir_tests::frames::Frames;
use weir_tests::{Gate, Origin, RawClient, Setup, get, get_from, read_head, request, until};

/// From endpoints without limits of their own.
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

#[test]
fn connections_beyond_the_limit_are_closed_and_room_is_given_back() {
    let gate = Gate::default();
    let at = gate.clone();
    let origin = Origin::answering(move |seen| {
        if seen.target == "/wait" {
            at.pass();
        }
        Response::new(Full::default())
    });
    let setup = Setup::to(&origin).server("workers = 2").listener("max_connections = 2");
    let proxy = setup.start();
    let waits = || {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
        client
    };
    let ask = || {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        client.try_answer("GET").map(|answer| answer.status)
    };
    let mut clients = [waits(), waits()];
    until("both are asked on", || proxy.metric("weir_requests_in_flight") == 2.0);
    for _ in 0..5 {
        assert_eq!(ask(), None);
    }
    gate.open();
    assert_eq!(clients.each_mut().map(|client| client.answer().status), [200, 200]);
    // What has served and is idle gives way.
    until("there is room", || ask() == Some(200));
    drop(clients);
    until("room was given back", || ask() == Some(200));
    assert!(proxy.metric(r#"weir_connections_rejected_total{listener="web"}"#) >= 5.0);
}

/// Connections that ask for nothing keep nobody out: those of whoever has most give way.
#[test]
fn silent_connections_keep_nobody_out() {
    let origin = Origin::echo();
    let setup = Setup::to(&origin).server("workers = 2").listener("max_connections = 8");
    for asks in [false, true] {
        let proxy = setup.start();
        // Three quarters of the places are one's own, and each of two has them in turn.
        let mut clients = Vec::new();
        for (source, count) in [([127, 0, 0, 1], 6), ([127, 0, 0, 8], 2)] {
            let connect = || RawClient::connect_from(source, proxy.address("web"));
            clients.extend(std::iter::repeat_with(connect).take(count));
            // What the second may have depends on what the first has.
            let all = clients.len() as f64;
            let open = || proxy.metric(r#"weir_connections{listener="web"}"#);
            until("all are there", || open() == all);
        }
        for client in &mut clients {
            match asks {
                true => {
                    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                    assert_eq!(client.answer().status, 200);
                }
                false => client.send(b"G"),
            }
        }
        if !asks {
            // A head that has just begun to come is not taken for one that never ends.
            std::thread::sleep(Duration::from_millis(1500));
        }
        // Nor is anybody kept out who comes from the same address.
        assert_eq!(get(proxy.address("web"), "/").status, 200);
        for _ in 0..20 {
            assert_eq!(get_from([127, 0, 0, 9], proxy.address("web"), "/").status, 200);
        }
        // One that is open on both sides, and idle.
        let mut kept = RawClient::connect_from([127, 0, 0, 10], proxy.address("web"));
        for _ in 0..10 {
            let mut silent = RawClient::connect(proxy.address("web"));
            silent.send(b"G");
            kept.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(kept.answer().status, 200);
        }
    }
}

/// Nor do connections with requests under way: one address has three quarters of what others leave.
#[test]
fn requests_under_way_keep_nobody_out() {
    let origin = Origin::raw(|mut stream| async move {
        let head = read_head(&mut stream).await;
        if head.starts_with(b"GET /wait") {
            return tokio::time::sleep(Duration::from_secs(120)).await;
        }
        let _ = stream.write_all(OK).await;
    });
    let setup = Setup::to(&origin).server("workers = 2").listener("max_connections = 16");
    let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/wait")];
    for http2 in [false, true] {
        let proxy = setup.start();
        let (mut plain, mut streams) = (Vec::new(), Vec::new());
        for _ in 0..24 {
            if http2 {
                let mut client = Frames::connect(proxy.address("web"));
                client.head(1, true, &fields);
                streams.push(client);
            } else {
                let mut client = RawClient::connect(proxy.address("web"));
                client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
                plain.push(client);
            }
        }
        until("it has what one may have", || {
            proxy.metric("weir_requests_in_flight") == 12.0
                && proxy.metric(r#"weir_connections{listener="web"}"#) == 12.0
        });
        for last in 9..15 {
            let answer = get_from([127, 0, 0, last], proxy.address("web"), "/");
            assert_eq!(answer.status, 200, "HTTP/2: {http2}");
        }
        assert_eq!(proxy.metric("weir_requests_in_flight"), 12.0, "nobody was cut off");
    }
    // A trusted proxy speaks for many clients.
    let proxy = setup.server("trusted_proxies = [\"127.0.0.1/32\"]").start();
    let clients: Vec<_> = (0..16)
        .map(|_| {
            let mut client = RawClient::connect(proxy.address("web"));
            client.send(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    until("it has all", || proxy.metric("weir_requests_in_flight") == 16.0);
    drop(clients);
}

#[test]
fn a_body_may_be_as_long_as_the_limit() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).listener("body_limit = \"10B\"").start();
    for (length, status) in [(0, 200), (10, 200), (11, 413), (1000, 413)] {
        let body = vec![b'x'; length];
        let answer = request(proxy.address("web"), "POST", "/", &[], &body);
        assert_eq!(answer.status, status, "{length}");
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for byte in &body {
            client.send(&[b"1\r\n", std::slice::from_ref(byte), b"\r\n"].concat());
        }
        client.send(b"0\r\n\r\n");
        assert_eq!(client.answer().status, status, "{length} in chunks");
    }
}

#[test]
fn fields_beyond_the_number_are_431() {
    let origin = Origin::replying(OK);
    for (limit, setup) in [
        (100, Setup::to(&origin)),
        (20, Setup::to(&origin).listener("max_headers = 20")),
        (300, Setup::to(&origin).listener("max_headers = 300")),
    ] {
        let proxy = setup.start();
        for (fields, status) in [(limit, 200), (limit + 1, 431)] {
            // `Host` is one of them.
            let lines: String = (1..fields).map(|number| format!("x-{number}: 1\r\n")).collect();
            let mut client = RawClient::connect(proxy.address("web"));
            client.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n").as_bytes());
            assert_eq!(client.answer().status, status, "{fields} of {limit}");
            if status == 431 {
                assert!(client.is_closed(), "{fields} of {limit}");
            }
        }
    }
}

#[test]
fn a_head_beyond_the_size_is_431_and_the_answer_arrives() {
    let origin = Origin::replying(OK);
    for (limit, setup) in [
        (64 << 10, Setup::to(&origin)),
        (8 << 10, Setup::to(&origin).listener("max_header_bytes = \"8KiB\"")),
        (1 << 20, Setup::to(&origin).listener("max_header_bytes = \"1MiB\"")),
    ] {
        let proxy = setup.start();
        let frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n".len();
        for (size, status) in [(limit, 200), (limit + 1, 431), (limit * 8, 431)] {
            let value = "y".repeat(size - frame);
            let mut client = RawClient::connect(proxy.address("web"));
            client.send(format!("GET / HTTP/1.1\r\nHost: a\r\nX: {value}\r\n\r\n").as_bytes());
            assert_eq!(client.answer().status, status, "{size} of {limit}");
        }
        // The request line counts too.
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "y".repeat(limit)).as_bytes());
        assert_eq!(client.answer().status, 431, "a target beyond {limit}");
        assert_eq!(get(proxy.address("web"), "/").status, 200);
    }
}

#[test]
fn a_thousand_idle_connections_cost_no_answer() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let idle: Vec<RawClient> =
        (0..1000).map(|_| RawClient::connect(proxy.address("web"))).collect();
    assert_eq!(get(proxy.address("web"), "/").status, 200);
    drop(idle);
    assert_eq!(get(proxy.address("web"), "/").status, 200);
}

/// A browser's page reads no answer without these fields, a refusal as little as another.
#[test]
fn a_body_beyond_the_limit_is_refused_with_what_the_chain_adds() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin)
        .listener("body_limit = \"3B\"")
        .plugin("cors", "{ allow_origins = [\"https://app.example\"] }")
        .start();
    let fields = [("origin", "https://app.example")];
    let answer = request(proxy.address("web"), "POST", "/", &fields, b"body");
    assert_eq!(answer.status, 413);
    let allowed = answer.header("access-control-allow-origin");
    assert_eq!(allowed, Some("https://app.example"), "{answer:?}");
    assert!(origin.seen().is_empty());
}

/// A plugin that cannot read a body because it is too long has not failed: the client has.
#[test]
fn a_body_beyond_what_a_plugin_reads_is_a_413() {
    let origin = Origin::echo();
    let toml = format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.reads]\ncomponent = \"{}\"\n\
         [routes.all]\nplugins = [\"reads\"]\nupstream = \"origin\"\n\
         [upstreams.origin]\nendpoints = [\"{}\"]\n",
        weir_tests::guest("faulty-reading").display(),
        origin.url()
    );
    let proxy = weir_tests::Proxy::start(&toml);
    let ask = |fault: &str, length: usize| {
        let body = vec![b'x'; length];
        request(proxy.address("web"), "POST", "/", &[("x-fault", fault)], &body).status
    };
    assert_eq!(ask("read", 1 << 20), 200);
    assert_eq!(ask("read", (1 << 20) + 1), 413);
    // Another failure of the same plugin is its own.
    assert_eq!(ask("error", 4), 500);
    assert!(origin.seen().iter().all(|seen| seen.body.len() == 1 << 20));
}
