//! How messages end: what came of a broken one, and a client that closes its side.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use weir_tests::frames::{Frames, kind};
use weir_tests::{Gate, Origin, RawClient, Setup, until};

/// Head, chunk and end in one packet: what came arrives, and is no whole message.
#[test]
fn what_came_of_a_broken_response_arrives() {
    for (name, answer, ends) in [
        (
            "chunked",
            &b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n"[..],
            "4\r\npart\r\n",
        ),
        (
            "within a chunk",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\npart",
            "4\r\npart\r\n",
        ),
        (
            "no size",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n",
            "4\r\npart\r\n",
        ),
        (
            "longer than its size",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npartial\r\n",
            "4\r\npart\r\n",
        ),
        (
            "trailers that are none",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n0\r\n: x\r\n\r\n",
            "4\r\npart\r\n",
        ),
        ("length", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart", "\r\n\r\npart"),
    ] {
        let origin = Origin::replying(answer);
        let proxy = Setup::to(&origin).start();
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let text = String::from_utf8(client.rest()).expect("text");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{name}: {text:?}");
        assert!(text.ends_with(ends), "{name}: {text:?}");
        let mut client = Frames::connect(proxy.address("web"));
        let fields = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];
        client.head(1, true, &fields);
        assert_eq!(client.status(1), 200, "{name}");
        assert_eq!(client.find(kind::DATA, 1).expect("data").payload, b"part", "{name}");
        assert_eq!(client.next_frame().map(|frame| frame.kind), Some(kind::RST_STREAM), "{name}");
    }
}

/// A client that closes its side behind its request still listens.
#[test]
fn a_half_closed_client_gets_its_answers() {
    let gate = Gate::default();
    let at = gate.clone();
    let origin = Origin::answering(move |seen| {
        at.pass();
        let body = [seen.target.as_bytes(), &seen.body].concat();
        Response::new(Full::new(Bytes::from(body)))
    });
    let proxy = Setup::to(&origin).start();
    let mut clients = Vec::new();
    for (request, answers) in [
        (&b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"[..], &["/a"][..]),
        (b"POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody", &["/bbody"]),
        (
            b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
            &["/cbody"],
        ),
        (
            b"GET /d HTTP/1.1\r\nHost: a\r\n\r\nGET /e HTTP/1.1\r\nHost: a\r\n\r\n",
            &["/d", "/e"],
        ),
    ] {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(request);
        client.stream().shutdown(Shutdown::Write).expect("half closed");
        clients.push((client, answers));
    }
    gate.wait_for(1);
    gate.open();
    for (mut client, answers) in clients {
        for answer in answers {
            assert_eq!(client.answer().text(), *answer);
        }
        assert!(client.is_closed(), "{answers:?}");
    }
}

const GET: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];

/// However long the endpoint takes: as long as the route lets it.
#[test]
fn a_half_closed_client_waits_as_long_as_any_other() {
    let slow = Origin::answering(|_| {
        std::thread::sleep(Duration::from_millis(3500));
        Response::new(Full::new(Bytes::from_static(b"late")))
    });
    let proxy = Setup::to(&slow).start();
    let mut one = RawClient::connect(proxy.address("web"));
    one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    one.stream().shutdown(Shutdown::Write).expect("half closed");
    assert_eq!(one.answer().text(), "late");
    assert!(one.is_closed());
    let proxy = Setup::to(&slow).route("timeout = \"300ms\"").start();
    let mut one = RawClient::connect(proxy.address("web"));
    one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    one.stream().shutdown(Shutdown::Write).expect("half closed");
    assert_eq!(one.answer().status, 504);
}

/// The same over HTTP/2, of several streams, once all of their requests came as a whole.
#[test]
fn a_half_closed_client_of_http_2_gets_its_answers() {
    let gate = Gate::default();
    let at = gate.clone();
    let origin = Origin::answering(move |_| {
        at.pass();
        Response::new(Full::new(Bytes::from(vec![b'x'; 20_000])))
    });
    let proxy = Setup::to(&origin).start();
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, true, GET);
    let post = [(":method", "POST"), GET[1], GET[2], GET[3]];
    client.head(3, false, &post);
    client.send(kind::DATA, 1, 3, b"body");
    gate.wait_for(1);
    until("both have come", || proxy.metric("weir_requests_in_flight") == 2.0);
    // A turn for the codec, in which it could have noticed.
    client.all_is_read();
    client.stream().shutdown(Shutdown::Write).expect("half closed");
    std::thread::sleep(Duration::from_millis(200));
    gate.open();
    let (mut bytes, mut ends) = (0, 0);
    while let Some(frame) = client.next_frame() {
        if frame.kind == kind::DATA {
            bytes += frame.payload.len();
            ends += usize::from(frame.flags & 1);
        }
    }
    assert_eq!((bytes, ends), (40_000, 2));
}

