//! Hostile clients: each does one kind of harm, over and over, until told to stop.
//!
//! In: where the proxy is. Out: how often each did it. Never: more than the one kind, and nothing
//! that an ordinary client's machine could not send.

use std::fmt;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use weir_tests::connect_from;
use weir_tests::frames::{Frames, kind};

use crate::daemon::Daemon;
use crate::machine::elsewhere;

/// One client, and how often it did its harm.
pub struct Hostile {
    name: &'static str,
    times: Arc<AtomicUsize>,
}

/// Which clients there are, by parts of their names.
#[derive(Default)]
pub struct Chosen {
    /// Nobody else, where it names somebody.
    pub only: Vec<String>,
    pub without: Vec<String>,
}

/// Between two rounds of a client. Clients that never pause would take this machine's processors
/// from the proxy, which would be measured then.
const PAUSE: Duration = Duration::from_millis(50);

/// Where a client is, and what it harms: each has an address of its own, or all would be one.
#[derive(Clone, Copy)]
struct Ends {
    client: IpAddr,
    proxy: SocketAddr,
}

/// One round of harm; the number tells rounds apart.
type Harm = fn(Ends, usize) -> std::io::Result<()>;

const METRICS: &str = "metrics without reading";
const RELOADS: &str = "a reload every two seconds";
const CLIENTS: [(&str, Harm); 20] = [
    ("traps", |ends, _| fault(ends, "/faulty", "trap")),
    ("endless loops", |ends, _| fault(ends, "/faulty", "loop")),
    ("endless allocation", |ends, _| fault(ends, "/faulty", "allocate")),
    ("traps in a response hook", |ends, _| fault(ends, "/faulty", "response-trap")),
    ("loops on a fiber", |ends, _| fault(ends, "/reading", "loop")),
    ("uploads that never come", stalled_uploads),
    ("a body that a plugin keeps", kept_body),
    ("wrong passwords", wrong_password),
    ("long paths", long_path),
    ("endless keys", endless_keys),
    ("stalled windows", stalled_windows),
    ("rapid resets", rapid_resets),
    ("pipelining without reading", pipelining),
    ("slow heads", slow_heads),
    ("a dripping body", dripping_body),
    ("requests given up", given_up),
    ("broken framing", broken_framing),
    ("ninety-seven fields", many_fields),
    ("chunks of a byte that nobody reads", tiny_chunks),
    ("sockets closed behind a request", closed_behind),
];

impl Chosen {
    fn has(&self, client: &str) -> bool {
        let named = |names: &[String]| names.iter().any(|name| client.contains(name.as_str()));
        (self.only.is_empty() || named(&self.only)) && !named(&self.without)
    }
}

/// Starts everybody who is chosen, two who harm the control side included.
pub fn start(daemon: &Daemon, chosen: &Chosen, stop: &Arc<AtomicBool>) -> Vec<Hostile> {
    let mut started: Vec<Hostile> = (2..)
        .zip(CLIENTS)
        .filter(|(_, (name, _))| chosen.has(name))
        .map(|(number, (name, harm))| {
            let client = IpAddr::from([127, 0, 1, number]);
            spawn(name, Ends { client, proxy: daemon.web() }, harm, stop)
        })
        .collect();
    if chosen.has(METRICS) {
        let ends = Ends { client: IpAddr::from([127, 0, 1, 1]), proxy: daemon.admin() };
        started.push(spawn(METRICS, ends, pipelined_metrics, stop));
    }
    if chosen.has(RELOADS) {
        started.push(reloads(daemon, stop));
    }
    started
}

fn reloads(daemon: &Daemon, stop: &Arc<AtomicBool>) -> Hostile {
    let mut renewal = daemon.renewal();
    repeated(RELOADS, Duration::from_secs(2), stop, move |_| renewal.write())
}

fn spawn(name: &'static str, ends: Ends, harm: Harm, stop: &Arc<AtomicBool>) -> Hostile {
    repeated(name, PAUSE, stop, move |round| drop(harm(ends, round)))
}

/// Does it again and again, with a pause after each round.
fn repeated(
    name: &'static str,
    pause: Duration,
    stop: &Arc<AtomicBool>,
    mut harm: impl FnMut(usize) + Send + 'static,
) -> Hostile {
    let times = Arc::new(AtomicUsize::new(0));
    let (count, stop) = (times.clone(), stop.clone());
    elsewhere(move || {
        while !stop.load(Relaxed) {
            let round = count.fetch_add(1, Relaxed);
            harm(round);
            thread::sleep(pause);
        }
    });
    Hostile { name, times }
}

fn connect(ends: Ends) -> std::io::Result<TcpStream> {
    let stream = connect_from(ends.client, ends.proxy)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    Ok(stream)
}

/// Sends bytes and takes what comes until the proxy closes.
fn send(ends: Ends, bytes: &[u8]) -> std::io::Result<()> {
    let mut stream = connect(ends)?;
    stream.write_all(bytes)?;
    let mut taken = [0; 16 << 10];
    while stream.read(&mut taken)? > 0 {}
    Ok(())
}

fn fault(ends: Ends, path: &str, fault: &str) -> std::io::Result<()> {
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-fault: {fault}\r\n\r\n"
    );
    send(ends, head.as_bytes())
}

fn stalled_uploads(ends: Ends, _: usize) -> std::io::Result<()> {
    let head =
        b"POST /reading HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\nx-fault: read\r\n\r\n";
    let mut open = Vec::new();
    for _ in 0..200 {
        let mut stream = connect(ends)?;
        stream.write_all(head)?;
        open.push(stream);
    }
    thread::sleep(Duration::from_secs(5));
    Ok(())
}

