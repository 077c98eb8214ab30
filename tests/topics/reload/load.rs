//! Fifty reloads under mixed load: none fails, none is answered wrongly, each sees one snapshot.
//!
//! Everything that a configuration is made of says its version: two plugins of a route, one of
//! them with its binary exchanged each time, and the upstream's `Host`. They have to agree in every
//! single answer, and no answer may be older than the configuration that served when it was asked.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use weir_tests::{Answer, Origin, Proxy, RawClient, get, guest, read_head};

const RELOADS: usize = 50;
/// Answers between two reloads.
const BETWEEN: usize = 200;
/// Keep-alive connections of HTTP/1.1.
const CONNECTIONS: usize = 3;
/// Streams at a time on the connection of HTTP/2.
const STREAMS: usize = 4;

/// What the load goes by.
#[derive(Default)]
struct Progress {
    /// The version that serves for sure.
    version: AtomicUsize,
    answered: AtomicUsize,
    done: AtomicBool,
}

fn config(origin: &Origin, sockets: &Origin, version: usize) -> String {
    format!(
        r#"
        [server]
        workers = 2
        [listeners.web]
        bind = "127.0.0.1:0"
        [plugins.edge]
        component = "headers"
        config = {{ response = {{ set = {{ x-edge = "{version}" }} }} }}
        [plugins.build]
        component = "{}"
        config = {{ version = "{version}" }}
        [routes.load-{version}]
        match = {{ path = "/load/*" }}
        plugins = ["edge", "build"]
        upstream = "origin"
        [routes.only]
        match = {{ path = "/only-{version}" }}
        plugins = ["edge", "build"]
        upstream = "origin"
        [routes.sockets]
        match = {{ path = "/socket" }}
        plugins = ["build"]
        upstream = "sockets"
        [upstreams.origin]
        endpoints = ["{}"]
        host = "v{version}.test"
        [upstreams.sockets]
        endpoints = ["{}"]
        "#,
        guest(build(version)).display(),
        origin.url(),
        sockets.url(),
    )
}

fn build(version: usize) -> &'static str {
    if version.is_multiple_of(2) { "blue" } else { "green" }
}

#[test]
fn fifty_reloads_under_mixed_load_lose_nothing() {
    let origin = Origin::echo();
    let sockets = Origin::raw(echo_socket);
    let proxy = Proxy::start(&config(&origin, &sockets, 0));
    let address = proxy.address("web");
    let progress = Progress::default();
    let since = Instant::now();
    let mut socket = open_socket(address);
    thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| http1(address, &progress));
        }
        scope.spawn(|| http2(address, &progress));
        scope.spawn(|| slow_uploads(address, &progress));
        let ended = EndLoad(&progress.done);
        for version in 1..=RELOADS {
            let enough = version * BETWEEN;
            let deadline = Instant::now() + Duration::from_secs(60);
            while progress.answered.load(Ordering::Relaxed) < enough {
                assert!(Instant::now() < deadline, "the load has stopped");
                thread::sleep(Duration::from_millis(1));
            }
            proxy.reload(&config(&origin, &sockets, version)).expect("a good configuration");
            progress.version.store(version, Ordering::SeqCst);
            let answer = get(address, &format!("/only-{version}"));
            assert!(check(&answer) >= version, "{answer:?}");
            assert_eq!(get(address, &format!("/only-{}", version - 1)).status, 404);
            say(&mut socket, &format!("after reload {version}"));
        }
        drop(ended);
    });
    let answered = progress.answered.load(Ordering::Relaxed);
    let took = since.elapsed();
    println!(
        "{answered} requests in {took:?}, {:.0} a second, with {RELOADS} reloads",
        answered as f64 / took.as_secs_f64()
    );
    assert!(answered >= RELOADS * BETWEEN);
    say(&mut socket, "still there");
    for code in ["500", "502", "503", "504"] {
        for version in 0..=RELOADS {
            let series = format!("weir_requests_total{{route=\"load-{version}\",code=\"{code}\"}}");
            assert_eq!(proxy.metric(&series), 0.0, "{series}");
        }
    }
}

/// Ends the load also where the test fails, which else would wait for it for ever.
struct EndLoad<'a>(&'a AtomicBool);

