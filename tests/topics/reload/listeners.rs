//! Listeners added and removed by a reload.

use std::net::{SocketAddr, TcpListener, TcpStream};

use std::time::{Duration, Instant};

use weir_tests::{Origin, Proxy, RawClient, Setup, free_address, get, until};

fn config(origin: &Origin, listeners: &[(&str, SocketAddr)]) -> String {
    let listeners: String = listeners
        .iter()
        .map(|(name, address)| format!("[listeners.{name}]\nbind = \"{address}\"\n"))
        .collect();
    format!(
        "{listeners}
        [routes.all]
        match = {{ path = \"/*\" }}
        upstream = \"origin\"
        [upstreams.origin]
        endpoints = [\"{}\"]
        ",
        origin.url()
    )
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[test]
fn a_listener_that_is_added_serves_at_once() {
    let (origin, first, second) = (Origin::echo(), free_address(), free_address());
    let proxy = Proxy::start(&config(&origin, &[("first", first)]));
    let mut kept = RawClient::connect(first);
    kept.send(REQUEST);
    assert_eq!(kept.answer().status, 200);
    proxy.reload(&config(&origin, &[("first", first), ("second", second)])).expect("it reloads");
    assert_eq!(get(second, "/").status, 200);
    kept.send(REQUEST);
    assert_eq!(kept.answer().status, 200, "an idle connection of the other listener is kept");
}

#[test]
fn a_listener_that_is_removed_finishes_what_it_began() {
    let (first, second) = (free_address(), free_address());
    let origin = Origin::answering(|_| {
        // Long enough for the reload to be over.
        std::thread::sleep(std::time::Duration::from_millis(400));
        http::Response::new(http_body_util::Full::new(bytes::Bytes::from_static(b"late")))
    });
    let proxy = Proxy::start(&config(&origin, &[("first", first), ("second", second)]));
    let mut idle = RawClient::connect(second);
    idle.send(REQUEST);
    assert_eq!(idle.answer().status, 200);
    let mut busy = RawClient::connect(second);
    busy.send(REQUEST);
    until("the request never comes in", || proxy.metric("weir_requests_in_flight") >= 1.0);
    proxy.reload(&config(&origin, &[("first", first)])).expect("it reloads");
    assert!(TcpStream::connect(second).is_err(), "nobody listens there any more");
    assert!(idle.is_closed(), "an idle connection is closed");
    let answer = busy.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "late"));
    assert!(busy.is_closed(), "and then the connection");
    assert_eq!(get(first, "/").status, 200);
    // The address is free again.
    drop(TcpListener::bind(second).expect("the port is free"));
}

#[test]
fn a_listener_that_moves_serves_at_its_new_address() {
    let (origin, before, after) = (Origin::echo(), free_address(), free_address());
    let proxy = Proxy::start(&config(&origin, &[("web", before)]));
    assert_eq!(get(before, "/").status, 200);
    proxy.reload(&config(&origin, &[("web", after)])).expect("it reloads");
    assert_eq!(proxy.address("web"), after);
    assert_eq!(get(after, "/").status, 200);
    assert!(TcpStream::connect(before).is_err());
}

#[test]
fn a_listener_with_another_name_keeps_its_connections() {
    let (origin, address) = (Origin::echo(), free_address());
    let proxy = Proxy::start(&config(&origin, &[("old", address)]));
    let mut kept = RawClient::connect(address);
    kept.send(REQUEST);
    assert_eq!(kept.answer().status, 200);
    proxy.reload(&config(&origin, &[("new", address)])).expect("it reloads");
    assert_eq!(get(address, "/").status, 200);
    kept.send(REQUEST);
    let answer = kept.try_answer("GET");
    assert_eq!(answer.map(|answer| answer.status), Some(200), "the same address, another name");
}

/// What a connection gets for a request, after a reload from one table of limits to another.
fn on_an_open_connection(before: &str, after: &str, request: &[u8]) -> (u16, u16) {
    let (origin, address) = (Origin::echo(), free_address());
    let toml = |limits: &str| {
        // An origin has limits of its own.
        let toml = Setup::to(&origin).plugin("mock", "{}").listener(limits).toml();
        toml.replace("127.0.0.1:0", &address.to_string())
    };
    let proxy = Proxy::start(&toml(before));
    let mut kept = RawClient::connect(address);
    kept.send(request);
    let first = kept.answer().status;
    proxy.reload(&toml(after)).expect("it reloads");
    kept.send(request);
    let then = kept.try_answer("GET").unwrap_or_else(|| {
        // What its codec was made with cannot be changed: a client connects anew.
        let mut fresh = RawClient::connect(address);
        fresh.send(request);
        fresh.answer()
    });
    (first, then.status)
}

#[test]
fn limits_of_a_head_hold_for_open_connections_too() {
    let head = |fields: usize, length: usize| {
        let field = |at| format!("x-{at}: {}\r\n", "a".repeat(length));
        let fields: String = (0..fields).map(field).collect();
        format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n").into_bytes()
    };
    for (before, after, request, expected) in [
        ("", "max_headers = 3", head(4, 1), (200, 431)),
        ("max_headers = 6", "", head(4, 1), (200, 200)),
        ("", "max_header_bytes = \"8KiB\"", head(1, 12_000), (200, 431)),
        // Beyond what its codec was made for.
        ("", "max_header_bytes = \"512KiB\"", head(2, 100_000), (431, 200)),
        ("", "max_headers = 300", head(250, 1), (431, 200)),
    ] {
        let got = on_an_open_connection(before, after, &request);
        assert_eq!(got, expected, "{before:?} → {after:?}");
    }
}

#[test]
fn timeouts_hold_for_open_connections_too() {
    let (origin, address) = (Origin::echo(), free_address());
    let toml = |limits: &str| {
        let toml = Setup::to(&origin).listener(limits).toml();
        toml.replace("127.0.0.1:0", &address.to_string())
    };
    let proxy = Proxy::start(&toml(""));
    let open = || {
        let mut client = RawClient::connect(address);
        client.send(REQUEST);
        assert_eq!(client.answer().status, 200);
        client
    };
    let (mut idle, mut head, mut body) = (open(), open(), open());
    head.send(b"GET / HT");
    body.send(b"POST / HTTP/1.1\r\nhost: a\r\n");
    let short = "idle_timeout = \"300ms\"\nheader_timeout = \"300ms\"\nbody_timeout = \"300ms\"";
    let since = Instant::now();
    proxy.reload(&toml(short)).expect("it reloads");
    body.send(b"content-length: 9\r\n\r\nbody");
    assert!(idle.is_closed());
    assert_eq!(head.answer().status, 408);
    assert_eq!(body.answer().status, 408);
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    // And back.
    let (mut idle, longer) = (open(), Duration::from_millis(1_200));
    proxy.reload(&toml("")).expect("it reloads");
    std::thread::sleep(longer);
    idle.send(REQUEST);
    assert_eq!(idle.answer().status, 200);
}

#[test]
fn the_least_rate_of_bodies_holds_for_open_connections_too() {
    let (origin, address) = (Origin::echo(), free_address());
    let toml = |limits: &str| {
        let toml = Setup::to(&origin).listener(limits).toml();
        toml.replace("127.0.0.1:0", &address.to_string())
    };
    let proxy = Proxy::start(&toml(""));
    let mut kept = RawClient::connect(address);
    kept.send(REQUEST);
    assert_eq!(kept.answer().status, 200);
    let fast = "min_body_rate = \"1MiB\"\nmin_body_rate_window = \"1s\"";
    proxy.reload(&toml(fast)).expect("it reloads");
    kept.send(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 99\r\n\r\n");
    let mut writer = kept.stream().try_clone().expect("a clone");
    let dripping = std::thread::spawn(move || {
        // Slow is what this client is meant to be.
        for _ in 0..40 {
            std::thread::sleep(Duration::from_millis(100));
            if std::io::Write::write_all(&mut writer, b"x").is_err() {
                return;
            }
        }
    });
    assert_eq!(kept.answer().status, 408);
    dripping.join().expect("no panic");
}
