//! Uploads that never come, at a plugin that reads them: they hold instances of that plugin, and only so
//! many.

use weir_tests::frames::Frames;
use weir_tests::{Origin, Proxy, RawClient, until};

use super::containment::{ask, ask_as, assert_others_are_served, config};

/// Connections whose request has a body that never comes, at a plugin that reads it.
fn stalled_uploads(proxy: &Proxy, count: usize) -> Vec<RawClient> {
    (0..count)
        .map(|_| {
            let mut client = RawClient::connect(proxy.address("web"));
            let head = "POST /faulty HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n";
            client.send(format!("{head}x-fault: read\r\n\r\n").as_bytes());
            client
        })
        .collect()
}

/// They once took every instance of the process: unrelated plugins answered 500, reloads failed.
#[test]
fn slow_uploads_take_no_more_than_their_plugins_instances() {
    let origin = Origin::echo();
    let keys = r#"limits = { instances = 4, wait = "100ms" }"#;
    let toml = config(&origin, "faulty-reading", keys);
    let proxy = Proxy::start(&toml);
    let mut clients = stalled_uploads(&proxy, 20);
    let instances = r#"weir_plugin_instances{plugin="faulty"}"#;
    let busy = r#"weir_plugin_failures_total{plugin="faulty",hook="request",reason="busy"}"#;
    until("17 have no instance", || proxy.metric(busy) >= 17.0);
    assert!(proxy.metric(instances) <= 4.0, "{} instances", proxy.metric(instances));
    let other = ask_as(&proxy, "192.0.2.9", "");
    assert_eq!(other.status, 200, "a quarter is kept for other clients: {other:?}");
    let refused = ask(&proxy, "");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_others_are_served(&proxy);
    let changed = toml.replace("instances = 4", "instances = 5");
    proxy.reload(&changed).expect("a reload has its own instances");
    assert_eq!(ask(&proxy, "").status, 200, "the new one has nobody waiting");
    // Whoever goes on is served still; the first four hold the instances.
    clients[0].send(b"body");
    assert_eq!(clients[0].answer().status, 200);
}

/// The same of streams: 33 connections of them once took every instance there was.
#[test]
fn slow_uploads_over_http2_take_no_more_than_their_plugins_instances() {
    const CONNECTIONS: u32 = 33;
    const STREAMS: u32 = 128;
    let origin = Origin::echo();
    let keys = r#"limits = { instances = 4, wait = "100ms" }"#;
    let proxy = Proxy::start(&config(&origin, "faulty-reading", keys));
    let head = [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "localhost"),
        (":path", "/faulty"),
        ("x-fault", "read"),
    ];
    let clients: Vec<Frames> = (0..CONNECTIONS)
        .map(|_| {
            let mut client = Frames::connect(proxy.address("web"));
            for n in 0..STREAMS {
                client.head(2 * n + 1, false, &head);
            }
            client
        })
        .collect();
    let instances = r#"weir_plugin_instances{plugin="faulty"}"#;
    let busy = r#"weir_plugin_failures_total{plugin="faulty",hook="request",reason="busy"}"#;
    let refused = f64::from(CONNECTIONS * STREAMS - 3);
    until("all but three have no instance", || proxy.metric(busy) >= refused);
    assert!(proxy.metric(instances) <= 4.0, "{} instances", proxy.metric(instances));
    assert_eq!(ask_as(&proxy, "192.0.2.9", "").status, 200, "a quarter is kept for other clients");
    assert_others_are_served(&proxy);
    drop(clients);
}
