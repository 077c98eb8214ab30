//! HTTP/2 towards endpoints: how many streams a connection may have, and what came before a reset.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::io::AsyncWriteExt;
use tokio::sync::Semaphore;
use weir_tests::endpoint::{Endpoint, framed, max_streams, ok, speak};
use weir_tests::frames::{ACK, END_HEADERS, END_STREAM, Frames, block, kind};
use weir_tests::{Gate, Origin, Proxy, RawClient, Setup, get, until};

const GET: &[(&str, &str)] =
    &[(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/x")];

fn to(endpoint: &Endpoint, lines: &str) -> Proxy {
    Setup::to(&endpoint.origin).upstream("protocol = \"http2\"").upstream(lines).start()
}

/// Sends a request that is never answered, and waits until the endpoint has it.
fn occupy(proxy: &Proxy, endpoint: &Endpoint) -> RawClient {
    let before = endpoint.count(kind::HEADERS, 0);
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    until("the endpoint has it", || endpoint.count(kind::HEADERS, 0) > before);
    client
}

/// Never answers its first stream.
fn all_but_the_first(number: usize, stream: u32) -> Vec<u8> {
    if number == 0 { Vec::new() } else { ok(stream, true, &[]) }
}

#[test]
fn a_second_connection_is_opened_where_one_stream_is_all_that_a_connection_may_have() {
    let endpoint = Endpoint::new(max_streams(1), all_but_the_first);
    let proxy = to(&endpoint, "");
    let waiting = occupy(&proxy, &endpoint);
    for _ in 0..5 {
        assert_eq!(get(proxy.address("web"), "/").status, 200);
    }
    assert_eq!(endpoint.origin.connections(), 2);
    drop(waiting);
}

#[test]
fn a_limit_that_is_lowered_in_flight_is_kept() {
    for lowered in [0, 1] {
        let endpoint = Endpoint::new(max_streams(100), move |number, stream| match number {
            0 => max_streams(lowered),
            _ => ok(stream, true, &[]),
        });
        let proxy = to(&endpoint, "");
        let waiting = occupy(&proxy, &endpoint);
        until("the proxy knows", || endpoint.count(kind::SETTINGS, ACK) == 2);
        assert_eq!(get(proxy.address("web"), "/").status, 200, "{lowered}");
        assert_eq!(endpoint.origin.connections(), 2, "{lowered}");
        drop(waiting);
    }
}

#[test]
fn an_endpoint_that_allows_no_stream_is_not_waited_for_without_end() {
    let endpoint = Endpoint::new(max_streams(0), |_, stream| ok(stream, true, &[]));
    let proxy = to(&endpoint, "retries = 0\ntimeouts = { connect = \"300ms\" }");
    let started = Instant::now();
    let answer = get(proxy.address("web"), "/");
    assert_eq!(answer.status, 504, "{answer:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert_eq!(endpoint.count(kind::HEADERS, 0), 0);
    // Until it changes its mind.
    let greeting = [max_streams(0), max_streams(1)].concat();
    let endpoint = Endpoint::new(greeting, |_, stream| ok(stream, true, &[]));
    assert_eq!(get(to(&endpoint, "").address("web"), "/").status, 200);
}

/// SETTINGS without a limit: as many as there may be on one connection.
#[test]
fn streams_share_a_connection() {
    let gate = Gate::default();
    let at = gate.clone();
    let greeting = framed(kind::SETTINGS, 0, 0, &[]);
    let endpoint = Endpoint::new(greeting, all_but_the_first);
    let proxy = to(&endpoint, "");
    let waiting = occupy(&proxy, &endpoint);
    for _ in 0..5 {
        assert_eq!(get(proxy.address("web"), "/").status, 200);
    }
    assert_eq!(endpoint.origin.connections(), 1);
    drop((waiting, at));
}

#[test]
fn max_connections_bounds_http2_too() {
    // One of three streams is for clients that have none.
    let endpoint = Endpoint::new(max_streams(3), |number, stream| match number {
        0 | 1 => Vec::new(),
        _ => ok(stream, true, &[]),
    });
    let lines = "retries = 0\npool = { max_connections = 1 }\ntimeouts = { connect = \"300ms\" }";
    let proxy = to(&endpoint, lines);
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, true, GET);
    client.head(3, true, GET);
    until("both are open", || endpoint.count(kind::HEADERS, 0) == 2);
    let answer = get(proxy.address("web"), "/");
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.header("proxy-status"), Some("weir; error=connection_limit_reached"));
    // A stream that ends makes room.
    client.send(kind::RST_STREAM, 0, 1, &[0, 0, 0, 8]);
    until("there is room", || get(proxy.address("web"), "/").status == 200);
    assert_eq!(endpoint.origin.connections(), 1);
}

/// Streams that nobody reads leave the connection's window to the others.
#[test]
fn responses_that_nobody_reads_do_not_stop_the_others() {
    let large = Bytes::from(vec![b'x'; 4 << 20]);
    let origin = Origin::h2c(move |seen| {
        let body = if seen.target.ends_with("/x") { large.clone() } else { Bytes::from("small") };
        Response::new(Full::new(body))
    });
    let lines = "protocol = \"http2\"\npool = { max_connections = 1 }";
    let proxy = Setup::to(&origin).listener("read_ahead = \"0B\"").upstream(lines).start();
    let mut client = Frames::connect(proxy.address("web"));
    client.send(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    for number in 0..40 {
        client.head(number * 2 + 1, true, GET);
        assert_eq!(client.status(number * 2 + 1), 200);
    }
    for _ in 0..5 {
        assert_eq!(get(proxy.address("web"), "/small").text(), "small");
    }
}

/// A frame costs the codec more than its bytes, and one that nobody takes may not cost the others
/// their streams: all may wait in frames of 80 bytes, and those in smaller ones are given up.
#[test]
fn small_frames_that_nobody_reads_do_not_end_the_connection_of_others() {
    const SMALL: u32 = 60;
    const TINY: u32 = 12;
    const LAST: usize = (SMALL + TINY) as usize + 1;
    let endpoint = Endpoint::new(max_streams(100), move |number, stream| {
        let head = ok(stream, false, &[]);
        // The first is somebody else's, and waits; the others are as many bytes as a stream may send.
        let frames = match number {
            0 => framed(kind::DATA, 0, stream, b"begin"),
            LAST => framed(kind::DATA, END_STREAM, 1, b"end"),
            small if small <= SMALL as usize => {
                framed(kind::DATA, 0, stream, &[b'x'; 80]).repeat(3_200)
            }
            // Few enough to be here before the stream is given up: of those that come later the codec never
            // gives back what they cost.
            _ => framed(kind::DATA, 0, stream, b"x").repeat(40_000),
        };
        [head, frames].concat()
    });
    let lines = "protocol = \"http2\"\npool = { max_connections = 1 }\n\
                 timeouts = { connect = \"60s\" }";
    let setup = Setup::to(&endpoint.origin).upstream(lines);
    let proxy = setup.listener("read_ahead = \"256KiB\"").start();
    let mut other = RawClient::connect(proxy.address("web"));
    other.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    until("it has begun", || endpoint.count(kind::HEADERS, 0) == 1);
    let mut client = Frames::connect(proxy.address("web"));
    client.send(kind::SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    for stream in (0..SMALL + TINY).map(|number| number * 2 + 1) {
        client.head(stream, true, GET);
        match client.status(stream) {
            200 if stream < SMALL * 2 => {}
            200 => assert!(client.find(kind::RST_STREAM, stream).is_some(), "{stream}"),
            // Its head may be on its way still when the stream is given up, and goes with it.
            0 if stream > SMALL * 2 => {}
            status => panic!("{status} of {stream}"),
        }
    }
    client.head((SMALL + TINY) * 2 + 1, true, GET);
    let text = String::from_utf8(other.rest()).expect("text");
    assert!(text.ends_with("\r\n\r\n5\r\nbegin\r\n3\r\nend\r\n0\r\n\r\n"), "{text:?}");
}

/// Who read an endpoint's socket did so as long as there was something, and no client came between.
#[test]
fn frames_that_mean_nothing_keep_no_worker() {
    // Eighteen megabytes of a kind that nobody knows (RFC 9113, 5.5).
    let flood = framed(0x2a, 0, 0, &[]).repeat(2 << 20);
    let endpoint = Endpoint::new(max_streams(100), move |_, stream| {
        [flood.clone(), ok(stream, true, &[])].concat()
    });
    let origin = Origin::echo();
    let proxy = Proxy::start(&format!(
        "[server]\nworkers = 1\n[listeners.web]\nbind = \"127.0.0.1:0\"\n\
         [routes.flood]\nmatch = {{ path = \"/flood\" }}\nupstream = \"flood\"\n\
         [routes.all]\nupstream = \"origin\"\n\
         [upstreams.flood]\nendpoints = [{:?}]\nprotocol = \"http2\"\n\
         [upstreams.origin]\nendpoints = [{:?}]\n",
        endpoint.origin.url(),
        origin.url()
    ));
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET /flood HTTP/1.1\r\nHost: a\r\n\r\n");
    let flooded = std::thread::spawn(move || client.answer().status);
    let mut other = RawClient::connect(proxy.address("web"));
    let mut served = 0;
    while !flooded.is_finished() {
        other.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(other.answer().status, 200);
        served += 1;
    }
    assert_eq!(flooded.join().expect("no panic"), 200);
    println!("{served} answers to somebody else meanwhile");
    // Half a dozen where a turn is as long as there are bytes.
    assert!(served > 30, "{served} answers meanwhile");
}

/// Head, data and reset in one packet: what came arrives, and is no whole message.
#[test]
fn what_came_before_a_reset_arrives() {
    for error in [0_u32, 2, 8] {
        let endpoint = Endpoint::new(max_streams(100), move |_, stream| {
            let reset = framed(kind::RST_STREAM, 0, stream, &error.to_be_bytes());
            [ok(stream, false, &[]), framed(kind::DATA, 0, stream, b"part"), reset].concat()
        });
        let proxy = to(&endpoint, "");
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let text = String::from_utf8(client.rest()).expect("text");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{error}: {text:?}");
        assert!(text.ends_with("\r\n\r\n4\r\npart\r\n"), "{error}: {text:?}");
        let mut client = Frames::connect(proxy.address("web"));
        client.head(1, true, GET);
        assert_eq!(client.status(1), 200, "{error}");
        assert_eq!(client.find(kind::DATA, 1).expect("data").payload, b"part", "{error}");
        let reset = client.next_frame().expect("the end");
        assert_eq!((reset.kind, reset.stream), (kind::RST_STREAM, 1), "{error}");
    }
}

/// Fields behind a body that would pass for ours, or for the head's, from an HTTP/2 peer.
const TRAILERS: &[(&str, &str)] = &[
    ("x-sum", "1"),
    ("authorization", "Basic x"),
    ("x-forwarded-for", "192.0.2.1"),
    ("x_forwarded_for", "192.0.2.1"),
    ("set-cookie", "a=b"),
    ("content-length", "4"),
    ("via", "1.1 evil"),
    ("grpc-status", "0"),
];

#[test]
fn trailers_of_an_endpoint_are_filtered() {
    let endpoint = Endpoint::new(max_streams(100), |_, stream| {
        let flags = END_HEADERS | END_STREAM;
        let trailers = framed(kind::HEADERS, flags, stream, &block(TRAILERS));
        let announced = [("trailer", "x-sum, grpc-status, authorization, x-forwarded-for, via")];
        [ok(stream, false, &announced), framed(kind::DATA, 0, stream, b"part"), trailers].concat()
    });
    let proxy = to(&endpoint, "");
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te, close\r\n\r\n");
    let text = String::from_utf8(client.rest()).expect("text");
    let (_, body) = text.split_once("\r\n\r\n").expect("a body");
    assert_eq!(body, "4\r\npart\r\n0\r\nx-sum: 1\r\ngrpc-status: 0\r\n\r\n");
    let mut client = Frames::connect(proxy.address("web"));
    client.head(1, true, GET);
    assert_eq!(client.status(1), 200);
    client.find(kind::DATA, 1).expect("data");
    let trailers = client.find(kind::HEADERS, 1).expect("trailers").payload;
    let has = |name: &[u8]| trailers.windows(name.len()).any(|part| part == name);
    assert!(!has(b"authorization") && !has(b"192.0.2.1") && !has(b"evil"), "{trailers:?}");
}

#[test]
fn trailers_of_a_client_are_filtered() {
    let h1 = Origin::echo();
    let h2c = Origin::h2c(|_| Response::default());
    for (name, origin, protocol) in [("h1", &h1, "http1"), ("h2c", &h2c, "http2")] {
        let proxy = Setup::to(origin).upstream(&format!("protocol = {protocol:?}")).start();
        for version in ["h1", "h2"] {
            if version == "h2" {
                let mut client = Frames::connect(proxy.address("web"));
                let mut post = GET.to_vec();
                post[0] = (":method", "POST");
                client.head(1, false, &post);
                client.send(kind::DATA, 0, 1, b"body");
                client.head(1, true, TRAILERS);
                assert_eq!(client.status(1), 200, "{name}");
            } else {
                // The framing guard refuses those that frame.
                let fields: String = TRAILERS
                    .iter()
                    .filter(|(name, _)| *name != "content-length")
                    .map(|(name, value)| format!("{name}: {value}\r\n"))
                    .collect();
                let mut client = RawClient::connect(proxy.address("web"));
                client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
                client.send(format!("4\r\nbody\r\n0\r\n{fields}\r\n").as_bytes());
                assert_eq!(client.answer().status, 200, "{name}");
            }
            let seen = origin.last();
            assert_eq!(seen.body, "body", "{name} {version}");
            let mut names: Vec<_> =
                seen.trailers.iter().flatten().map(|(name, _)| name.to_string()).collect();
            names.sort_unstable();
            assert_eq!(names, ["grpc-status", "x-sum"], "{name} {version}");
        }
    }
}

/// Two uploads fill a connection that its endpoint does not read, and are given up: what says so waits
/// behind them, and whoever came next waited for two streams that nobody has.
#[test]
fn who_comes_next_does_not_wait_for_streams_that_were_given_up() {
    let (origin, _reads) = reading_later();
    let proxy = Setup::to(&origin).upstream("protocol = \"http2\"").start();
    let uploads = fill(&proxy);
    assert_eq!(origin.connections(), 1);
    uploads.into_iter().for_each(RawClient::reset);
    until("they are over", || proxy.metric("weir_requests_in_flight") == 0.0);
    assert_eq!(get(proxy.address("web"), "/").status, 200);
    assert_eq!(origin.connections(), 2);
}

/// There is no other connection to be had.
#[test]
fn who_may_have_no_other_connection_waits_until_the_endpoint_reads() {
    let (origin, reads) = reading_later();
    let lines = "protocol = \"http2\"\npool = { max_connections = 1 }";
    let proxy = Setup::to(&origin).upstream(lines).start();
    let uploads = fill(&proxy);
    uploads.into_iter().for_each(RawClient::reset);
    until("they are over", || proxy.metric("weir_requests_in_flight") == 0.0);
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    until("it is under way", || proxy.metric("weir_requests_in_flight") == 1.0);
    reads.add_permits(1);
    assert_eq!(client.answer().status, 200);
    assert_eq!(origin.connections(), 1);
}

/// An endpoint that allows two streams, and any number of bytes; what its first connection brings it
/// reads once there is a permit.
fn reading_later() -> (Origin, Arc<Semaphore>) {
    let (reads, first) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicBool::new(true)));
    let reading = reads.clone();
    let origin = Origin::raw(move |mut stream| {
        let (reads, stalls) = (reading.clone(), first.swap(false, Relaxed));
        async move {
            let window = framed(kind::WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
            let settings = [0, 3, 0, 0, 0, 2, 0, 4, 0x40, 0, 0, 0];
            let greeting = [framed(kind::SETTINGS, 0, 0, &settings), window].concat();
            if stalls {
                let _ = stream.write_all(&greeting).await;
                drop(reads.acquire().await);
            }
            let greeting = if stalls { Vec::new() } else { greeting };
            speak(stream, greeting, |_, stream| ok(stream, true, &[])).await;
        }
    });
    (origin, reads)
}

/// Two uploads that send as much as is taken, of which one at least waits for longer than it should.
fn fill(proxy: &Proxy) -> Vec<RawClient> {
    let connect = || RawClient::connect(proxy.address("web"));
    let mut uploads: Vec<_> = std::iter::repeat_with(connect).take(2).collect();
    for upload in &mut uploads {
        upload.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n");
    }
    until("both are under way", || proxy.metric("weir_requests_in_flight") == 2.0);
    for upload in &uploads {
        let mut stream = upload.stream();
        stream.set_write_timeout(Some(Duration::from_millis(1_200))).expect("set");
        while stream.write(&[0; 64 << 10]).is_ok() {}
    }
    uploads
}
