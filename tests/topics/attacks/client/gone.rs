//! Clients that are gone: what they asked for keeps nothing, whatever the endpoint is still doing.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use weir_tests::endpoint::framed;
use weir_tests::frames::{END_HEADERS, END_STREAM, Frames, block, kind};
use weir_tests::{Certificates, Gate, Origin, RawClient, Setup, get_from, until};

use super::super::system::{BINARY, System};

const GET: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/")];

/// An endpoint that answers no request but those for `/now` before the gate is open.
fn waiting(gate: &Gate) -> Origin {
    let gate = gate.clone();
    Origin::answering(move |seen| {
        if seen.target != "/now" {
            gate.pass();
        }
        Response::new(Full::new(Bytes::from_static(b"late")))
    })
}

/// Another that answers only `/now`, and the others never.
fn silent() -> Origin {
    Origin::raw(|mut stream| async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let head = weir_tests::read_head(&mut stream).await;
        if head.starts_with(b"GET /now") {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(answer).await;
        } else {
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    })
}

/// A closed socket and one that is only shut down have sent the same: FIN.
#[test]
fn who_closed_or_reset_holds_nothing() {
    let gate = Gate::default();
    let origin = waiting(&gate);
    let proxy = Setup::to(&origin).start();
    for request in [
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nearly",
    ] {
        for resets in [false, true] {
            let mut client = RawClient::connect(proxy.address("web"));
            client.send(request.as_bytes());
            until("it has come", || proxy.metric("weir_requests_in_flight") >= 1.0);
            match resets {
                true => client.reset(),
                false => drop(client),
            }
            until(&format!("it is gone ({resets}): {request:?}"), || {
                proxy.metric("weir_requests_in_flight") == 0.0
            });
        }
    }
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, true, GET);
    // All that comes is read, so that the close is no reset.
    client.all_is_read();
    until("it has come", || proxy.metric("weir_requests_in_flight") == 1.0);
    drop(client);
    until("the stream is gone", || proxy.metric("weir_requests_in_flight") == 0.0);
    gate.open();
}

