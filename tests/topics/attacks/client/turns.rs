//! A worker's time: who has much to do does it in turns.
//!
//! Counted in requests that go on for others, not in time: machines differ.

mod floods;

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use weir_tests::endpoint::framed;
use weir_tests::frames::{END_HEADERS, END_STREAM, Frames, NEWEST, indexed, kind};
use weir_tests::{Gate, Origin, RawClient, Setup, busy_for, is_stopped, processor_time, until};

use super::super::system::System;

/// Connections of somebody who has as many streams on each as may be.
const CONNECTIONS: usize = 30;
const STREAMS: u32 = 100;

/// Three thousand streams that come at once were all served before whoever came behind them.
#[test]
fn streams_of_one_connection_take_turns_with_other_connections() {
    let begun = Arc::new(AtomicUsize::new(0));
    let counting = begun.clone();
    let origin = Origin::answering(move |seen| {
        if seen.target == "/many" {
            counting.fetch_add(1, Relaxed);
        }
        Response::new(Full::new(Bytes::from("fine")))
    });
    let proxy = Setup::to(&origin).server("workers = 1").start();
    let mut other = RawClient::connect(proxy.address("web"));
    let mut ask = || {
        other.send(b"GET /one HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(other.answer().status, 200);
    };
    ask();
    let mut clients: Vec<_> =
        (0..CONNECTIONS).map(|_| Frames::connect(proxy.address("web"))).collect();
    let answers = std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                for number in 0..STREAMS {
                    client.head(2 * number + 1, true, &head("/many"));
                }
            });
        }
        until("the streams begin", || begun.load(Relaxed) > 0);
        let mut answers = 0;
        while begun.load(Relaxed) < CONNECTIONS * STREAMS as usize {
            ask();
            answers += 1;
        }
        answers
    });
    println!("{answers} answers to somebody else meanwhile");
    // Three or four where all streams that are there come first.
    assert!(answers > 8, "{answers} answers to somebody else meanwhile");
    for client in &mut clients {
        assert_eq!(client.status(1), 200);
    }
}

/// A hundred heads of a few bytes, for fields that were said before, were made ready and matched before
/// anybody else came. The daemon finds them and what others ask at once, and its log says whose turn
/// was when, however busy the machine is.
#[test]
fn heads_that_come_together_are_not_routed_together() {
    const PATH: usize = 3_900;
    const OTHERS: usize = 5;
    const ROUTED: &str = r#""message":"request""#;
    let origin = Origin::saying("fine");
    let routes: String = (1..=100)
        .map(|number| {
            let path = format!("path = {{ regex = '/(a|b|ab)*[c-z]{{{number}}}' }}");
            format!("[routes.r{number}]\nmatch = {{ {path} }}\nupstream = \"origin\"\n")
        })
        .collect();
    let setup = Setup::to(&origin).server("workers = 1\nlog = \"warn,weir=debug\"");
    let mut system = System::start_with(&setup, |toml| format!("{toml}\n{routes}"), |_| {});
    let mut client = Frames::connect(system.web);
    let start = b"\x82\x86\x01\x01a";
    let path = format!("/{}", "a".repeat(PATH - 1));
    let first = [&start[..], &indexed(b"\x44", &path)].concat();
    let flags = END_HEADERS | END_STREAM;
    client.send(kind::HEADERS, flags, 1, &first);
    assert_eq!(client.status(1), 200);
    let others = || RawClient::connect_from([127, 0, 0, 2], system.web);
    let mut others: Vec<_> = std::iter::repeat_with(others).take(OTHERS).collect();
    for other in &mut others {
        other.send(b"GET /known HTTP/1.1\r\nhost: a\r\n\r\n");
        assert_eq!(other.answer().status, 200);
        system.daemon.wait_for_line("/known");
    }
    system.daemon.signal("STOP");
    until("the daemon stands still", || is_stopped(system.daemon.id()));
    let streams = (1..=STREAMS).map(|number| 2 * number + 1);
    let repeats = [&start[..], &[NEWEST]].concat();
    let heads = streams.map(|stream| framed(kind::HEADERS, flags, stream, &repeats));
    client.stream().write_all(&heads.collect::<Vec<_>>().concat()).expect("sent");
    for other in &mut others {
        other.send(b"GET /other HTTP/1.1\r\nhost: a\r\n\r\n");
    }
    system.daemon.signal("CONT");
    let mut waiting = OTHERS;
    let mut before_others = 0;
    while waiting > 0 {
        match system.daemon.wait_for_line(ROUTED).contains("/other") {
            true => waiting -= 1,
            false => before_others += 1,
        }
    }
    println!("{before_others} of {STREAMS} streams routed before {OTHERS} others");
    // All of them where they are routed together.
    assert!(before_others < STREAMS / 2, "{before_others} of {STREAMS} before {OTHERS} others");
}

/// What begins on connections whose answer is late; and whether their clients close their side.
const WAITING: &[(&[u8], bool)] = &[
    (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
    (b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n", true),
    (b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTT", true),
    (b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\nx y: z\r\n\r\n", false),
    (b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\nmore", false),
    (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nbroken\r\n", false),
    (b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n", true),
];

/// Ten connections that only wait once took both processors.
#[test]
fn who_waits_takes_no_time() {
    let gate = Gate::default();
    let held = gate.clone();
    let origin = Origin::answering(move |_| {
        held.pass();
        Response::new(Full::new(Bytes::new()))
    });
    let system = System::start(&Setup::to(&origin));
    let mut open = Vec::new();
    for (bytes, closes) in WAITING {
        let mut stream = TcpStream::connect(system.web).expect("a connection");
        stream.write_all(bytes).expect("sent");
        if *closes {
            stream.shutdown(Shutdown::Write).expect("closed");
        }
        open.push(stream);
    }
    let mut client = Frames::connect(system.web);
    client.head(1, true, &head("/"));
    client.stream().shutdown(Shutdown::Write).expect("closed");
    // All but the one that is answered at once, for its body is none.
    until("what begins has begun", || system.metric("weir_requests_in_flight") >= 7.0);
    let before = processor_time(system.daemon.id());
    busy_for(Duration::from_secs(1));
    let taken = processor_time(system.daemon.id()) - before;
    gate.open();
    assert!(taken < Duration::from_millis(250), "{taken:?} while another had a second");
}

fn head(path: &str) -> [(&str, &str); 4] {
    [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", path)]
}
