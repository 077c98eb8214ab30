//! Calls of a plugin that wait for a place: in turn by client, and nobody's wait is another's.

use weir_tests::{Origin, Proxy, RawClient, guest, until};

use super::Neighbours;

/// A plugin that reads bodies, with 16 instances on one worker: of these one client may have 12.
fn reading(origin: &Origin) -> Proxy {
    let table = format!(
        "component = \"{}\"\nlimits = {{ instances = 16 }}",
        guest("faulty-reading").display()
    );
    let table = Neighbours {
        server: "workers = 1",
        name: "faulty",
        table: &table,
        ..Neighbours::default()
    };
    Proxy::start(&table.toml(origin))
}

/// An upload that stops half-way.
fn upload(proxy: &Proxy, client: &str) -> RawClient {
    let mut upload = RawClient::connect(proxy.address("web"));
    let head = "POST /faulty HTTP/1.1\r\nhost: localhost\r\nx-fault: read\r\ncontent-length: 4\r\n";
    upload.send(format!("{head}x-forwarded-for: {client}\r\n\r\nbo").as_bytes());
    upload
}

fn uploads(proxy: &Proxy, client: &str, count: usize) -> Vec<RawClient> {
    let before = under_way(proxy);
    let uploads = (0..count).map(|_| upload(proxy, client)).collect();
    until("all are under way", || under_way(proxy) + refused(proxy) >= before + count as f64);
    uploads
}

fn under_way(proxy: &Proxy) -> f64 {
    proxy.metric("weir_requests_in_flight")
}

fn refused(proxy: &Proxy) -> f64 {
    proxy.metric(r#"weir_plugin_failures_total{plugin="faulty",hook="request",reason="busy"}"#)
}

/// The rest of each, and what came of it.
fn go_on(mut uploads: Vec<RawClient>) -> Vec<u16> {
    uploads.iter_mut().for_each(|upload| upload.send(b"dy"));
    uploads.iter_mut().map(|upload| upload.answer().status).collect()
}

/// Who had his share when he began to wait was never given the kept places that he gave back.
#[test]
fn who_has_his_share_waits_for_what_he_gives_back_himself() {
    let origin = Origin::echo();
    let proxy = reading(&origin);
    let _stalled = uploads(&proxy, "192.0.2.1", 12);
    // Four of them have the kept places.
    let burst = uploads(&proxy, "192.0.2.2", 32);
    assert_eq!(go_on(burst), [200; 32]);
    assert_eq!(refused(&proxy), 0.0);
}

/// 256 calls may wait, three quarters of them one client's.
#[test]
fn who_fills_the_queue_leaves_others_a_part_of_it() {
    let origin = Origin::echo();
    let proxy = reading(&origin);
    let _stalled = uploads(&proxy, "192.0.2.1", 12);
    let _waiting = uploads(&proxy, "192.0.2.1", 256);
    until("he is told what is too much", || refused(&proxy) >= 64.0);
    let others = (0..12).map(|last| upload(&proxy, &format!("192.0.3.{last}"))).collect();
    until("they wait too", || under_way(&proxy) == 12.0 + 192.0 + 12.0);
    assert_eq!(go_on(others), [200; 12]);
    assert_eq!(refused(&proxy), 64.0);
}
