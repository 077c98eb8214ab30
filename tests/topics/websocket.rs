//! Upgrades: through the plugins, to a tunnel that carries every byte both ways.

use std::io::{Read, Write};
use std::net::Shutdown;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_tests::{Origin, RawClient, Setup, read_head};

const SWITCH: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade, x-hop\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Accept: abc\r\nX-Hop: 1\r\nContent-Length: 0\r\n\r\nfirst";

/// Switches, sends `first` in the same piece, then what it reads; at the client's end, `bye`.
fn echo() -> Origin {
    Origin::raw(|mut stream| async move {
        let head = read_head(&mut stream).await;
        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
        if !head.contains("\r\nupgrade: websocket\r\n")
            || !head.contains("\r\nconnection: upgrade\r\n")
        {
            let _ =
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
            return;
        }
        let _ = stream.write_all(SWITCH).await;
        let mut space = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut space).await {
            let _ = stream.write_all(&space[..length]).await;
        }
        let _ = stream.write_all(b"bye").await;
    })
}

fn ask(fields: &str) -> Vec<u8> {
    format!(
        "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: x\r\n{fields}\r\n"
    )
    .into_bytes()
}

#[test]
fn a_tunnel_carries_every_byte_and_each_half_closes_alone() {
    let origin = echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(&ask(""));
    let answer = client.answer();
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("upgrade"), Some("websocket"));
    assert_eq!(answer.header("connection"), Some("upgrade"));
    assert_eq!(answer.header("sec-websocket-accept"), Some("abc"));
    assert_eq!(answer.header("x-hop"), None);
    assert_eq!(answer.header("content-length"), None);
    // What came in one piece with the 101.
    assert_eq!(client.exactly(5).as_deref(), Some(b"first".as_slice()));
    for message in ["GET / HTTP/1.1\r\nbare\nLF\0\r\n\r\n", "\x00\u{ff}", "last"] {
        client.send(message.as_bytes());
        assert_eq!(client.exactly(message.len()).as_deref(), Some(message.as_bytes()));
    }
    client.stream().shutdown(Shutdown::Write).expect("half closed");
    assert_eq!(client.rest(), b"bye");
}

/// A client may go on in the new protocol behind its request (RFC 9110, 7.8): what it says is not
/// looked at before the answer, and arrives with it.
#[test]
fn what_is_sent_before_the_answer_arrives() {
    let origin = echo();
    let proxy = Setup::to(&origin).start();
    let frames: [&[u8]; 4] = [b"EARLY", b"EARLY\r\n\r\nEARLY", b"\x81\x00\x0a\0", &[0; 300]];
    for early in frames {
        for in_one_piece in [true, false] {
            let mut client = RawClient::connect(proxy.address("web"));
            if in_one_piece {
                client.send(&[&ask("")[..], early].concat());
            } else {
                client.send(&ask(""));
                client.send(early);
            }
            assert_eq!(client.answer().status, 101, "{early:?}");
            assert_eq!(client.exactly(5).as_deref(), Some(b"first".as_slice()));
            assert_eq!(client.exactly(early.len()).as_deref(), Some(early), "{in_one_piece}");
        }
    }
}

/// Where the answer is another one, it is the next request, or none.
#[test]
fn what_follows_a_refused_upgrade_is_a_request() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    let next = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(&[&ask("")[..], next, next].concat());
    assert_eq!(client.answer().status, 200);
    for _ in 0..2 {
        assert!(client.answer().text().starts_with("GET /next\n"));
    }
    client.send(&ask(""));
    assert_eq!(client.answer().status, 200);
    client.send(&[&ask("")[..], b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"].concat());
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.answer().status, 400);
    assert!(client.is_closed());
}

#[test]
fn much_goes_through_a_tunnel_both_ways_at_once() {
    let origin = echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(&ask(""));
    assert_eq!(client.answer().status, 101);
    client.exactly(5);
    let mut writer = client.stream().try_clone().expect("a clone");
    let sent: Vec<u8> = (0..8 << 20).map(|at: u32| (at % 251) as u8).collect();
    let expected = sent.clone();
    let sending = std::thread::spawn(move || {
        writer.write_all(&sent).expect("sent");
        writer.shutdown(Shutdown::Write).expect("half closed");
    });
    let mut got = Vec::new();
    let mut stream = client.stream();
    stream.read_to_end(&mut got).expect("read");
    sending.join().expect("sent");
    assert_eq!(got.len(), expected.len() + 3);
    assert!(got.starts_with(&expected));
}

/// pingap#215: plugins run on the request that asks for the upgrade.
#[test]
fn plugins_run_on_the_upgrade_request() {
    let origin = echo();
    let proxy = Setup::to(&origin)
        .plugin("key-auth", "{ keys = [\"secret\"] }")
        .plugin("headers", "{ response = { set = { x-weir = \"yes\" } } }")
        .start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(&ask(""));
    assert_eq!(client.answer().status, 401);
    assert_eq!(origin.connections(), 0);
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(&ask("x-api-key: secret\r\n"));
    let answer = client.answer();
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("x-weir"), Some("yes"));
    assert_eq!(client.exactly(5).as_deref(), Some(b"first".as_slice()));
}

#[test]
fn a_refused_upgrade_is_an_ordinary_answer() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    for _ in 0..3 {
        client.send(&ask(""));
        let answer = client.answer();
        assert_eq!(answer.status, 200);
        assert!(answer.header("upgrade").is_none());
        assert!(answer.text().starts_with("GET /chat\n"));
    }
    assert_eq!(origin.connections(), 1);
}

/// HTTP/2 would be spoken behind the proxy's back; and HTTP/1.0 knows no upgrade.
#[test]
fn an_upgrade_that_is_none_is_not_passed_on() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket, H2C\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(request.as_bytes());
        assert_eq!(client.answer().status, 200, "{request}");
        let seen = origin.last().headers;
        assert!(!seen.contains_key("upgrade") && !seen.contains_key("connection"), "{seen:?}");
        assert!(!seen.contains_key("http2-settings"), "{seen:?}");
    }
}

#[test]
fn a_tunnel_survives_a_reload() {
    let origin = echo();
    let setup = Setup::to(&origin);
    let proxy = setup.start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(&ask(""));
    assert_eq!(client.answer().status, 101);
    client.exactly(5);
    let other = Setup::to(&origin).route("match = { path = \"/other\" }").toml();
    proxy.reload(&other).expect("a good configuration");
    let without = "[listeners.other]\nbind = \"127.0.0.1:0\"\n";
    for toml in [other.as_str(), without] {
        proxy.reload(toml).expect("a good configuration");
        client.send(b"still here");
        assert_eq!(client.exactly(10).as_deref(), Some(b"still here".as_slice()));
    }
}

#[test]
fn when_the_endpoint_goes_away_so_does_the_tunnel() {
    let origin = Origin::raw(|mut stream| async move {
        read_head(&mut stream).await;
        let _ = stream.write_all(SWITCH).await;
    });
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(&ask(""));
    assert_eq!(client.answer().status, 101);
    assert_eq!(client.rest(), b"first");
}
