//! Clients that do not take their responses keep nothing from others.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::io::AsyncWriteExt;
use weir_tests::frames::{ACK, Frames, kind};
use weir_tests::{
    Daemon, Origin, Proxy, RawClient, Setup, free_address, get, read_head, resident_bytes, slowly,
    until, wait_for_port,
};

const GET: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/large")];

/// Answers `/large` with so many bytes, and the rest with a word.
fn sized(bytes: usize) -> Origin {
    let large = Bytes::from(vec![b'x'; bytes]);
    Origin::answering(move |seen| {
        let large = large.clone();
        Response::new(Full::new(if seen.target == "/large" { large } else { "small".into() }))
    })
}

/// A daemon that serves at `web`, and the bytes that it has in memory before anybody asks.
fn measured(web: std::net::SocketAddr, toml: &str) -> (Daemon, usize) {
    let daemon = Daemon::start(
        env!("CARGO_BIN_EXE_weir-under-test"),
        &["run", "-c", "weir.toml"],
        &[("weir.toml", toml)],
    );
    wait_for_port(web);
    let before = resident_bytes(daemon.id());
    (daemon, before)
}

/// An HTTP/2 connection whose client grants its streams nothing.
fn stalled(proxy: &Proxy, streams: u32) -> Frames {
    let mut client = Frames::connect(proxy.address("web"));
    // SETTINGS_INITIAL_WINDOW_SIZE
    client.send(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    for number in 0..streams {
        client.head(number * 2 + 1, true, GET);
    }
    client
}

fn busy(proxy: &Proxy, origin: &Origin) -> f64 {
    let series = format!(
        "weir_upstream_connections{{upstream=\"origin\",endpoint=\"{}\",state=\"active\"}}",
        origin.address()
    );
    assert!(proxy.metrics().contains(&series), "{}", proxy.metrics());
    proxy.metric(&series)
}

/// Few large streams on many connections, against a bound that they would use up many times.
#[test]
fn stalled_streams_do_not_use_up_an_upstream() {
    for bytes in [17 << 10, 8 << 20] {
        let origin = sized(bytes);
        let pool = "pool = { max_connections = 32 }";
        let proxy = Setup::to(&origin).upstream(pool).start();
        let clients: Vec<_> = (0..9).map(|_| stalled(&proxy, 100)).collect();
        for _ in 0..5 {
            let answer = get(proxy.address("web"), "/small");
            assert_eq!((answer.status, answer.text()), (200, "small".to_owned()), "{bytes}");
        }
        drop(clients);
    }
}

/// A connection of HTTP/1.1 that does not read gives way as a stream does.
#[test]
fn clients_of_http_1_that_do_not_read_give_way() {
    let origin = sized(64 << 20);
    let proxy = Setup::to(&origin).upstream("pool = { max_connections = 4 }").start();
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let mut client = RawClient::connect(proxy.address("web"));
            client.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
            client
        })
        .collect();
    for _ in 0..5 {
        assert_eq!(get(proxy.address("web"), "/small").text(), "small");
    }
    drop(clients);
}

/// Nor do clients that owe a body, and send nothing of it.
#[test]
fn clients_that_do_not_send_give_way() {
    let origin = sized(1);
    let proxy = Setup::to(&origin).upstream("pool = { max_connections = 4 }").start();
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let mut client = RawClient::connect(proxy.address("web"));
            client.send(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
            client
        })
        .collect();
    for _ in 0..5 {
        assert_eq!(get(proxy.address("web"), "/small").text(), "small");
    }
    // One that goes on sending is served.
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody");
    assert_eq!(client.answer().status, 200);
    drop(clients);
}

/// What is read ahead frees the connection, and arrives once the client takes it.
#[test]
fn a_response_is_read_ahead_for_a_client_that_takes_it_later() {
    const BYTES: usize = 300_000;
    let origin = sized(BYTES);
    let proxy = Setup::to(&origin).start();
    let mut client = stalled(&proxy, 1);
    assert_eq!(client.status(1), 200);
    until("the connection is free", || busy(&proxy, &origin) == 0.0);
    for window in [0, 1] {
        client.send(kind::WINDOW_UPDATE, 0, window, &1_000_000_u32.to_be_bytes());
    }
    let mut read = 0;
    loop {
        let frame = client.find(kind::DATA, 1).expect("the rest");
        read += frame.payload.len();
        if frame.flags & 1 != 0 {
            break;
        }
    }
    assert_eq!(read, BYTES);
    assert_eq!(origin.connections(), 1);
}

