//! One client's part of an endpoint's connections: whatever he does with it, others have theirs.

use std::io::Write;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use weir_tests::endpoint::{Endpoint, max_streams, ok};
use weir_tests::frames::{Frames, kind};
use weir_tests::{Origin, Proxy, RawClient, Setup, get, get_from, read_head, until};

/// Somebody else.
const OTHER: [u8; 4] = [127, 0, 0, 9];

/// Never answers `/wait`, switches protocols and says nothing more, reads bodies of `/upload`, sends
/// much for `/large`, and answers the rest.
fn origin() -> Origin {
    Origin::raw(|mut stream| async move {
        loop {
            let head = read_head(&mut stream).await;
            let answer: &[u8] = match &head[..] {
                [] => return,
                head if head.starts_with(b"GET /wait") => {
                    return tokio::time::sleep(Duration::from_secs(120)).await;
                }
                head if head.starts_with(b"GET /switch") => {
                    let head = b"HTTP/1.1 101 S\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
                    let _ = stream.write_all(head).await;
                    // Not even the end of the other side is answered.
                    return tokio::time::sleep(Duration::from_secs(120)).await;
                }
                head if head.starts_with(b"POST /upload") => {
                    let mut body = [0; 1];
                    while body != *b"." && stream.read(&mut body).await.is_ok_and(|read| read > 0) {
                    }
                    b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole"
                }
                head if head.starts_with(b"GET /large") => {
                    let _ = stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 40000000\r\n\r\n")
                        .await;
                    let _ = stream.write_all(&vec![b'x'; 40_000_000]).await;
                    continue;
                }
                _ => b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsmall",
            };
            if stream.write_all(answer).await.is_err() {
                return;
            }
        }
    })
}

fn start(origin: &Origin, places: usize) -> Proxy {
    Setup::to(origin).upstream(&format!("pool = {{ max_connections = {places} }}")).start()
}

fn active(proxy: &Proxy, origin: &Origin) -> f64 {
    proxy.metric(&format!(
        "weir_upstream_connections{{upstream=\"origin\",endpoint=\"{}\",state=\"active\"}}",
        origin.address()
    ))
}

/// So many clients of this machine's first address that send this.
fn crowd(proxy: &Proxy, count: usize, request: &str) -> Vec<RawClient> {
    let clients = (0..count).map(|_| {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(request.as_bytes());
        client
    });
    clients.collect()
}

const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: a\r\n\r\n";
const SWITCH: &str = "GET /switch HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";

