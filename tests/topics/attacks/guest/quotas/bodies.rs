//! Bodies that guests read, write and reply with.

use weir_tests::{
    Origin, Proxy, RawClient, free_address, get, read_head, resident_bytes, until, wait_for_line,
};

use super::{MIB, Setup, config, daemon};

#[test]
fn a_body_is_read_up_to_what_the_guest_can_hold() {
    let setup = Setup::with(
        "reader",
        "limits = { deadline = \"5s\", quota = \"64MiB\", memory = \"4MiB\" }",
    );
    let answer = setup.ask_with("read-body", 4_000_000_000, "", &vec![b'a'; 5 * MIB]);
    // It is the client's body that is too long, and no fault of the plugin's.
    assert_eq!(answer.status, 413, "{answer:?}");
    wait_for_line("reader", |line| line.message.contains("longer than allowed"));
    assert_eq!(setup.ask_with("read-body", 4_000_000_000, "", b"short").header("x-out"), Some("5"));
    until("bodies are held for ever", || setup.held("bodies") == 0);
}

#[test]
fn a_body_beyond_the_quota_ends_its_exchange_only() {
    let setup = Setup::new("bodies", "1MiB");
    let body = vec![b'a'; 3 * MIB];
    let answer = setup.ask_with("read-body", 8 * MIB, "", &body);
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(setup.failures("quota"), 1.0, "{}", setup.proxy.metrics());
    wait_for_line("bodies", |line| line.message.contains("`limits.quota`"));
    let answer = setup.ask("set-body", 2 * MIB);
    assert_eq!(answer.status, 500, "{answer:?}");
    assert_eq!(setup.failures("trap"), 1.0);
    wait_for_line("bodies", |line| line.message.contains("hands over more at once"));
    let answer = setup.ask_with("read-body", 8 * MIB, "", &body[..MIB / 2]);
    assert_eq!(answer.header("x-out"), Some("524288"), "{answer:?}");
    until("bodies are held for ever", || setup.held("bodies") == 0);
}

#[test]
fn a_body_in_tiny_chunks_is_kept_as_one_piece() {
    const LENGTH: usize = MIB;
    let setup = Setup::new("chunks", "4MiB");
    let mut client = RawClient::connect(setup.proxy.address("web"));
    client.send(
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\
          x-greed: read-body\r\nx-count: 2097152\r\n\r\n",
    );
    let chunks = b"1\r\na\r\n".repeat(64 << 10);
    for _ in 0..LENGTH / (64 << 10) {
        client.send(&chunks);
        assert!(setup.held("bodies") <= 2 * LENGTH, "{}", setup.held("bodies"));
    }
    client.send(b"0\r\n\r\n");
    let answer = client.answer();
    assert_eq!(answer.header("x-out"), Some("1048576"), "{answer:?}");
    assert_eq!(setup.origin.last().body.len(), LENGTH);
    drop(client);
    until("bodies are held for ever", || setup.held("bodies") == 0);
}

/// What the account says is not all: each chunk was an allocation of its own, of forty times its size.
#[test]
fn a_body_in_tiny_chunks_takes_no_more_memory_than_its_bytes() {
    const LENGTH: usize = 2 * MIB;
    let origin = Origin::echo();
    let table = "limits = { deadline = \"5s\", quota = \"64MiB\", memory = \"64MiB\" }";
    let web = free_address();
    let daemon = daemon(&config(&origin, "tiny", table), web);
    assert_eq!(get(web, "/").status, 200);
    let before = resident_bytes(daemon.id());
    let mut client = RawClient::connect(web);
    client.send(
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\
          x-greed: read-body\r\nx-count: 16777216\r\n\r\n",
    );
    let chunks = b"1\r\na\r\n".repeat(64 << 10);
    let mut most = 0;
    for _ in 0..LENGTH / (64 << 10) {
        client.send(&chunks);
        most = most.max(resident_bytes(daemon.id()).saturating_sub(before));
    }
    println!("{} MiB more while {} came", most / MIB, LENGTH / MIB);
    // The bytes, once more while what holds them grows, and what is read ahead; it would be 83.
    assert!(most < 24 * MIB, "{} MiB", most / MIB);
    client.send(b"0\r\n\r\n");
    assert_eq!(client.answer().header("x-out"), Some("2097152"));
}

