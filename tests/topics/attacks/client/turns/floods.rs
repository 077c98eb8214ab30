//! Somebody whose connections always have more to do: tunnels, uploads, answers in bytes, messages of a
//! few bytes.
//!
//! How much of it moves while a number of requests is answered is counted, and not how long that takes:
//! a machine that is busy is so for both.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use weir_tests::endpoint::{Endpoint, framed, max_streams, ok};
use weir_tests::frames::{END_STREAM, Frames, GRPC_CALL, kind};
use weir_tests::{Origin, Proxy, RawClient, Setup, read_head, until};

/// Connections of who has so much to do.
const CONNECTIONS: usize = 10;
/// Requests of somebody else, who sends them at once.
const ASKED: usize = 1_000;

/// What moves, as long as it is not over.
#[derive(Default)]
struct Flood {
    moved: AtomicUsize,
    over: AtomicBool,
}

/// Ends it, also where a test fails: its threads are waited for.
struct Ends<'a>(&'a Flood);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Relaxed);
    }
}

impl Flood {
    /// So much more of it; whether it goes on.
    fn more(&self, count: usize) -> bool {
        self.moved.fetch_add(count, Relaxed);
        count > 0 && !self.over.load(Relaxed)
    }

    /// Sends a request, and reads what comes of it.
    fn read(&self, at: SocketAddr, request: &[u8]) {
        let mut stream = connection(at);
        stream.write_all(request).expect("sent");
        let mut space = vec![0; 64 << 10];
        while self.more(stream.read(&mut space).unwrap_or(0)) {}
    }
}

fn connection(at: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(at).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream.set_write_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    stream
}

/// Floods a proxy with one worker from every connection, and has somebody else ask meanwhile. Gives how
/// much moved for each of his requests.
fn moved_for_each(
    origin: &Origin,
    lines: &str,
    floods: impl Fn(&Flood, SocketAddr) + Sync,
) -> usize {
    let toml = Setup::to(origin).server("workers = 1").upstream(lines).toml();
    let mine = "[routes.mine]\nmatch = { path = \"/mine\" }\nplugins = [\"mine\"]\n\
                [plugins.mine]\ncomponent = \"mock\"\n";
    let proxy = Proxy::start(&format!("{toml}\n{mine}"));
    let web = proxy.address("web");
    let flood = Flood::default();
    std::thread::scope(|scope| {
        let _ends = Ends(&flood);
        for _ in 0..CONNECTIONS {
            scope.spawn(|| floods(&flood, web));
        }
        until("it moves", || flood.moved.load(Relaxed) > 0);
        let mut other = RawClient::connect_from([127, 0, 0, 2], web);
        let before = flood.moved.load(Relaxed);
        other.send(&b"GET /mine HTTP/1.1\r\nhost: a\r\n\r\n".repeat(ASKED));
        for _ in 0..ASKED {
            assert_eq!(other.answer().status, 200);
        }
        let meanwhile = flood.moved.load(Relaxed) - before;
        until("it goes on", || flood.moved.load(Relaxed) > before + meanwhile);
        meanwhile / ASKED
    })
}

/// Switches to another protocol, or answers a body, and sends this again and again.
fn endless(head: &'static [u8], piece: &'static [u8]) -> Origin {
    Origin::raw(move |mut stream| async move {
        read_head(&mut stream).await;
        let pieces = piece.repeat((16 << 10) / piece.len());
        if stream.write_all(head).await.is_ok() {
            while stream.write_all(&pieces).await.is_ok() {}
        }
    })
}

#[test]
fn tunnels() {
    let origin = endless(
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n",
        &[b'x'; 1 << 10],
    );
    let ask = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";
    let each = moved_for_each(&origin, "", |flood, at| flood.read(at, ask));
    println!("{each} bytes of tunnels for each request of somebody else");
    assert!(each < 256 << 10, "{each} bytes of tunnels for each request of somebody else");
}

#[test]
fn answers_in_chunks_of_a_byte() {
    let origin = endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n");
    let ask = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    let each = moved_for_each(&origin, "", |flood, at| flood.read(at, ask));
    println!("{each} bytes of chunks for each request of somebody else");
    assert!(each < 16 << 10, "{each} bytes of chunks for each request of somebody else");
}

#[test]
fn uploads() {
    let origin = Origin::raw(|mut stream| async move {
        let mut space = vec![0; 64 << 10];
        while let Ok(1..) = stream.read(&mut space).await {}
    });
    let piece = [&b"4000\r\n"[..], &[b'x'; 0x4000], b"\r\n"].concat();
    let each = moved_for_each(&origin, "", |flood, at| {
        let mut stream = connection(at);
        let head = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(head).expect("sent");
        while stream.write_all(&piece).is_ok() && flood.more(piece.len()) {}
    });
    println!("{each} bytes of uploads for each request of somebody else");
    assert!(each < 256 << 10, "{each} bytes of uploads for each request of somebody else");
}

/// As of gRPC: each in a frame of its own, on many streams.
#[test]
fn messages_of_a_few_bytes() {
    const MESSAGE: &[u8] = b"\0\0\0\0\x01x";
    const OF_A_STREAM: usize = 1_000;
    let endpoint = Endpoint::new(max_streams(1_000), |_, stream| {
        let message = framed(kind::DATA, 0, stream, MESSAGE);
        let fields = [("content-type", "application/grpc")];
        let end = framed(kind::DATA, END_STREAM, stream, b"");
        [ok(stream, false, &fields), message.repeat(OF_A_STREAM), end].concat()
    });
    let ask = |flood: &Flood, at: SocketAddr| {
        let mut client = Frames::connect(at);
        let window = (1_u32 << 30).to_be_bytes();
        client.send(kind::WINDOW_UPDATE, 0, 0, &window);
        let (mut next, mut under_way) = (1, 0);
        loop {
            while under_way < 20 {
                client.head(next, true, &GRPC_CALL);
                (next, under_way) = (next + 2, under_way + 1);
            }
            let Some(frame) = client.next_frame() else { return };
            let is_over = match frame.kind {
                kind::DATA | kind::HEADERS => frame.flags & END_STREAM != 0,
                other => other == kind::RST_STREAM,
            };
            under_way -= u32::from(is_over);
            let moved = if frame.kind == kind::DATA { frame.payload.len() } else { 0 };
            if moved > 0 && !flood.more(moved) {
                return;
            }
        }
    };
    let each = moved_for_each(&endpoint.origin, "protocol = \"http2\"", ask);
    println!("{each} bytes of messages for each request of somebody else");
    assert!(each < 16 << 10, "{each} bytes of messages for each request of somebody else");
}

/// Each of them has little to do, and all have it in the same moment.
#[test]
fn requests_on_many_connections_at_once() {
    const OF_A_THREAD: usize = 40;
    let origin = Origin::saying("never asked");
    let each = moved_for_each(&origin, "", |flood, at| {
        let mut clients: Vec<_> = (0..OF_A_THREAD).map(|_| RawClient::connect(at)).collect();
        loop {
            for client in &mut clients {
                client.send(b"GET /mine HTTP/1.1\r\nhost: a\r\n\r\n");
            }
            for client in &mut clients {
                if client.try_answer("GET").is_none_or(|answer| answer.status != 200) {
                    return;
                }
            }
            if !flood.more(OF_A_THREAD) {
                return;
            }
        }
    });
    println!("{each} requests at once for each request of somebody else");
    assert!(each <= 4, "{each} requests at once for each request of somebody else");
}