fn kept_body(ends: Ends, _: usize) -> std::io::Result<()> {
    let head = "POST /faulty HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 33554432\r\nx-fault: request-body-keep\r\n\r\n";
    let mut stream = connect(ends)?;
    stream.write_all(head.as_bytes())?;
    let piece = vec![b'a'; 64 << 10];
    for _ in 0..512 {
        stream.write_all(&piece)?;
    }
    Ok(())
}

fn wrong_password(ends: Ends, _: usize) -> std::io::Result<()> {
    // alice:wrong
    send(
        ends,
        b"GET /staff HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Basic YWxpY2U6d3Jvbmc=\r\n\r\n",
    )
}

fn long_path(ends: Ends, round: usize) -> std::io::Result<()> {
    let path = "ab".repeat(if round.is_multiple_of(2) { 1000 } else { 25_000 });
    let head =
        format!("GET /rewrite/{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    send(ends, head.as_bytes())
}

fn endless_keys(ends: Ends, round: usize) -> std::io::Result<()> {
    let mut all = String::new();
    for number in 0..100 {
        let key = format!("{round}-{number}-{}", "k".repeat(200));
        all += &format!("GET /limited HTTP/1.1\r\nhost: localhost\r\nx-key: {key}\r\n\r\n");
    }
    all += "GET /limited HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    send(ends, all.as_bytes())
}

/// Streams whose answers nobody takes, as many as a connection may have.
fn stalled_windows(ends: Ends, _: usize) -> std::io::Result<()> {
    let open = |_| connect(ends).map(Frames::over);
    let mut connections: Vec<Frames> = (0..9).map(open).collect::<Result<_, _>>()?;
    for frames in &mut connections {
        for stream in 0..100 {
            head(frames, 2 * stream + 1, "/large");
        }
    }
    thread::sleep(Duration::from_secs(5));
    Ok(())
}

fn rapid_resets(ends: Ends, _: usize) -> std::io::Result<()> {
    let mut frames = Frames::over(connect(ends)?);
    for stream in 0..1000 {
        let stream = 2 * stream + 1;
        if !head(&mut frames, stream, "/good")
            || !frames.send(kind::RST_STREAM, 0, stream, &[0, 0, 0, 8])
        {
            break;
        }
    }
    Ok(())
}

fn head(frames: &mut Frames, stream: u32, path: &str) -> bool {
    let fields =
        [(":method", "GET"), (":scheme", "http"), (":authority", "localhost"), (":path", path)];
    frames.head(stream, true, &fields)
}

fn pipelining(ends: Ends, _: usize) -> std::io::Result<()> {
    let mut stream = connect(ends)?;
    let many = "GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(200);
    stream.write_all(many.as_bytes())?;
    thread::sleep(Duration::from_secs(2));
    Ok(())
}

fn pipelined_metrics(ends: Ends, _: usize) -> std::io::Result<()> {
    let mut stream = connect(ends)?;
    let many = "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(200);
    stream.write_all(many.as_bytes())?;
    thread::sleep(Duration::from_secs(2));
    Ok(())
}

fn slow_heads(ends: Ends, _: usize) -> std::io::Result<()> {
    let mut open: Vec<TcpStream> = (0..50).map(|_| connect(ends)).collect::<Result<_, _>>()?;
    for byte in b"GET / HTTP/1.1\r\nx: " {
        for stream in &mut open {
            stream.write_all(&[*byte])?;
        }
        thread::sleep(Duration::from_millis(500));
    }
    Ok(())
}

/// An endpoint's body of a byte a chunk, without end, for clients that take nothing of it.
fn tiny_chunks(ends: Ends, _: usize) -> std::io::Result<()> {
    let mut open = Vec::new();
    for _ in 0..4 {
        let mut stream = connect(ends)?;
        stream.write_all(b"GET /tiny HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        open.push(stream);
    }
    thread::sleep(Duration::from_secs(2));
    Ok(())
}

/// Half-closed, as it looks, while the endpoint takes its time.
fn closed_behind(ends: Ends, _: usize) -> std::io::Result<()> {
    for _ in 0..10 {
        connect(ends)?.write_all(b"GET /slow HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
    }
    Ok(())
}

fn dripping_body(ends: Ends, _: usize) -> std::io::Result<()> {
    let mut stream = connect(ends)?;
    stream.write_all(b"POST /good HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000\r\n\r\n")?;
    for _ in 0..1000 {
        stream.write_all(b"a")?;
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn given_up(ends: Ends, _: usize) -> std::io::Result<()> {
    for path in ["/good", "/large", "/staff", "/reading"] {
        let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        connect(ends)?.write_all(head.as_bytes())?;
    }
    Ok(())
}

fn broken_framing(ends: Ends, round: usize) -> std::io::Result<()> {
    let fields = [
        "content-length: 4\r\ncontent-length: 5",
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: xchunked",
        "content-length: +4",
        "x y: z",
        "x: \0",
    ];
    let field = fields[round % fields.len()];
    send(ends, format!("POST /good HTTP/1.1\r\nhost: localhost\r\n{field}\r\n\r\nbody").as_bytes())
}

fn many_fields(ends: Ends, _: usize) -> std::io::Result<()> {
    let fields: String = (0..97).map(|at| format!("x-{at}: {at}\r\n")).collect();
    let head =
        format!("GET /good HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{fields}\r\n");
    send(ends, head.as_bytes())
}

impl fmt::Display for Hostile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} times", self.name, self.times.load(Relaxed))
    }
}