#[test]
fn replies_that_wait_count_until_they_are_sent() {
    let setup = Setup::new("waiting", "5MiB");
    let ask = || {
        let mut client = RawClient::connect(setup.proxy.address("web"));
        let count = MIB;
        client.send(
            format!(
                "GET / HTTP/1.1\r\nhost: a\r\nx-greed: reply-delayed\r\nx-count: {count}\r\n\r\n"
            )
            .as_bytes(),
        );
        client
    };
    let waiting: Vec<RawClient> = (0..3).map(|_| ask()).collect();
    let least = 3 * (MIB + (4 << 10));
    until("three replies wait", || (least..least + (4 << 10)).contains(&setup.held("replies")));
    let mut refused = ask();
    assert_eq!(refused.answer().status, 503, "a fourth is more than one client's share");
    wait_for_line("waiting", |line| line.field("reason") == "quota");
    assert_eq!(setup.ask("reply", 100).status, 200, "what is short and sent at once is free");
    drop(waiting);
    until("replies are held for ever", || setup.held("replies") == 0);
    assert_eq!(setup.ask("reply", 2 * MIB).body.len(), 2 * MIB);
}

#[test]
fn a_skipped_plugin_leaves_no_limit_of_the_body() {
    let setup = Setup::with("skipped", "on_failure = \"skip\"");
    let body = vec![b'a'; 100];
    let answer = setup.ask_with("limit-body", 10, "", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(setup.origin.last().body.len(), 100);
    let answer = setup.ask_with("limit-and-read", 10, "", &body);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(setup.origin.last().body.len(), 100, "what it read goes on as a whole");
    let mut client = RawClient::connect(setup.proxy.address("web"));
    client.send(
        b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\nx-greed: limit-body\r\n\
          x-count: 3\r\n\r\n8\r\n12345678\r\n0\r\n\r\n",
    );
    assert_eq!(client.answer().status, 200);
    assert_eq!(&setup.origin.last().body[..], b"12345678");
}

#[test]
fn a_reply_that_waits_counts_the_heads_that_wait_with_it() {
    let setup = Setup::new("heads-wait", "16MiB");
    let mut client = RawClient::connect(setup.proxy.address("web"));
    let value = "v".repeat(7000);
    let fields: String = (0..8).map(|at| format!("x-{at}: {value}\r\n")).collect();
    let head = "GET / HTTP/1.1\r\nhost: a\r\nx-greed: reply-delayed\r\nx-count: 10\r\n";
    client.send(format!("{head}{fields}\r\n").as_bytes());
    until("its head is free", || setup.held("replies") > fields.len());
    drop(client);
    until("replies are held for ever", || setup.held("replies") == 0);
}

const LARGE: usize = 8 * MIB;

/// What a transform gave is held, with what a piece of it costs beyond its bytes.
fn holds_one(proxy: &Proxy) -> bool {
    (LARGE..LARGE + 1024).contains(&held(proxy))
}

fn for_transforms(origin: &Origin) -> Proxy {
    let limits = r#"limits = { deadline = "5s", memory = "64MiB", quota = "16MiB" }"#;
    Proxy::start(&config(origin, "transforms", limits))
}

fn held(proxy: &Proxy) -> usize {
    proxy.metric(r#"weir_plugin_memory_bytes{plugin="transforms",kind="bodies"}"#) as usize
}

fn refused(proxy: &Proxy, hook: &str) -> f64 {
    let series = "weir_plugin_failures_total{plugin=\"transforms\",hook=";
    proxy.metric(&format!("{series}\"{hook}\",reason=\"quota\"}}"))
}

/// What `finish` gives is there after its instance has gone back, and so is what `push` gives where
/// nobody reads.
#[test]
fn what_transforms_give_is_held_until_it_is_read() {
    for greed in ["response-finish", "response-push"] {
        let origin = Origin::saying("small");
        let proxy = for_transforms(&origin);
        let ask = || {
            let mut client = RawClient::connect(proxy.address("web"));
            let fields = format!("x-greed: {greed}\r\nx-count: {LARGE}\r\n");
            client.send(format!("GET / HTTP/1.1\r\nhost: a\r\n{fields}\r\n").as_bytes());
            client
        };
        let first = ask();
        until("it is on no account", || holds_one(&proxy));
        let others: Vec<RawClient> = (0..4).map(|_| ask()).collect();
        until("others are not refused", || refused(&proxy, "response-body") == 4.0);
        assert!(holds_one(&proxy), "{greed}");
        drop((first, others));
        until("it is held for ever", || held(&proxy) == 0);
        let mut reads = ask();
        assert_eq!(reads.answer().body.len(), LARGE, "who reads gets it");
        until("what was read is held", || held(&proxy) == 0);
    }
}

#[test]
fn what_transforms_give_an_endpoint_is_held_until_it_is_read() {
    for greed in ["request-finish", "request-push"] {
        let origin = Origin::raw(|mut stream| async move {
            read_head(&mut stream).await;
            std::future::pending::<()>().await;
        });
        let proxy = for_transforms(&origin);
        let ask = || {
            let mut client = RawClient::connect(proxy.address("web"));
            let fields = format!("content-length: 1\r\nx-greed: {greed}\r\nx-count: {LARGE}\r\n");
            client.send(format!("POST / HTTP/1.1\r\nhost: a\r\n{fields}\r\na").as_bytes());
            client
        };
        let first = ask();
        until("it is on no account", || holds_one(&proxy));
        let others: Vec<RawClient> = (0..4).map(|_| ask()).collect();
        until("others are not refused", || refused(&proxy, "request-body") == 4.0);
        assert!(holds_one(&proxy), "{greed}");
        drop(others);
        first.reset();
        until("it is held for ever", || held(&proxy) == 0);
    }
}

/// A body that is refused, or that has room, costs no rate limit and no ban.
#[test]
fn no_body_wipes_what_limiter_and_store_know() {
    let setup =
        Setup::with("wiped", r#"limits = { deadline = "5s", memory = "64MiB", quota = "16MiB" }"#);
    assert_eq!(setup.ask("store-keys", 100).header("x-out"), Some("ok"));
    assert_eq!(setup.ask("limiter-keys", 100).status, 200);
    let before = (setup.held("store"), setup.held("limiter"));
    assert_eq!(setup.ask("set-body", 13 * MIB).status, 503, "more than one client's share");
    assert_eq!(setup.ask_with("read-body", 15 * MIB, "", &vec![b'a'; 13 * MIB]).status, 503);
    assert_eq!(setup.ask("set-body", 10 * MIB).status, 200);
    assert_eq!((setup.held("store"), setup.held("limiter")), before);
}

/// A flood of one of them does not take the other's part.
#[test]
fn a_flood_of_keys_leaves_the_store_its_part() {
    let setup = Setup::new("flooded", "1MiB");
    assert_eq!(setup.ask("store-keys", 20).header("x-out"), Some("ok"));
    let before = setup.held("store");
    for salt in 0..3 {
        assert_eq!(setup.ask_with("limiter-keys", 1000, &salt.to_string(), b"").status, 200);
    }
    assert_eq!(setup.held("store"), before);
    let answer = setup.ask_with("store-keys", 20, "more", b"");
    assert_eq!(answer.header("x-out"), Some("ok"), "there is room for a ban");
}