/// An endpoint may send a byte at a time: what is read ahead takes as much memory as it has bytes, not
/// a frame for each. Eight such bodies once took 2.5 GB.
#[test]
fn what_is_read_ahead_byte_by_byte_takes_no_more_memory() {
    const CLIENTS: usize = 4;
    const CHUNKS: usize = 500_000;
    let origin = Origin::raw(|mut stream| async move {
        weir_tests::read_head(&mut stream).await;
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let body = "1\r\nx\r\n".repeat(CHUNKS);
        let _ = stream.write_all(format!("{head}{body}0\r\n\r\n").as_bytes()).await;
        weir_tests::read_head(&mut stream).await;
    });
    let (web, admin) = (free_address(), free_address());
    let toml = format!(
        "[server]\nadmin = \"{admin}\"\nworkers = 1\n[listeners.web]\nbind = \"{web}\"\n\
         [routes.all]\nupstream = \"origin\"\n[upstreams.origin]\nendpoints = [\"{}\"]\n",
        origin.url()
    );
    let (daemon, before) = measured(web, &toml);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let mut client = Frames::connect(web);
            client.send(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
            client.head(1, true, GET);
            assert_eq!(client.status(1), 200);
            client
        })
        .collect();
    until("all is read ahead", || {
        get(admin, "/metrics").text().lines().any(|line| {
            line.starts_with("weir_upstream_connections{") && line.ends_with("state=\"idle\"} 4")
        })
    });
    let grown = resident_bytes(daemon.id()).saturating_sub(before);
    println!("{} MiB for {CLIENTS} times {CHUNKS} bytes", grown >> 20);
    assert!(grown < 48 << 20, "{} MiB", grown >> 20);
    drop(clients);
}

/// Beyond the bounds nothing is read: the endpoint's connection waits with the client.
#[test]
fn reading_ahead_is_bounded() {
    let origin = sized(300_000);
    let proxy = Setup::to(&origin).listener("read_ahead = \"100KB\"").start();
    let mut client = stalled(&proxy, 1);
    assert_eq!(client.status(1), 200);
    // Several sweeps.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(busy(&proxy, &origin), 1.0);
}

/// A stream whose client takes nothing is reset after `body_timeout`, its connection stays.
#[test]
fn a_stalled_stream_is_reset() {
    for bytes in [17 << 10, 8 << 20] {
        let origin = sized(bytes);
        let proxy = Setup::to(&origin).listener("body_timeout = \"600ms\"").start();
        let mut client = stalled(&proxy, 2);
        assert_eq!(client.status(1), 200);
        for stream in [1, 3] {
            let reset = client.find(kind::RST_STREAM, stream);
            assert!(reset.is_some(), "{bytes}: stream {stream} is not reset");
        }
        let small = [GET[0], GET[1], GET[2], (":path", "/small")];
        client.head(5, true, &small);
        assert_eq!(client.status(5), 200, "{bytes}");
        until("nothing is in flight but the small one", || {
            proxy.metric("weir_requests_in_flight") <= 1.0
        });
    }
}