/// Whoever closes within a request has gone away.
#[test]
fn a_client_that_closes_within_an_upload_is_gone() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, false, &[(":method", "POST"), GET[1], GET[2], GET[3]]);
    client.send(kind::DATA, 0, 1, b"bo");
    until("it has come", || proxy.metric("weir_requests_in_flight") == 1.0);
    let started = Instant::now();
    client.stream().shutdown(Shutdown::Write).expect("half closed");
    until("it is gone", || proxy.metric("weir_requests_in_flight") == 0.0);
    assert!(started.elapsed() < Duration::from_secs(10));
}

/// The system's timer of a connection between two ports, as /proc/net/tcp tells it: 2 is keep-alive.
#[cfg(target_os = "linux")]
fn timer(local: Option<u16>, remote: u16) -> Option<u8> {
    let port = |address: &str| u16::from_str_radix(address.split(':').nth(1)?, 16).ok();
    let table = std::fs::read_to_string("/proc/net/tcp").expect("a table");
    table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let [_, ours, theirs, state, _, timer, ..] = columns[..] else { return None };
        let fits = local.is_none_or(|local| port(ours) == Some(local));
        let timer = timer.split(':').next()?.parse().ok()?;
        (fits && port(theirs) == Some(remote) && state == "01").then_some(timer)
    })
}

/// A peer that is gone without a word is found out, on both sides, also behind a tunnel.
#[cfg(target_os = "linux")]
#[test]
fn silent_peers_are_asked_whether_they_are_there() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let origin = Origin::raw(|mut stream| async move {
        weir_tests::read_head(&mut stream).await;
        let answer = b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
        let _ = stream.write_all(answer).await;
        let _ = stream.read(&mut [0]).await;
    });
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert_eq!(client.answer().status, 101);
    let listener = proxy.address("web").port();
    let client_port = client.stream().local_addr().expect("an address").port();
    weir_tests::until("the client's side is asked", || {
        timer(Some(listener), client_port) == Some(2)
    });
    weir_tests::until("the endpoint's side is asked", || {
        timer(None, origin.address().port()) == Some(2)
    });
}

/// Who acknowledges nothing is given up as well: on sockets that listen, and so on all that they
/// accept, and on those to endpoints, for traffic and for probes.
#[cfg(target_os = "linux")]
#[test]
fn every_socket_has_an_end_with_a_peer_that_is_gone() {
    use socket2::{SockAddr, Socket};
    use weir_tests::tcp_sockets;

    use super::super::system::System;

    let origin = Origin::raw(|mut stream| async move {
        weir_tests::read_head(&mut stream).await;
        std::future::pending().await
    });
    let probe = "health = { path = \"/health\", timeout = \"1m\" }";
    let system = System::start(&Setup::to(&origin).upstream(probe));
    let mut client = RawClient::connect(system.web);
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let _operator = RawClient::connect(system.admin);
    let port = |address: std::io::Result<SockAddr>| Some(address.ok()?.as_socket()?.port());
    until("accepted by both, and two to the endpoint", || {
        let sockets = tcp_sockets(system.daemon.id());
        let accepted = |at: std::net::SocketAddr| {
            let mut those = sockets.iter().filter(|it| it.peer_addr().is_ok());
            those.any(|it| port(it.local_addr()) == Some(at.port()))
        };
        let to_endpoint = |it: &&Socket| port(it.peer_addr()) == Some(origin.address().port());
        accepted(system.web)
            && accepted(system.admin)
            && sockets.iter().filter(to_endpoint).count() >= 2
    });
    for socket in tcp_sockets(system.daemon.id()) {
        let what = (port(socket.local_addr()), port(socket.peer_addr()));
        assert!(socket.keepalive().expect("Linux"), "{what:?}");
        let patience = socket.tcp_user_timeout().expect("Linux").unwrap_or_default();
        assert!(patience >= Duration::from_secs(60), "{what:?}: {patience:?}");
    }
}