/// One exchange on each connection, tunnels, many streams on few connections: an address is one
/// client.
#[test]
fn an_address_has_one_share_over_all_its_connections() {
    let upload = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n";
    for (name, request) in [("waits", WAIT), ("tunnels", SWITCH), ("uploads", upload)] {
        let origin = origin();
        let proxy = start(&origin, 16);
        let mut clients = crowd(&proxy, 40, request);
        until(name, || active(&proxy, &origin) == 14.0);
        for client in &mut clients {
            // Uploads go on.
            client.send(if name == "uploads" { b"1\r\nx\r\n" } else { b"" });
        }
        for _ in 0..3 {
            assert_eq!(get_from(OTHER, proxy.address("web"), "/").text(), "small", "{name}");
        }
    }
    let origin = origin();
    let proxy = start(&origin, 64);
    let mut connections = Vec::new();
    for _ in 0..30 {
        let mut client = Frames::connect(proxy.address("web"));
        for stream in 0..4 {
            let fields =
                [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/wait")];
            client.head(stream * 2 + 1, true, &fields);
        }
        connections.push(client);
    }
    until("it has what one may have", || active(&proxy, &origin) == 56.0);
    assert_eq!(get_from(OTHER, proxy.address("web"), "/").text(), "small");
}

/// Whoever crowds has to wait: what others have is slow, but theirs.
#[test]
fn who_crowds_cuts_nobody_elses_transfers() {
    let origin = origin();
    let proxy = start(&origin, 8);
    let mut upload = RawClient::connect_from(OTHER, proxy.address("web"));
    upload
        .send(b"POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    let mut download = RawClient::connect_from([127, 0, 0, 10], proxy.address("web"));
    download.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
    until("both are under way", || active(&proxy, &origin) == 2.0);
    let _crowd = crowd(&proxy, 40, WAIT);
    until("the crowd waits", || active(&proxy, &origin) == 7.0);
    // A pause of several sweeps.
    std::thread::sleep(Duration::from_millis(1500));
    upload.send(b"2\r\nx.\r\n0\r\n\r\n");
    assert_eq!(upload.answer().text(), "whole");
    let answer = download.answer();
    assert_eq!((answer.status, answer.body.len()), (200, 40_000_000));
}

/// What one client has piled up gives way to his own newest request.
#[test]
fn who_stalls_everything_of_his_own_is_served_all_the_same() {
    let origin = origin();
    let proxy = start(&origin, 8);
    let stall = "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc";
    let _crowd = crowd(&proxy, 40, stall);
    until("it has what one may have", || active(&proxy, &origin) == 7.0);
    assert_eq!(get(proxy.address("web"), "/").text(), "small");
    assert_eq!(get_from(OTHER, proxy.address("web"), "/").text(), "small");
}

/// A client that upgrades and closes leaves nothing behind, whatever the endpoint does with it.
#[test]
fn closed_tunnels_keep_no_places() {
    let origin = origin();
    let proxy = start(&origin, 4);
    for _ in 0..4 {
        for mut client in crowd(&proxy, 3, SWITCH) {
            assert_eq!(client.answer().status, 101);
        }
        // The same client again, and another one.
        assert_eq!(get(proxy.address("web"), "/").text(), "small");
        assert_eq!(get_from(OTHER, proxy.address("web"), "/").text(), "small");
    }
}

/// With nobody waiting a half-closed tunnel has the time that a body has, from its last byte.
#[test]
fn a_half_closed_tunnel_ends_in_time() {
    let origin = origin();
    let proxy = Setup::to(&origin).listener("body_timeout = \"300ms\"").start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(SWITCH.as_bytes());
    assert_eq!(client.answer().status, 101);
    // As long as it is open it may be silent.
    std::thread::sleep(Duration::from_millis(900));
    assert!(client.stream().write_all(b"here").is_ok());
    assert_eq!(active(&proxy, &origin), 1.0);
    client.stream().shutdown(std::net::Shutdown::Write).expect("half closed");
    assert_eq!(client.rest(), b"");
    until("its place is free", || active(&proxy, &origin) == 0.0);
}

/// Who asks for more at once than his share is served like anybody, though he waits for some of it.
#[test]
fn many_requests_at_once_are_no_crowd() {
    let origin = origin();
    let proxy = start(&origin, 32);
    let _crowd = crowd(&proxy, 60, WAIT);
    until("it has what one may have", || active(&proxy, &origin) == 28.0);
    let mut browser: Vec<_> =
        (0..24).map(|_| RawClient::connect_from(OTHER, proxy.address("web"))).collect();
    for client in &mut browser {
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    for client in &mut browser {
        assert_eq!(client.answer().text(), "small");
    }
}

/// Of two places one is kept for who has none, and of the streams of an HTTP/2 endpoint a part.
#[test]
fn few_places_and_streams_are_shared_as_well() {
    for places in [2, 3] {
        let origin = origin();
        let proxy = start(&origin, places);
        let _crowd = crowd(&proxy, 8, WAIT);
        until("it has what one may have", || active(&proxy, &origin) == (places - 1) as f64);
        assert_eq!(get_from(OTHER, proxy.address("web"), "/").text(), "small");
    }
    for (streams, connections, most) in [(100, 2, 175), (4, 8, 28)] {
        // The first ones are never answered.
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let endpoint = Endpoint::new(max_streams(streams), move |_, stream| {
            match asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < most {
                true => Vec::new(),
                false => ok(stream, true, &[]),
            }
        });
        let pool = format!("protocol = \"http2\"\npool = {{ max_connections = {connections} }}");
        let proxy = Setup::to(&endpoint.origin).upstream(&pool).start();
        let _crowd = crowd(&proxy, most + 20, WAIT);
        until("it has what one may have", || endpoint.count(kind::HEADERS, 0) == most);
        for _ in 0..3 {
            assert_eq!(get_from(OTHER, proxy.address("web"), "/").status, 200, "{streams}");
        }
        let _more = crowd(&proxy, 10, WAIT);
        for _ in 0..3 {
            assert_eq!(get_from(OTHER, proxy.address("web"), "/").status, 200, "{streams}");
        }
        assert_eq!(endpoint.count(kind::HEADERS, 0), most + 6, "{streams}");
    }
}

/// An upload with pauses, fast enough for the listener, is nobody's to cut: not for what its client
/// does at another upstream, and not for his own other requests.
#[test]
fn an_upload_that_keeps_its_rate_is_not_cut() {
    for own in [false, true] {
        let (origin, other) = (origin(), origin());
        let proxy = Proxy::start(&format!(
            "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n[routes.all]\n\
             upstream = \"origin\"\n[routes.other]\nmatch = {{ path = \"/wait/other\" }}\n\
             upstream = \"other\"\n[upstreams.origin]\nendpoints = [\"{}\"]\n\
             pool = {{ max_connections = 4 }}\n[upstreams.other]\nendpoints = [\"{}\"]\n",
            origin.url(),
            other.url()
        ));
        let send = |source, request: &str| {
            let mut client = RawClient::connect_from(source, proxy.address("web"));
            client.send(request.as_bytes());
            client
        };
        let elsewhere = "GET /wait/other HTTP/1.1\r\nHost: a\r\n\r\n";
        let _elsewhere: Vec<_> = (0..3).map(|_| send(OTHER, elsewhere)).collect();
        let head = "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n";
        let mut upload = send(OTHER, head);
        upload.send(&[b'x'; 1000]);
        until("it is under way", || active(&proxy, &origin) == 1.0);
        let waits = |last: u8| send(if own { OTHER } else { [127, 0, 0, last] }, WAIT);
        let _waiting: Vec<_> = (20..32).map(waits).collect();
        for part in 1..4 {
            // A pause of many sweeps.
            std::thread::sleep(Duration::from_millis(1500));
            let mut body = [b'x'; 1000];
            body[999] = if part == 3 { b'.' } else { b'x' };
            upload.send(&body);
        }
        assert_eq!(upload.answer().text(), "whole", "own: {own}");
    }
}
