//! Calls of a plugin that wait for a place: in turn by client, and nobody's wait is another's.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

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

/// `open sesame` by bcrypt, cost 10: some hundred slices.
const HASH: &str = "$2b$10$BlON..YpabY3/aIVK0UWiufeXF924zVsBLFxgD8alxWKGZiPeWcMO";
/// Connections of one address on which wrong passwords are tried.
const GUESSING: usize = 40;

/// A request for the route of basic-auth.
fn login(client: &str, credentials: &str) -> Vec<u8> {
    format!(
        "GET /staff HTTP/1.1\r\nhost: localhost\r\nx-forwarded-for: {client}\r\n\
         authorization: Basic {credentials}\r\n\r\n"
    )
    .into_bytes()
}

/// Each guess beyond his part once ran a slice at once, thousands of them while somebody else's
/// password was verified: that took a minute.
#[test]
fn who_guesses_passwords_does_so_in_his_own_turns() {
    let origin = Origin::echo();
    let table = format!("component = \"basic-auth\"\nconfig.users.a = '{HASH}'");
    let table =
        Neighbours { server: "workers = 1", name: "staff", table: &table, ..Neighbours::default() };
    let proxy = Proxy::start(&table.toml(&origin));
    let (done, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    let meanwhile = std::thread::scope(|scope| {
        for _ in 0..GUESSING {
            scope.spawn(|| {
                let mut client = RawClient::connect(proxy.address("web"));
                while !done.load(Relaxed) {
                    // `a:open sesamf`
                    client.send(&login("192.0.2.1", "YTpvcGVuIHNlc2FtZg=="));
                    let status = client.answer().status;
                    assert!([401, 503].contains(&status), "{status}");
                    answers.fetch_add(1, Relaxed);
                }
            });
        }
        let asked = || {
            let busy =
                "weir_plugin_failures_total{plugin=\"staff\",hook=\"request\",reason=\"busy\"}";
            proxy.metric(busy) >= 20.0
        };
        until("he has more under way than he may", asked);
        let before = answers.load(Relaxed);
        let mut client = RawClient::connect(proxy.address("web"));
        // `a:open sesame`
        client.send(&login("192.0.2.2", "YTpvcGVuIHNlc2FtZQ=="));
        let status = client.answer().status;
        let meanwhile = answers.load(Relaxed) - before;
        done.store(true, Relaxed);
        assert_eq!(status, 200);
        meanwhile
    });
    println!("{meanwhile} guesses were answered meanwhile");
    // A turn of his for each of the other's, and the first slices of the hook and of an instance.
    assert!(meanwhile < 1500, "{meanwhile} guesses were answered meanwhile");
}

/// The time of an exchange is also that of a plugin which computes for it, also of one that may be
/// skipped: before the answer nobody waits for what comes after it.
#[test]
fn a_hook_ends_with_its_exchanges_time() {
    for (component, fault, hook, status) in [
        ("faulty", "loop", "request", 504),
        ("faulty-reading", "loop", "request", 504),
        // The answer is there, and its hook may be skipped.
        ("faulty", "response-loop", "response", 200),
    ] {
        let origin = Origin::echo();
        let table = format!(
            "component = \"{}\"\non_failure = \"skip\"\nlimits = {{ deadline = \"10s\", wait = \"200ms\" }}",
            guest(component).display()
        );
        let table = Neighbours {
            server: "workers = 1",
            name: "faulty",
            table: &table,
            ..Neighbours::default()
        };
        let toml = table
            .toml(&origin)
            .replace("plugins = [\"faulty\"]", "plugins = [\"faulty\"]\ntimeout = \"300ms\"");
        let proxy = Proxy::start(&toml);
        let mut client = RawClient::connect(proxy.address("web"));
        let head = format!("GET /faulty HTTP/1.1\r\nhost: a\r\nx-fault: {fault}\r\n\r\n");
        client.send(head.as_bytes());
        let answer = client.answer();
        assert_eq!(answer.status, status, "{component}, {hook}: {answer:?}");
        if status == 504 {
            assert_eq!(answer.header("proxy-status"), Some("weir; error=http_response_timeout"));
        }
        let late = format!(
            "weir_plugin_failures_total{{plugin=\"faulty\",hook=\"{hook}\",reason=\"timeout\"}}"
        );
        assert_eq!(proxy.metric(&late), 1.0, "it did not end at its deadline: {component}, {hook}");
    }
}