/// A client that takes a little now and then is served, however slow it is.
#[test]
fn a_slow_stream_is_not_reset() {
    const BYTES: usize = 8 << 20;
    /// More than the proxy gives at once, so that it is asked for more each time.
    const LITTLE: u32 = 20_000;
    let origin = sized(BYTES);
    let proxy = Setup::to(&origin).listener("body_timeout = \"1s\"").start();
    let grants = |client: &mut Frames, bytes: u32| {
        for window in [0, 1] {
            client.send(kind::WINDOW_UPDATE, 0, window, &bytes.to_be_bytes());
        }
    };
    slowly(Duration::from_secs(1), |beat| {
        // One that takes nothing, to know when it would have been the other's turn.
        let mut other = stalled(&proxy, 1);
        let mut client = stalled(&proxy, 1);
        assert_eq!((other.status(1), client.status(1)), (200, 200));
        let reset = std::thread::spawn(move || other.find(kind::RST_STREAM, 1).is_some());
        let mut read = 0;
        let mut takes = |client: &mut Frames| {
            let frame = client.next_frame()?;
            read += if frame.kind == kind::DATA { frame.payload.len() } else { 0 };
            (frame.kind != kind::RST_STREAM).then_some(read)
        };
        let mut granted = 0;
        while !reset.is_finished() {
            grants(&mut client, LITTLE);
            granted += LITTLE as usize;
            loop {
                match takes(&mut client) {
                    None => return false,
                    Some(read) if read == granted => break,
                    Some(_) => {}
                }
            }
            beat.pause();
        }
        assert!(reset.join().expect("no panic"), "who takes nothing is not reset");
        grants(&mut client, BYTES as u32);
        loop {
            match takes(&mut client) {
                None => return false,
                Some(BYTES) => return true,
                Some(_) => {}
            }
        }
    });
}

/// The share of one client's connection: what an endpoint works on for it leaves room for others.
#[test]
fn one_connection_does_not_get_every_place() {
    let origin = Origin::raw(|mut stream| async move {
        let head = read_head(&mut stream).await;
        if head.starts_with(b"GET /large") {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsmall").await;
    });
    let proxy = Setup::to(&origin).upstream("pool = { max_connections = 16 }").start();
    let mut client = Frames::connect(proxy.address("web"));
    for number in 0..100 {
        client.head(number * 2 + 1, true, GET);
    }
    until("it has its share", || busy(&proxy, &origin) >= 12.0);
    for _ in 0..5 {
        assert_eq!(get(proxy.address("web"), "/small").text(), "small");
    }
    assert_eq!(busy(&proxy, &origin), 12.0);
}

/// Bodies that nobody reads take their streams' windows, and leave the connection's to the others.
#[test]
fn stalled_uploads_leave_room_for_those_of_the_same_connection() {
    const WINDOW: usize = 256 << 10;
    const STREAMS: u32 = 127;
    let origin = Origin::raw(|mut stream| async move {
        // All others wait for this one's connection, and of their bodies nothing is read.
        let head = read_head(&mut stream).await;
        if head.starts_with(b"POST /stall") {
            return tokio::time::sleep(Duration::from_secs(120)).await;
        }
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole").await;
    });
    let (web, admin) = (free_address(), free_address());
    let toml = format!(
        "[server]\nadmin = \"{admin}\"\nworkers = 1\n[listeners.web]\nbind = \"{web}\"\n\
         [routes.all]\nupstream = \"origin\"\n[routes.stall]\nmatch = {{ path = \"/stall\" }}\n\
         upstream = \"full\"\n[upstreams.origin]\nendpoints = [\"{0}\"]\n[upstreams.full]\n\
         endpoints = [\"{0}\"]\npool = {{ max_connections = 1 }}\n\
         timeouts = {{ connect = \"60s\" }}\n",
        origin.url()
    );
    let (daemon, before) = measured(web, &toml);
    let mut client = Frames::connect(web);
    assert!(client.find(kind::SETTINGS, 0).is_some());
    client.send(kind::SETTINGS, ACK, 0, &[]);
    let post = |path| [(":method", "POST"), GET[1], GET[2], (":path", path)];
    for number in 0..STREAMS {
        client.head(number * 2 + 1, false, &post("/stall"));
        for _ in 0..WINDOW >> 14 {
            assert!(client.send(kind::DATA, 0, number * 2 + 1, &[0; 16 << 10]));
        }
    }
    let last = STREAMS * 2 + 1;
    client.head(last, false, &post("/read"));
    client.send(kind::DATA, 1, last, b"whole");
    assert_eq!(client.status(last), 200);
    let grown = resident_bytes(daemon.id()).saturating_sub(before);
    println!("{} MiB for {STREAMS} stalled uploads", grown >> 20);
    assert!(grown > 16 << 20, "they do not stall");
    assert!(grown < 64 << 20, "{} MiB", grown >> 20);
}
