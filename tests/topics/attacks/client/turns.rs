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
/// Somebody else's connections, and what they ask for.
const OTHERS: usize = 5;
const OTHER: &[u8] = b"GET /other HTTP/1.1\r\nhost: a\r\n\r\n";

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
    let mut most = 0;
    // Once is enough: a machine may have no time for who asks.
    for round in 0..5 {
        let streams = (round * STREAMS..(round + 1) * STREAMS).map(|number| 2 * number + 1);
        let before = begun.load(Relaxed);
        let answers = std::thread::scope(|scope| {
            for client in &mut clients {
                let streams = streams.clone();
                scope.spawn(move || {
                    for stream in streams {
                        client.head(stream, true, &head("/many"));
                    }
                });
            }
            until("the streams begin", || begun.load(Relaxed) > before);
            let mut answers = 0;
            while begun.load(Relaxed) < before + CONNECTIONS * STREAMS as usize {
                ask();
                answers += 1;
            }
            answers
        });
        println!("{answers} answers to somebody else meanwhile");
        most = most.max(answers);
        for client in &mut clients {
            streams.clone().for_each(|stream| assert_eq!(client.status(stream), 200));
        }
        if most > 8 {
            return;
        }
    }
    // Three or four where all streams that are there come first.
    panic!("at most {most} answers to somebody else meanwhile");
}

/// A hundred heads of a few bytes, for fields that were said before, were made ready and matched before
/// anybody else came. The daemon finds them and what others ask at once, and its log says whose turn
/// was when, however busy the machine is.
#[test]
fn heads_that_come_together_are_not_routed_together() {
    const PATH: usize = 3_900;
    let origin = Origin::saying("fine");
    let routes: String = (1..=100)
        .map(|number| {
            let path = format!("path = {{ regex = '/(a|b|ab)*[c-z]{{{number}}}' }}");
            format!("[routes.r{number}]\nmatch = {{ {path} }}\nupstream = \"origin\"\n")
        })
        .collect();
    let mut system = logging(&origin, &routes);
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
        answered(&mut system, other);
    }
    system.daemon.signal("STOP");
    until("the daemon stands still", || is_stopped(system.daemon.id()));
    let streams = (1..=STREAMS).map(|number| 2 * number + 1);
    let repeats = [&start[..], &[NEWEST]].concat();
    let heads = streams.map(|stream| framed(kind::HEADERS, flags, stream, &repeats));
    client.stream().write_all(&heads.collect::<Vec<_>>().concat()).expect("sent");
    others.iter_mut().for_each(|other| other.send(OTHER));
    let before_others = routed_before_others(&mut system);
    println!("{before_others} of {STREAMS} streams routed before {OTHERS} others");
    // All of them where they are routed together.
    assert!(before_others < STREAMS as usize / 2, "{before_others} before {OTHERS} others");
}

/// A daemon of one worker that says which request it routes, and little else: no line may be lost, and the
/// log keeps 128 for who reads slowly.
fn logging(origin: &Origin, routes: &str) -> System {
    let quiet = "weir::proxy::forward=warn,weir::proxy::completion=warn";
    let log = format!("log = \"warn,weir::proxy=debug,{quiet}\"");
    let setup = Setup::to(origin).server(&format!("workers = 1\n{log}"));
    System::start_with(&setup, |toml| format!("{toml}\n{routes}"), |_| {})
}

/// Somebody else has an answer, and the log has been read up to there.
fn answered(system: &mut System, other: &mut RawClient) {
    other.send(b"GET /known HTTP/1.1\r\nhost: a\r\n\r\n");
    assert_eq!(other.answer().status, 200);
    system.daemon.wait_for_line("/known");
}

/// Lets a daemon go on that stood still. How many requests it routes before the last of the others'.
fn routed_before_others(system: &mut System) -> usize {
    system.daemon.signal("CONT");
    let (mut waiting, mut before_others) = (OTHERS, 0);
    while waiting > 0 {
        match system.daemon.wait_for_line(r#""message":"request""#).contains("/other") {
            true => waiting -= 1,
            false => before_others += 1,
        }
    }
    before_others
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
