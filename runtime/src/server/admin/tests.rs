//! Every page over a real socket.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::config::Bind;
use crate::net::{ConnectionLimit, listen};
use crate::telemetry::metrics::Metrics;

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
            if broken { Err(problems()) } else { Ok(()) }
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
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{line} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n{fields}\r\n");
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
    for (site, status) in
        [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)]
    {
        let field = format!("sec-fetch-site: {site}\r\n");
        assert_eq!(send(address, "POST /reload", &field).await.0, status, "{site}");
    }
}

#[tokio::test]
async fn many_connections_wait_for_each_other() {
    let address = start(Arc::new(View::default()));
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /livez HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut [0; 512]).await.unwrap() > 0);
        idle.push(stream);
    }
    let next = tokio::spawn(async move { send(address, "GET /livez", "").await });
    tokio::task::yield_now().await;
    drop(idle);
    assert_eq!(next.await.unwrap().0, 200);
}
