//! Every page over a real socket.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use weir_core::config::Bind;
use weir_core::telemetry::metrics::Metrics;

use super::*;
use crate::net::{ConnectionLimit, listen};

#[derive(Default)]
struct View {
    metrics: Metrics,
    broken: AtomicBool,
}

impl AdminView for View {
    fn metrics(&self) -> String {
        self.metrics.render()
    }

    fn ready(&self) -> Result<(), String> {
        match self.broken.load(Ordering::Relaxed) {
            false => Ok(()),
            true => Err("draining".to_owned()),
        }
    }

    fn goes_by(&self, host: &str) -> bool {
        host == "listed.example"
    }

    fn config(&self) -> serde_json::Value {
        serde_json::json!({ "server": { "workers": 2 } })
    }

    fn upstreams(&self) -> serde_json::Value {
        serde_json::json!(["users"])
    }

    fn plugins(&self) -> serde_json::Value {
        serde_json::json!([])
    }

    fn reload(&self) -> Reload {
        let broken = self.broken.load(Ordering::Relaxed);
        Box::pin(async move {
            let problems = || vec!["weir.toml:1:1: a".to_owned(), "weir.toml:2:1: b".to_owned()];
            if broken { Err(NotReloaded::Wrong(problems())) } else { Ok(Vec::new()) }
        })
    }

    fn log(&self, level: Option<&str>) -> Result<String, String> {
        match level {
            Some("loud") => Err("\"loud\" is no level of the log".to_owned()),
            level => Ok(level.unwrap_or("info").to_owned()),
        }
    }
}

fn start(view: Arc<View>) -> SocketAddr {
    let bind = Bind::Tcp("127.0.0.1:0".parse().unwrap());
    let listener = listen(&bind, 1).unwrap().remove(0);
    let address = listener.local_addr().unwrap();
    let listener_metrics = view.metrics.listener("admin");
    let acceptor = Acceptor::new(listener, ConnectionLimit::new(None), listener_metrics).unwrap();
    tokio::spawn(serve(acceptor, view));
    address
}

/// Status, head and body of one request on a connection of its own.
async fn send(address: SocketAddr, line: &str, fields: &str) -> (u16, String, String) {
    let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
    raw(address, &format!("{head}{fields}\r\n")).await
}

async fn raw(address: SocketAddr, request: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_owned(), body.to_owned())
}

#[tokio::test]
async fn pages() {
    let view = Arc::new(View::default());
    view.metrics.route("api").finished(200, Duration::ZERO, 0, 0);
    let address = start(view.clone());
    for (line, status, media_type, contains) in [
        ("GET /", 200, TEXT, "POST /reload"),
        ("GET /metrics", 200, "text/plain; version=0.0.4", "weir_requests_total{route=\"api\""),
        ("GET /metrics?x=1", 200, "text/plain; version=0.0.4", "weir_connections{"),
        ("GET /livez", 200, TEXT, "live"),
        ("GET /readyz", 200, TEXT, "ready"),
        ("GET /config", 200, JSON, "\"workers\": 2"),
        ("GET /upstreams", 200, JSON, "users"),
        ("GET /plugins", 200, JSON, "[]"),
        ("POST /reload", 200, JSON, "\"reloaded\": true"),
        ("GET /reload", 405, TEXT, "POST"),
        ("POST /metrics", 405, TEXT, "GET, HEAD"),
        ("DELETE /", 405, TEXT, "GET, HEAD"),
        ("GET /nothing", 404, TEXT, "No such page"),
        ("GET /metrics/", 404, TEXT, "No such page"),
        ("HEAD /livez", 200, TEXT, ""),
    ] {
        let (got, head, body) = send(address, line, "").await;
        assert_eq!(got, status, "{line}");
        assert!(head.contains(&format!("content-type: {media_type}")), "{line}: {head}");
        assert!(head.contains("cache-control: no-store"), "{line}: {head}");
        assert!(body.contains(contains), "{line}: {body}");
        assert_eq!(head.contains("\nallow: "), status == 405, "{line}: {head}");
        if line.starts_with("HEAD") {
            assert!(body.is_empty() && head.contains("content-length: 5"), "{head} {body}");
        }
    }
}

