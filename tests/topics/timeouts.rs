//! Slow peers, on either side, are let go within the configured times.

mod heads;
mod slow;

use std::io::Write;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_tests::frames::Frames;
use weir_tests::{Origin, RawClient, Setup, get, read_head, request};

/// As long as a machine may be busy with other things. No default but that of `connect` is as short, nor
/// does a client wait for less: it was what is written that ended it.
const AT_MOST: Duration = Duration::from_secs(9);

fn within(name: &str, from: Duration, started: Instant) {
    let took = started.elapsed();
    assert!(took >= from && took < AT_MOST, "{name}: {took:?}");
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

/// A `timeout` that is written is from head to head, whatever the client sends meanwhile.
#[test]
fn a_written_timeout_is_not_prolonged_by_a_body() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).route("timeout = \"400ms\"").start();
    let mut client = RawClient::connect(proxy.address("web"));
    let started = Instant::now();
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut writer = client.stream().try_clone().expect("a clone");
    std::thread::spawn(move || {
        while writer.write_all(b"1\r\nx\r\n").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    assert_eq!(client.answer().status, 408);
    within("a body that drips", Duration::from_millis(400), started);
}

/// Neither for a place in the pool, nor for a connection, is there more time than for the answer.
#[test]
fn a_written_timeout_holds_before_there_is_a_connection() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let silent = silent.local_addr().expect("an address");
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    });
    let soon = format!(
        "pool = {{ max_connections = 1 }}\n\
         [routes.soon]\nmatch.path = \"/soon\"\nupstream = \"origin\"\ntimeout = \"400ms\"\n\
         [routes.mute]\nmatch.path = \"/mute\"\nupstream = \"mute\"\ntimeout = \"400ms\"\n\
         [upstreams.mute]\nendpoints = [\"https://{silent}\"]\ntls = {{ verify = false }}"
    );
    let proxy = Setup::to(&origin).upstream(&soon).start();
    let mut first = RawClient::connect(proxy.address("web"));
    first.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    weir_tests::until("it has the place", || origin.connections() == 1);
    for path in ["/soon", "/mute"] {
        let started = Instant::now();
        assert_eq!(get(proxy.address("web"), path).status, 504, "{path}");
        within(path, Duration::from_millis(400), started);
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

/// A route whose plugin reads bodies, with these times.
fn reading(origin: &Origin, timeouts: &str, listener: &str, route: &str) -> weir_tests::Proxy {
    weir_tests::Proxy::start(&format!(
        "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n{listener}\n\
         [plugins.reading]\ncomponent = {:?}\nlimits = {{ deadline = \"500ms\" }}\n\
         [routes.all]\nupstream = \"origin\"\nplugins = [\"reading\"]\n{route}\n\
         [upstreams.origin]\nendpoints = [{:?}]\ntimeouts = {{ {timeouts} }}\n",
        weir_tests::guest("faulty-reading"),
        origin.url(),
    ))
}

/// A hook that reads a body waits as long as the proxy itself would.
#[test]
fn a_hook_does_not_wait_longer_for_an_endpoint_than_the_proxy() {
    for (name, drips, timeouts, route, why) in [
        ("idle", false, "idle = \"300ms\"", "", "connection_read_timeout"),
        ("route", false, "", "timeout = \"300ms\"", "http_response_timeout"),
        ("route, dripping", true, "", "timeout = \"300ms\"", "http_response_timeout"),
    ] {
        let origin = Origin::raw(move |mut stream| async move {
            read_head(&mut stream).await;
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\nabc").await;
            while drips && stream.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            tokio::time::sleep(Duration::from_secs(60)).await;
        });
        let proxy = reading(&origin, timeouts, "", route);
        let started = Instant::now();
        let fields = [("x-fault", "response-read")];
        let answer = request(proxy.address("web"), "GET", "/", &fields, b"");
        assert_eq!(answer.status, 504, "{name}: {answer:?}");
        let expected = format!("weir; error={why}");
        assert_eq!(answer.header("proxy-status"), Some(expected.as_str()), "{name}");
        within(name, Duration::from_millis(300), started);
    }
}

#[test]
fn a_hook_does_not_wait_longer_for_a_client_than_the_proxy() {
    let origin = Origin::echo();
    for (name, fault, drips, listener, route) in [
        ("body_timeout", "read", false, "body_timeout = \"300ms\"", ""),
        ("route", "read", false, "", "timeout = \"300ms\""),
        ("route, dripping", "read", true, "", "timeout = \"300ms\""),
        // When it is told that the time is over, it takes longer than it may without a pause.
        ("route, thinking", "read-and-think", false, "", "timeout = \"300ms\""),
        (
            "least rate, dripping",
            "read",
            true,
            "min_body_rate = \"1KB\"\nmin_body_rate_window = \"300ms\"",
            "",
        ),
    ] {
        let proxy = reading(&origin, "", listener, route);
        let started = Instant::now();
        let mut client = RawClient::connect(proxy.address("web"));
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nX-Fault: {fault}\r\n");
        client.send(format!("{head}Content-Length: 9999\r\n\r\nabc").as_bytes());
        let mut writer = client.stream().try_clone().expect("a clone");
        std::thread::spawn(move || {
            while drips && writer.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let status = client.try_answer("POST").map(|answer| answer.status);
        // By the connection's own timeout it may end without a word.
        let silent = status.is_none() && name == "body_timeout";
        assert!(status == Some(408) || silent, "{name}: {status:?}");
        within(name, Duration::from_millis(300), started);
    }
    assert!(origin.seen().is_empty());
}

/// Slow loris with a body: a byte now and then buys time only up to the least rate.
#[test]
fn a_body_that_drips_is_a_408() {
    let origin = Origin::echo();
    let lines = "min_body_rate = \"1KB\"\nmin_body_rate_window = \"400ms\"";
    let proxy = Setup::to(&origin).listener(lines).start();
    let drip = |fields: &str| {
        let started = Instant::now();
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\n\r\n").as_bytes());
        let mut writer = client.stream().try_clone().expect("a clone");
        std::thread::spawn(move || {
            while writer.write_all(b"1\r\nx\r\n").is_ok() {
                std::thread::sleep(Duration::from_millis(30));
            }
        });
        let answer = client.try_answer("POST");
        (answer.map(|answer| answer.status), started.elapsed())
    };
    let (status, took) = drip("Transfer-Encoding: chunked");
    assert_eq!(status, Some(408));
    assert!(took >= Duration::from_millis(350), "{took:?}");
    // A media type is written quickly: it lifts no bound.
    for kind in ["application/grpc", "application/grpc+x", "text/event-stream"] {
        let fields = format!("Transfer-Encoding: chunked\r\nTE: trailers\r\nContent-Type: {kind}");
        drip(&fields);
    }
    assert!(origin.seen().is_empty());
}

/// Reads until the client says `!`.
async fn is_told(stream: &mut tokio::net::TcpStream) -> bool {
    let mut said = [0; 64];
    loop {
        match stream.read(&mut said).await {
            Ok(length @ 1..) if said[..length].contains(&b'!') => return true,
            Ok(1..) => {}
            _ => return false,
        }
    }
}

/// An endpoint that answers while it listens has a conversation, which may have pauses.
#[test]
fn a_conversation_may_have_pauses() {
    let origin = Origin::raw(|mut stream| async move {
        if read_head(&mut stream).await.starts_with(b"POST /silent") {
            return tokio::time::sleep(Duration::from_secs(60)).await;
        }
        let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let _ = stream.write_all(head).await;
        if is_told(&mut stream).await {
            let _ = stream.write_all(b"4\r\ndone\r\n0\r\n\r\n").await;
        }
    });
    let lines = "min_body_rate = \"1KB\"\nmin_body_rate_window = \"200ms\"";
    let proxy = Setup::to(&origin).listener(lines).start();
    let begin = |path: &str| {
        let mut client = RawClient::connect(proxy.address("web"));
        let fields = "Host: a\r\nTransfer-Encoding: chunked";
        client.send(format!("POST {path} HTTP/1.1\r\n{fields}\r\n\r\n").as_bytes());
        client
    };
    let mut client = begin("/");
    client.stream().peek(&mut [0]).expect("the endpoint answers");
    // As slow, and with nobody to talk to.
    let mut other = begin("/silent");
    let mut writer = other.stream().try_clone().expect("a clone");
    let refused = std::thread::spawn(move || other.try_answer("POST").map(|it| it.status));
    while !refused.is_finished() {
        client.send(b"1\r\nx\r\n");
        let _ = writer.write_all(b"1\r\nx\r\n");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(refused.join().expect("no panic"), Some(408));
    client.send(b"1\r\n!\r\n0\r\n\r\n");
    assert_eq!(client.answer().text(), "done");
}