/// Whose place is wanted is asked at once.
#[test]
fn who_closed_keeps_nobody_out_of_a_full_listener() {
    let origin = silent();
    let proxy = Setup::to(&origin).listener("max_connections = 8").start();
    for round in 0..4 {
        for _ in 0..8 {
            let mut client = RawClient::connect(proxy.address("web"));
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        }
        until("somebody else has his turn", || {
            let stream = RawClient::try_connect(proxy.address("web"));
            stream.is_ok_and(|mut client| {
                client.send(b"GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
                client.try_answer("GET").is_some_and(|answer| answer.status == 200)
            })
        });
        until(&format!("all are gone, {round}"), || proxy.metric("weir_requests_in_flight") == 0.0);
    }
}

/// Their descriptors come back when there are none left.
#[test]
fn who_closed_takes_no_descriptors_from_others() {
    let origin = silent();
    let system = System::start_as(&Setup::to(&origin).server("workers = 1"), |command| {
        let folder = command.get_current_dir().expect("a folder").to_owned();
        let (stdin, stdout) = (std::process::Stdio::null(), std::process::Stdio::piped());
        *command = Command::new("prlimit");
        command.args(["--nofile=128:128", BINARY, "run"]).current_dir(&folder);
        command.stdin(stdin).stdout(stdout).env("XDG_CACHE_HOME", folder.join("cache"));
    });
    let innocent = || {
        RawClient::try_connect(system.web).is_ok_and(|mut client| {
            client.send(b"GET /now HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            client.try_answer("GET").is_some_and(|answer| answer.status == 200)
        })
    };
    for _ in 0..3 {
        for _ in 0..200 {
            if let Ok(mut client) = RawClient::try_connect(system.web) {
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            }
        }
        until("somebody else has his turn", innocent);
    }
    until("all are gone", || system.metric("weir_requests_in_flight") == 0.0);
}

/// What a client has under way elsewhere is not counted against it once it has left that.
#[test]
fn who_left_his_requests_may_ask_again() {
    let origin = silent();
    let proxy =
        Setup::to(&origin).plugin("rate-limit", "{ rate = 1000000, in_flight = 2 }").start();
    let client = [127, 0, 0, 21];
    for _ in 0..2 {
        let mut leaves = RawClient::connect_from(client, proxy.address("web"));
        leaves.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    until("both have come", || proxy.metric("weir_requests_in_flight") == 2.0);
    assert_eq!(get_from(client, proxy.address("web"), "/now").status, 429);
    until("it is served again", || get_from(client, proxy.address("web"), "/now").status == 200);
}

/// Waits to be told to go on.
fn ask_slowly(head: &[u8], body: &[u8], address: std::net::SocketAddr) -> RawClient {
    let mut client = RawClient::connect(address);
    client.send(head);
    let mut told = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    client.stream().read_exact(&mut told).expect("an interim response");
    assert!(told.starts_with(b"HTTP/1.1 100 "));
    client.send(body);
    client.stream().shutdown(Shutdown::Write).expect("half closed");
    client
}

/// Whoever still listens gets the very bytes of its answer, however often it was asked.
#[test]
fn who_only_closed_its_side_gets_its_whole_answer_however_late() {
    let gate = Gate::default();
    let origin = waiting(&gate);
    let proxy = Setup::to(&origin).start();
    let ask = |request: &[u8]| {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(request);
        client.stream().shutdown(Shutdown::Write).expect("half closed");
        client
    };
    let mut clients = vec![
        (ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 1),
        (ask(b"GET / HTTP/1.0\r\n\r\n"), 1),
        (ask(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"), 1),
        (ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 2),
        (ask(b"GET /now HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), 2),
    ];
    // It was told to go on, and that is no answer.
    let expects =
        b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    let mut expects = ask_slowly(expects, b"ab", proxy.address("web"));
    let mut streams = Frames::connect(proxy.address("web"));
    streams.head(1, true, GET);
    streams.head(3, true, GET);
    streams.all_is_read();
    streams.stream().shutdown(Shutdown::Write).expect("half closed");
    // One byte of the answer is a question that has come: the third comes after 3.75 s.
    let stream = clients[0].0.stream().try_clone().expect("the same socket");
    let mut begin = [0; 3];
    (&stream).read_exact(&mut begin).expect("questions");
    assert_eq!(&begin, b"HTT");
    gate.open();
    let text = String::from_utf8(clients.remove(0).0.rest()).expect("text");
    assert!(text.starts_with("P/1.1 200 OK\r\n") && text.ends_with("\r\n\r\nlate"), "{text}");
    let text = String::from_utf8(expects.rest()).expect("text");
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("late"), "{text}");
    for (mut client, answers) in clients {
        let text = String::from_utf8(client.rest()).expect("text");
        assert!(text.starts_with("HTTP/1."), "{text}");
        assert_eq!(text.matches("HTTP/1.").count(), answers, "{text}");
        assert_eq!(text.matches(" 200 OK\r\n").count(), answers, "{text}");
        assert_eq!(text.matches("\r\n\r\nlate").count(), answers, "{text}");
    }
    let (mut whole, mut questions) = (0, 0);
    while let Some(frame) = streams.next_frame() {
        match frame.kind {
            kind::DATA => whole += usize::from(frame.payload == b"late"),
            0x2a => questions += 1,
            _ => {}
        }
    }
    assert_eq!(whole, 2);
    assert!(questions >= 2, "{questions}");
}

fn over_tls(certificates: &Certificates, address: std::net::SocketAddr) -> Tls {
    let name = ServerName::try_from("localhost").expect("a name");
    let connection =
        ClientConnection::new(certificates.client_config(&[]), name).expect("a client");
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).expect("connected"));
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("sent");
    stream
}

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Over TLS a client says that it sends no more; its FIN may come with that, or never.
#[test]
fn over_tls_who_only_closed_its_side_gets_its_answer_and_who_is_gone_holds_nothing() {
    let certificates = Certificates::for_names(&["localhost"]);
    let pair = format!("{{ cert = {:?}, key = {:?} }}", certificates.cert(), certificates.key());
    let gate = Gate::default();
    let origin = waiting(&gate);
    let proxy =
        Setup::to(&origin).listener(&format!("tls = {{ certificates = [{pair}] }}")).start();
    let connect = || over_tls(&certificates, proxy.address("web"));
    for says in [true, false] {
        let mut gone = connect();
        until("it has come", || proxy.metric("weir_requests_in_flight") == 1.0);
        if says {
            gone.conn.send_close_notify();
            gone.flush().expect("sent");
        }
        drop(gone);
        until("it is gone", || proxy.metric("weir_requests_in_flight") == 0.0);
    }
    let clients = [false, true].map(|ends| {
        let mut listens = connect();
        listens.conn.send_close_notify();
        listens.flush().expect("sent");
        if ends {
            listens.sock.shutdown(Shutdown::Write).expect("half closed");
        }
        listens
    });
    until("both have come", || proxy.metric("weir_requests_in_flight") == 2.0);
    // The first question has come.
    std::thread::sleep(Duration::from_secs(2));
    gate.open();
    for mut client in clients {
        let mut text = String::new();
        // Its end may be without a word, for the client had said so.
        let _ = client.read_to_string(&mut text);
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text:?}");
        assert!(text.ends_with("\r\n\r\nlate"), "{text:?}");
    }
}

/// What came before the client's end may be read only later, or wait for a place.
#[test]
fn over_http2_the_end_may_come_with_the_request() {
    let gate = Gate::default();
    let origin = waiting(&gate);
    let proxy = Setup::to(&origin).upstream("pool = { max_connections = 1 }").start();
    let post: Vec<_> = GET
        .iter()
        .map(|&(name, value)| match name {
            ":method" => (name, "POST"),
            _ => (name, value),
        })
        .collect();
    let ask = |body: Option<&[u8]>| {
        let mut client = Frames::connect(proxy.address("web"));
        // All that it says on its own is read, so that what follows is one read with the end.
        client.all_is_read();
        let mut bytes = framed(kind::HEADERS, END_HEADERS | END_STREAM, 1, &block(GET));
        if let Some(body) = body {
            bytes = framed(kind::HEADERS, END_HEADERS, 1, &block(&post));
            bytes.extend(framed(kind::DATA, END_STREAM, 1, body));
        }
        client.stream().write_all(&bytes).expect("sent");
        client.stream().shutdown(Shutdown::Write).expect("half closed");
        client
    };
    let large = vec![b'x'; 16_000];
    let mut clients = Vec::new();
    for _ in 0..6 {
        clients.extend([None, Some(&b"abc"[..]), Some(&large)].map(ask));
    }
    gate.wait_for(1);
    gate.open();
    for client in &mut clients {
        assert_eq!(client.status(1), 200);
        assert_eq!(client.find(kind::DATA, 1).expect("a body").payload, b"late");
    }
}

/// A FIN within an answer says no more than one before it.
#[test]
fn answers_of_a_client_that_goes_on_reading_are_not_cut_by_its_fin() {
    let gate = Gate::default();
    let at = gate.clone();
    let origin = Origin::raw(move |mut stream| {
        let gate = at.clone();
        async move {
            use tokio::io::AsyncWriteExt;
            weir_tests::read_head(&mut stream).await;
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 300000\r\n\r\n";
            let _ = stream.write_all(head).await;
            tokio::task::spawn_blocking(move || gate.pass()).await.expect("it is open");
            let _ = stream.write_all(&vec![b'x'; 300_000]).await;
        }
    });
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut streams = Frames::connect(proxy.address("web"));
    streams.head(1, true, GET);
    assert_eq!(streams.status(1), 200);
    gate.wait_for(2);
    // Both heads are out.
    let mut begin = [0; 12];
    let stream = client.stream().try_clone().expect("the same socket");
    (&stream).read_exact(&mut begin).expect("a head");
    client.stream().shutdown(Shutdown::Write).expect("half closed");
    streams.send(kind::WINDOW_UPDATE, 0, 0, &1_000_000u32.to_be_bytes());
    streams.send(kind::WINDOW_UPDATE, 0, 1, &1_000_000u32.to_be_bytes());
    streams.stream().shutdown(Shutdown::Write).expect("half closed");
    // For so long the end of an answer had been waited for in vain.
    std::thread::sleep(Duration::from_millis(300));
    gate.open();
    assert!(client.rest().ends_with(&vec![b'x'; 300_000]));
    let mut bytes = 0;
    while let Some(frame) = streams.next_frame() {
        if frame.kind == kind::DATA {
            bytes += frame.payload.len();
        }
    }
    assert_eq!(bytes, 300_000);
}

/// The whole requests are answered; what began behind them is none.
#[test]
fn what_begins_behind_a_request_takes_no_answer_away() {
    let gate = Gate::default();
    let origin = waiting(&gate);
    let proxy = Setup::to(&origin).start();
    let mut clients = Vec::new();
    for behind in [
        "\r\n",
        "\r\n\r\n",
        "\r",
        "\n",
        "G",
        "GET / HTTP/1.1\r\nHo",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nbo",
    ] {
        for first in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
        ] {
            let mut client = RawClient::connect(proxy.address("web"));
            client.send(format!("{first}{behind}").as_bytes());
            client.stream().shutdown(Shutdown::Write).expect("half closed");
            clients.push((client, behind));
        }
    }
    gate.wait_for(1);
    gate.open();
    for (mut client, behind) in clients {
        let answer = client.try_answer("GET");
        assert_eq!(answer.map(|answer| answer.text()).as_deref(), Some("late"), "{behind:?}");
        if !behind.starts_with("POST") {
            assert!(client.rest().is_empty(), "{behind:?}");
        }
    }
}