impl Drop for EndLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// That everything in an answer is of one version; gives it.
#[track_caller]
fn check(answer: &Answer) -> usize {
    assert_eq!(answer.status, 200, "{answer:?}");
    let version = answer.header("x-edge").and_then(|text| text.parse().ok());
    let version: usize = version.unwrap_or_else(|| panic!("no version: {answer:?}"));
    let text = version.to_string();
    assert_eq!(answer.header("x-answered"), Some(text.as_str()), "{answer:?}");
    assert_eq!(answer.header("x-build"), Some(build(version)), "{answer:?}");
    let seen = answer.text();
    assert!(seen.contains(&format!("\nx-asked: {version}\n")), "{version}: {seen}");
    assert!(seen.contains(&format!("\nhost: v{version}.test\n")), "{version}: {seen}");
    version
}

/// One request after the other on a connection that has to last.
fn http1(address: SocketAddr, progress: &Progress) {
    let mut connection = RawClient::connect(address);
    let mut last = 0;
    while !progress.done.load(Ordering::Relaxed) {
        let least = progress.version.load(Ordering::SeqCst).max(last);
        connection.send(b"GET /load/http1 HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let answer = connection.try_answer("GET").expect("a connection that lasts");
        last = check(&answer);
        assert!(last >= least, "version {last}, where {least} served before");
        progress.answered.fetch_add(1, Ordering::Relaxed);
    }
}

/// Several streams at a time on a connection that has to last.
fn http2(address: SocketAddr, progress: &Progress) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.expect("a connection");
        let (sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("a handshake");
        tokio::spawn(connection);
        let streams = (0..STREAMS).map(|_| {
            let mut sender = sender.clone();
            async move {
                while !progress.done.load(Ordering::Relaxed) {
                    let least = progress.version.load(Ordering::SeqCst);
                    let request = http::Request::get("http://localhost/load/http2");
                    let request = request.body(Full::new(Bytes::new())).expect("a request");
                    let response = sender.send_request(request).await.expect("a response");
                    let (parts, body) = response.into_parts();
                    let body = body.collect().await.expect("a body").to_bytes().to_vec();
                    let status = parts.status.as_u16();
                    let version = check(&Answer { status, headers: parts.headers, body });
                    assert!(version >= least, "version {version}, where {least} served before");
                    progress.answered.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        futures_join(streams.collect()).await;
    });
}

/// All of them, side by side on this thread.
async fn futures_join<F: Future<Output = ()>>(futures: Vec<F>) {
    let mut waiting: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        waiting.retain_mut(|future| future.as_mut().poll(cx).is_pending());
        if waiting.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

/// Bodies that take several reloads to arrive; the answer is of the snapshot that began it.
fn slow_uploads(address: SocketAddr, progress: &Progress) {
    let mut connection = RawClient::connect(address);
    let mut uploads = 0;
    while !progress.done.load(Ordering::Relaxed) {
        let least = progress.version.load(Ordering::SeqCst);
        connection.send(
            b"POST /load/upload HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n",
        );
        let mut body = String::new();
        for number in 0..40 {
            let piece = format!("piece {number:04} of a slow upload\n");
            connection.send(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes());
            body += &piece;
            thread::sleep(Duration::from_millis(10));
        }
        connection.send(b"0\r\n\r\n");
        let answer = connection.try_answer("POST").expect("a connection that lasts");
        assert!(check(&answer) >= least);
        assert!(answer.text().ends_with(&format!("\n\n{body}")), "the upload: {}", answer.text());
        progress.answered.fetch_add(1, Ordering::Relaxed);
        uploads += 1;
    }
    assert!(uploads > 0);
}

/// Switches protocols, then sends every byte back.
async fn echo_socket(mut stream: tokio::net::TcpStream) {
    read_head(&mut stream).await;
    let switched =
        b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let _ = stream.write_all(switched).await;
    let (mut read, mut write) = stream.split();
    let _ = tokio::io::copy(&mut read, &mut write).await;
}

fn open_socket(address: SocketAddr) -> RawClient {
    let mut socket = RawClient::connect(address);
    socket.send(
        b"GET /socket HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
          sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    assert_eq!(socket.answer().status, 101);
    say(&mut socket, "hello");
    socket
}

/// Says something on the socket and hears it back.
#[track_caller]
fn say(socket: &mut RawClient, text: &str) {
    socket.send(text.as_bytes());
    let heard = socket.exactly(text.len()).expect("a socket that stays open");
    assert_eq!(String::from_utf8_lossy(&heard), text);
}