#[tokio::test]
async fn trouble_is_told() {
    let view = Arc::new(View::default());
    let address = start(view.clone());
    view.broken.store(true, Ordering::Relaxed);
    let (status, _, body) = send(address, "GET /readyz", "").await;
    assert_eq!((status, &*body), (503, "not ready: draining\n"));
    let (status, _, _) = send(address, "GET /livez", "").await;
    assert_eq!(status, 200);
    let (status, _, body) = send(address, "POST /reload", "content-length: 0\r\n").await;
    assert_eq!(status, 422);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let problems = ["weir.toml:1:1: a", "weir.toml:2:1: b"];
    assert_eq!(body, serde_json::json!({ "reloaded": false, "problems": problems }));
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let address = start(Arc::new(View::default()));
    let port = address.port();
    for (field, status) in [
        ("sec-fetch-site: cross-site".to_owned(), 403),
        ("sec-fetch-site: same-site".to_owned(), 403),
        ("sec-fetch-site: same-origin".to_owned(), 200),
        ("sec-fetch-site: none".to_owned(), 200),
        ("sec-fetch-site: none\r\nsec-fetch-site: cross-site".to_owned(), 403),
        ("origin: https://evil.example".to_owned(), 403),
        (format!("origin: http://evil.example:{port}"), 403),
        ("origin: null".to_owned(), 403),
        ("origin: localhost".to_owned(), 403),
        // Another service on the same machine is another site.
        ("origin: http://localhost:1".to_owned(), 403),
        ("origin: http://localhost".to_owned(), 200),
        (format!("origin: http://localhost:{port}"), 200),
        (format!("origin: http://{address}"), 200),
        (format!("origin: http://{address}\r\norigin: http://evil.example"), 403),
    ] {
        for line in ["POST /reload", "GET /config"] {
            assert_eq!(send(address, line, &format!("{field}\r\n")).await.0, status, "{field}");
        }
    }
}

