//! What an exchange under way holds of the configuration that it began with: no plugin instance.
//!
//! A tunnel, an endpoint that keeps a client waiting and a body that never ends outlast any number
//! of reloads. Each reload here changes the plugin, so that every configuration has instances of
//! its own.

use tokio::io::AsyncWriteExt;
use weir_tests::{Origin, Proxy, RawClient, get, guest, read_head, until};

const RELOADS: usize = 75;
/// Exchanges of each kind that are begun with each configuration.
const EACH: usize = 4;

/// The plugin has every hook, so that the chain's end is due for every exchange.
fn config(origin: &Origin, version: usize) -> String {
    format!(
        r#"
        [server]
        workers = 1
        [listeners.web]
        bind = "127.0.0.1:0"
        max_connections = 2000
        [plugins.held]
        component = "{}"
        limits = {{ memory = "{}KiB" }}
        [routes.all]
        plugins = ["held"]
        upstream = "origin"
        timeout = "1h"
        [upstreams.origin]
        endpoints = ["{}"]
        timeouts = {{ first_byte = "1h", idle = "1h" }}
        pool = {{ max_connections = 2000 }}
        "#,
        guest("faulty").display(),
        4096 + 64 * version,
        origin.url(),
    )
}

/// Switches protocols, keeps silent, or begins a body that does not end.
fn holding() -> Origin {
    Origin::raw(|mut stream| async move {
        let head = String::from_utf8_lossy(&read_head(&mut stream).await).into_owned();
        let answer: &[u8] = match () {
            () if head.starts_with("GET /tunnel") => {
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"
            }
            () if head.starts_with("GET /head") => b"",
            () if head.starts_with("GET /body") => {
                b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello"
            }
            () => b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        };
        let _ = stream.write_all(answer).await;
        let (mut read, mut write) = stream.split();
        let _ = tokio::io::copy(&mut read, &mut write).await;
    })
}

fn instances(proxy: &Proxy) -> f64 {
    proxy.metric(r#"weir_plugin_instances{plugin="held"}"#)
}

/// Holds exchanges open over all reloads; gives their connections.
fn held_over_reloads(kind: &str) -> (Proxy, Origin, Vec<RawClient>) {
    let origin = holding();
    let proxy = Proxy::start(&config(&origin, 0));
    let web = proxy.address("web");
    let before = instances(&proxy);
    assert!(before >= 1.0, "{}", proxy.metrics());
    let mut open = Vec::new();
    for version in 1..=RELOADS {
        for _ in 0..EACH {
            let mut client = RawClient::connect(web);
            let fields =
                if kind == "tunnel" { "connection: upgrade\r\nupgrade: x\r\n" } else { "" };
            client.send(format!("GET /{kind} HTTP/1.1\r\nhost: a\r\n{fields}\r\n").as_bytes());
            open.push(client);
        }
        until("the endpoint has them", || origin.connections() >= open.len());
        proxy.reload(&config(&origin, version)).expect("a good configuration");
    }
    until("instances of configurations that no request begins with are gone", || {
        instances(&proxy) <= before
    });
    assert_eq!(get(web, "/").status, 200);
    (proxy, origin, open)
}

#[test]
fn open_tunnels_hold_no_plugin_instance() {
    let (proxy, _origin, mut open) = held_over_reloads("tunnel");
    for tunnel in &mut open {
        assert_eq!(tunnel.answer().status, 101);
        tunnel.send(b"still here");
        assert_eq!(tunnel.exactly(10).as_deref(), Some(b"still here".as_slice()));
    }
    drop(open);
    // The hook at the chain's end is called, though its configuration is long gone.
    let series = r#"weir_plugin_calls_total{plugin="held",hook="completion"}"#;
    until("every tunnel's end was told", || proxy.metric(series) >= (RELOADS * EACH) as f64);
    until("and leaves nothing", || instances(&proxy) <= 2.0);
}

#[test]
fn exchanges_that_wait_for_their_endpoint_hold_no_plugin_instance() {
    drop(held_over_reloads("head"));
}

#[test]
fn bodies_that_do_not_end_hold_no_plugin_instance() {
    drop(held_over_reloads("body"));
}
