//! Slow peers, on either side, are let go within the configured times.

use std::io::Write;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use weir_tests::frames::Frames;
use weir_tests::{Origin, RawClient, Setup, get, read_head, request};

/// Sweeps are 250 ms apart, one of grace is granted, and the machine is shared.
const SLACK: Duration = Duration::from_secs(3);

fn within(name: &str, from: Duration, started: Instant) {
    let took = started.elapsed();
    assert!(took >= from && took < from + SLACK, "{name}: {took:?}");
}

#[test]
fn a_head_that_never_ends_is_a_408() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).listener("header_timeout = \"300ms\"").start();
    let address = proxy.address("web");
    let started = Instant::now();
    let mut client = RawClient::connect(address);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n");
    assert_eq!(client.answer().status, 408);
    assert!(client.is_closed());
    within("a head that stops", Duration::from_millis(300), started);
    // Drip by drip.
    let mut client = RawClient::connect(address);
    let mut writer = client.stream().try_clone().expect("a clone");
    std::thread::spawn(move || {
        let _ = writer.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nX: ");
        while writer.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let started = Instant::now();
    assert_eq!(client.answer().status, 408);
    within("a head that drips", Duration::from_millis(300), started);
    // A second head on a kept connection.
    let mut client = RawClient::connect(address);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    client.send(b"GET / HT");
    assert_eq!(client.answer().status, 408);
}

#[test]
fn silent_and_idle_connections_are_closed_without_a_word() {
    let origin = Origin::echo();
    let lines = "header_timeout = \"300ms\"\nidle_timeout = \"600ms\"";
    let proxy = Setup::to(&origin).listener(lines).start();
    let started = Instant::now();
    let mut client = RawClient::connect(proxy.address("web"));
    assert_eq!(client.rest(), b"");
    within("silent", Duration::from_millis(300), started);
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let started = Instant::now();
    assert_eq!(client.rest(), b"");
    within("idle", Duration::from_millis(550), started);
    let mut client = Frames::connect(proxy.address("web"));
    let started = Instant::now();
    while client.next_frame().is_some() {}
    within("idle h2", Duration::from_millis(550), started);
}

#[test]
fn a_tls_handshake_has_its_time() {
    let origin = Origin::echo();
    let certificates = weir_tests::Certificates::for_names(&["localhost"]);
    let tls = format!(
        "handshake_timeout = \"300ms\"\ntls = {{ certificates = [{{ cert = {:?}, key = {:?} }}] }}",
        certificates.cert(),
        certificates.key()
    );
    let proxy = Setup::to(&origin).listener(&tls).start();
    let started = Instant::now();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"\x16\x03\x01");
    client.rest();
    within("a handshake", Duration::from_millis(300), started);
}

#[test]
fn a_body_that_stops_is_a_408_and_never_a_whole_request() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).listener("body_timeout = \"400ms\"").start();
    let started = Instant::now();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
    let status = client.try_answer("POST").map(|answer| answer.status);
    assert!(matches!(status, None | Some(408)), "{status:?}");
    assert!(client.is_closed());
    within("a body", Duration::from_millis(400), started);
    assert!(origin.seen().is_empty());
    // One that goes on, slowly, is let in.
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    for _ in 0..10 {
        std::thread::sleep(Duration::from_millis(100));
        client.send(b"x");
    }
    assert_eq!(client.answer().status, 200);
}

#[test]
fn a_client_that_does_not_read_is_let_go() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
        while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
    });
    let proxy = Setup::to(&origin).listener("body_timeout = \"400ms\"").start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let gauge = r#"weir_connections{listener="web"}"#;
    let deadline = Instant::now() + Duration::from_secs(10);
    while proxy.metric(gauge) != 1.0 {
        assert!(Instant::now() < deadline, "{}", proxy.metrics());
        std::thread::sleep(Duration::from_millis(20));
    }
    while proxy.metric(gauge) != 0.0 {
        assert!(Instant::now() < deadline, "it is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn an_endpoint_that_does_not_answer_is_a_504() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    for (name, setup) in [
        ("first byte", Setup::to(&origin).upstream("timeouts = { first_byte = \"300ms\" }")),
        ("route", Setup::to(&origin).route("timeout = \"300ms\"")),
    ] {
        let proxy = setup.start();
        for (method, body) in [("GET", &b""[..]), ("POST", b"body")] {
            let started = Instant::now();
            let answer = request(proxy.address("web"), method, "/", &[], body);
            assert_eq!(answer.status, 504, "{name}: {answer:?}");
            let why = answer.header("proxy-status");
            assert_eq!(why, Some("weir; error=http_response_timeout"), "{name}");
            within(name, Duration::from_millis(300), started);
        }
    }
}

/// It neither takes the body nor answers: nobody else would end the exchange.
#[test]
fn an_endpoint_that_does_not_read_is_a_504() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let proxy = Setup::to(&origin).upstream("timeouts = { first_byte = \"500ms\" }").start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    let mut writer = client.stream().try_clone().expect("a clone");
    std::thread::spawn(move || while writer.write_all(&[b'x'; 65_536]).is_ok() {});
    assert_eq!(client.answer().status, 504);
}

#[test]
fn an_endpoint_that_stops_in_a_body_breaks_the_answer() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let proxy = Setup::to(&origin).upstream("timeouts = { idle = \"300ms\" }").start();
    let started = Instant::now();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(client.try_answer("GET").is_none());
    within("a response body", Duration::from_millis(300), started);
}

/// A listener whose backlog is full takes no connection: the handshake is never answered.
#[test]
fn an_endpoint_that_cannot_be_reached_is_a_504() {
    use std::net::{SocketAddr, TcpListener, TcpStream};
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let mut waiting = Vec::new();
    let connect =
        |address: &SocketAddr| TcpStream::connect_timeout(address, Duration::from_millis(200));
    while let Ok(stream) = connect(&address) {
        waiting.push(stream);
        assert!(waiting.len() < 10_000, "the backlog has no end");
    }
    let setup = Setup::to_url(format!("http://{address}"));
    let proxy = setup.upstream("timeouts = { connect = \"300ms\" }\nretries = 0").start();
    let started = Instant::now();
    let answer = get(proxy.address("web"), "/");
    assert_eq!(answer.status, 504, "{answer:?}");
    assert_eq!(answer.header("proxy-status"), Some("weir; error=connection_timeout"));
    within("connecting", Duration::from_millis(300), started);
}