/// A name that an attacker let lead here is not one of the listener's.
#[tokio::test]
async fn foreign_hosts_are_refused() {
    let address = start(Arc::new(View::default()));
    let mine = address.to_string();
    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST.:9901", 200),
        ("admin.localhost", 200),
        ("127.0.0.1", 200),
        ("127.8.8.8:1", 200),
        ("[::1]:9901", 200),
        ("[::ffff:127.0.0.1]", 200),
        (&*mine, 200),
        ("listed.example:80", 200),
        ("evil.example", 403),
        ("localhost.evil.example", 403),
        ("notlisted.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("192.0.2.1", 403),
        ("0.0.0.0", 403),
        ("[2001:db8::1]", 403),
        ("a@localhost", 400),
        ("localhost,evil.example", 400),
        ("", 400),
    ] {
        for line in ["GET /livez", "GET /config", "POST /reload"] {
            let request = format!("{line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            assert_eq!(raw(address, &request).await.0, status, "{line} {host}");
        }
    }
    for (request, status) in [
        ("GET http://evil.example/config HTTP/1.1\r\nhost: localhost\r\n", 403),
        ("GET /livez HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n", 400),
        ("GET /livez HTTP/1.1\r\n", 400),
        // Old health checks.
        ("GET /livez HTTP/1.0\r\n", 200),
    ] {
        let whole = format!("{request}connection: close\r\n\r\n");
        assert_eq!(raw(address, &whole).await.0, status, "{request}");
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// One whose metrics do not fit into what sockets hold.
fn with_a_large_page() -> Arc<View> {
    let view = Arc::new(View::default());
    for n in 0..20_000 {
        view.metrics.route(&format!("route-{n:05}-{}", "x".repeat(40)));
    }
    view
}

/// Whether so many connections were accepted, and so many of them are open. To be asked seldom: it costs
/// the whole page.
fn counts(view: &View, accepted: usize, open: usize) -> bool {
    let text = view.metrics.render();
    let shows = |series: &str, value: usize| {
        text.contains(&format!("{series}{{listener=\"admin\"}} {value}\n"))
    };
    shows("weir_connections_accepted_total", accepted) && shows("weir_connections", open)
}

/// Nobody else asks for their places. Paused: the time goes on when nothing more moves.
#[tokio::test(start_paused = true)]
async fn clients_that_hang_are_put_out_after_a_while() {
    let view = with_a_large_page();
    let address = start(view.clone());
    let texts = [
        String::new(),
        "GET /livez HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
        "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100),
    ];
    for (at, text) in texts.iter().enumerate() {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        tokio::time::sleep(connections::PATIENCE - SECOND).await;
        assert!(counts(&view, at + 1, 1), "{at}: not before");
        // A sweep comes in time, and what was sent may have come later.
        tokio::time::sleep(connections::PATIENCE).await;
        assert!(counts(&view, at + 1, 0), "{at}: it is open");
        drop(stream);
    }
}

/// A head has 64 KiB and a hundred fields.
#[tokio::test]
async fn a_head_has_the_usual_bounds() {
    let address = start(Arc::new(View::default()));
    let fields = |count: usize| (0..count).map(|n| format!("x-{n}: a\r\n")).collect::<String>();
    for (fields, fits) in [
        (fields(98), true),
        (fields(99), false),
        (format!("x-a: {}\r\n", "a".repeat(65_000)), true),
        (format!("x-a: {}\r\n", "a".repeat(65_536)), false),
        (format!("x-a: {}\r\n", "a".repeat(8 << 20)), false),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = "GET /livez HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n";
        let head = format!("{head}{fields}\r\n");
        let (mut answers, mut asks) = stream.split();
        let mut answer = Vec::new();
        // It may be cut off before it has sent all, and before it has read why.
        let asking = asks.write_all(head.as_bytes());
        let _ = tokio::join!(asking, answers.read_to_end(&mut answer));
        let answer = String::from_utf8_lossy(&answer);
        match fits {
            true => assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}"),
            false => assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}"),
        }
    }
}

/// Every refusal has the one form, what came before it is answered, and nothing behind it is read.
#[tokio::test]
async fn what_is_no_request_is_refused() {
    let address = start(Arc::new(View::default()));
    let host = "host: localhost\r\n";
    let live = format!("GET /livez HTTP/1.1\r\n{host}\r\n");
    let behind = format!("GET /config HTTP/1.1\r\n{host}\r\n");
    let both = "content-length: 1\r\ntransfer-encoding: chunked\r\n";
    for (head, status, why) in [
        ("GET /livez HTTP/1.1\r\nhost : localhost\r\n".to_owned(), 400, "followed by white space"),
        (format!("GET /livez HTTP/1.1\r\n{host}{both}"), 400, "both Content-Length and"),
        (format!("GET /livez HTTP/3.1\r\n{host}"), 505, "version"),
        (format!("GET /livez#a HTTP/1.1\r\n{host}"), 400, "%23"),
        (format!("GET /livez HTTP/1.0\r\n{host}{both}"), 400, "Transfer-Encoding"),
        (format!("HEAD /livez HTTP/1.1\r\n{host}{both}"), 400, ""),
        ("nonsense\r\n".to_owned(), 400, "request line"),
    ] {
        let (first, _, rest) = raw(address, &format!("{live}{head}\r\n{behind}")).await;
        assert_eq!(first, 200, "{head}");
        let (_, refused) = rest.split_once("HTTP/1.").expect("an answer to what is no request");
        let (fields, body) = refused.split_once("\r\n\r\n").expect("a head");
        assert!(fields.contains(&format!(" {status} ")), "{head}: {refused}");
        let fields = fields.to_ascii_lowercase();
        for field in ["date: ", "content-type: text/plain", "connection: close"] {
            assert!(fields.contains(&format!("\r\n{field}")), "{head}: {fields}");
        }
        assert!(
            body.contains(why) && body.is_empty() == head.starts_with("HEAD"),
            "{head}: {body}"
        );
        assert!(!body.contains("workers"), "what came behind {head} was answered");
    }
    // A target is spelled well, as everywhere.
    let (status, _, body) = send(address, "GET /a`b", "").await;
    assert!(status == 404 && body.contains("No such page"), "{status} {body}");
}

/// Also to a client that had no more to say, of which all fits into what sockets hold or does not.
#[tokio::test]
async fn a_client_that_closed_its_side_gets_its_answer() {
    let address = start(with_a_large_page());
    for (line, end) in [("POST /reload", "true\n}\n"), ("GET /metrics", "\n")] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        // Once the answer has begun: what is left of it waits for room.
        stream.readable().await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        assert_eq!(length, Some(&*body.len().to_string()), "{line}");
        assert!(body.ends_with(end), "{line}");
    }
}

/// Who pipelines and does not read, or asks nothing at all, keeps nobody out.
#[tokio::test]
async fn clients_that_hang_are_put_out_for_those_that_ask() {
    let address = start(with_a_large_page());
    let mut hanging = Vec::new();
    for n in 0..connections::CONNECTIONS * 2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let text = match n % 3 {
            0 => "GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(100),
            1 => "GET /livez HTTP/1.1\r\nhost: localhost\r\n".to_owned(),
            _ => String::new(),
        };
        // Put out already, perhaps.
        let _ = stream.write_all(text.as_bytes()).await;
        hanging.push(stream);
    }
    for _ in 0..3 {
        assert_eq!(send(address, "GET /livez", "").await.0, 200);
        assert_eq!(send(address, "GET /readyz", "").await.0, 200);
    }
    drop(hanging);
}
