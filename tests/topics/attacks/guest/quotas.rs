//! What a guest makes the proxy do and keep: bounded, paid by its deadline and its quota, and seen.

mod bodies;
mod heads;
mod words;

use std::net::SocketAddr;

use weir_tests::{
    Answer, Daemon, Origin, Proxy, RawClient, free_address, get, guest, request, resident_bytes,
    until, wait_for_line, wait_for_port,
};

const MIB: usize = 1 << 20;

/// The guest `greedy` under this name, with these lines of its table.
fn config(origin: &Origin, plugin: &str, table: &str) -> String {
    config_of("greedy", origin, plugin, table)
}

/// The same, of another guest.
fn config_of(component: &str, origin: &Origin, plugin: &str, table: &str) -> String {
    format!(
        r#"
        [server]
        workers = 1
        [listeners.web]
        bind = "127.0.0.1:0"
        [plugins.{plugin}]
        component = "{}"
        grants = {{ store = true }}
        {table}
        [routes.all]
        plugins = ["{plugin}"]
        upstream = "origin"
        [upstreams.origin]
        endpoints = ["{}"]
        "#,
        guest(component).display(),
        origin.url(),
    )
}

/// The proxy as a process of its own, with this configuration at `web`.
fn daemon(toml: &str, web: SocketAddr) -> Daemon {
    let toml = toml.replace("127.0.0.1:0", &web.to_string());
    let daemon = Daemon::start(
        env!("CARGO_BIN_EXE_weir-under-test"),
        &["run", "-c", "weir.toml"],
        &[("weir.toml", &toml)],
    );
    wait_for_port(web);
    daemon
}

/// A proxy with that plugin, whose deadline is long enough for whatever a test asks.
struct Setup {
    proxy: Proxy,
    origin: Origin,
    plugin: &'static str,
}

impl Setup {
    fn new(plugin: &'static str, quota: &str) -> Setup {
        let limits = format!("limits = {{ deadline = \"5s\", quota = \"{quota}\" }}");
        Setup::with(plugin, &limits)
    }

    fn with(plugin: &'static str, table: &str) -> Setup {
        let origin = Origin::echo();
        let proxy = Proxy::start(&config(&origin, plugin, table));
        Setup { proxy, origin, plugin }
    }

    fn ask(&self, greed: &str, count: usize) -> Answer {
        self.ask_with(greed, count, "", b"")
    }

    fn ask_with(&self, greed: &str, count: usize, salt: &str, body: &[u8]) -> Answer {
        let count = count.to_string();
        let fields = [("x-greed", greed), ("x-count", &*count), ("x-salt", salt)];
        let method = if body.is_empty() { "GET" } else { "POST" };
        request(self.proxy.address("web"), method, "/", &fields, body)
    }

    /// Bytes held for the plugin.
    fn held(&self, kind: &str) -> usize {
        let plugin = self.plugin;
        let series = format!("weir_plugin_memory_bytes{{plugin=\"{plugin}\",kind=\"{kind}\"}}");
        self.proxy.metric(&series) as usize
    }

    fn all_held(&self) -> usize {
        let kinds = ["limiter", "store", "metrics", "bodies", "replies", "output"];
        kinds.iter().map(|kind| self.held(kind)).sum()
    }

    fn failures(&self, reason: &str) -> f64 {
        let plugin = self.plugin;
        self.proxy.metric(&format!(
            "weir_plugin_failures_total{{plugin=\"{plugin}\",hook=\"request\",reason=\"{reason}\"}}"
        ))
    }

    /// The guest was ended, the log says why in a line of bounded length, and the next is served.
    #[track_caller]
    fn assert_ended(&self, greed: &str, count: usize, reason: &str, why: &str) {
        let before = self.failures(reason);
        let answer = self.ask(greed, count);
        assert_eq!(answer.status, 500, "{greed}: {answer:?}");
        assert_eq!(self.failures(reason), before + 1.0, "{greed}: {}", self.proxy.metrics());
        let line = wait_for_line(self.plugin, |line| {
            line.field("reason") == reason && line.message.contains(why)
        });
        let length: usize = line.fields.values().map(String::len).sum();
        assert!(line.message.len() + length < 16 << 10, "{} bytes in the log", line.message.len());
        assert_eq!(self.ask("", 0).status, 200, "the next exchange after {greed}");
    }
}

#[test]
fn endless_limiter_keys_stay_within_the_quota() {
    let setup = Setup::new("keys", "2MiB");
    for salt in 0..20 {
        let answer = setup.ask_with("limiter-keys", 1000, &salt.to_string(), b"");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(setup.held("limiter") <= 2 * MIB, "{}", setup.held("limiter"));
    }
    assert!(setup.held("limiter") > MIB, "a quota that is not used is none");
    setup.assert_ended("limiter-key", 2000, "trap", "of 2000 bytes is longer than 1024");
}

#[test]
fn buckets_that_are_full_again_are_forgotten_by_themselves() {
    let setup = Setup::new("full-again", "16MiB");
    assert_eq!(setup.ask("limiter-quick-keys", 3000).status, 200);
    until("full buckets are kept", || setup.held("limiter") == 0);
}

#[test]
fn places_of_an_exchange_are_few() {
    let setup = Setup::new("places", "1MiB");
    assert_eq!(setup.ask_with("limiter-places", 64, "a", b"").header("x-out"), Some("64"));
    setup.assert_ended("limiter-places", 65, "trap", "at most 64 places");
}

#[test]
fn the_store_makes_room_for_everything_else() {
    let setup = Setup::new("stored", "2MiB");
    for salt in 0..5 {
        let answer = setup.ask_with("store-keys", 1000, &salt.to_string(), b"");
        assert_eq!(answer.header("x-out"), Some("ok"));
    }
    let full = setup.held("store");
    assert!((MIB..=2 * MIB).contains(&full), "{full}");
    assert_eq!(setup.ask_with("limiter-keys", 300, "x", b"").status, 200);
    assert_eq!(setup.held("limiter"), 300 * (900 + 128) + (0..300).map(key_end).sum::<usize>());
    assert!(setup.all_held() <= 2 * MIB);
    let body = vec![b'a'; MIB];
    let answer = setup.ask_with("read-body", 4 * MIB, "", &body);
    assert_eq!(answer.header("x-out"), Some("1048576"), "{answer:?}");
    assert!(setup.held("store") < full, "entries made room for a body");
}

/// What a number adds to a key of `limiter-keys` with the salt `x`.
fn key_end(number: usize) -> usize {
    format!("x {number}").len()
}

#[test]
fn too_long_for_the_store_is_told() {
    let setup = Setup::new("too-long", "16MiB");
    assert_eq!(setup.ask("store-key", 1025).header("x-out"), Some("too-large"));
    assert_eq!(setup.ask("store-value", MIB + 1).header("x-out"), Some("too-large"));
    assert_eq!(setup.ask("store-value", 8 * MIB).header("x-out"), Some("too-large"));
    assert_eq!(setup.ask("store-value", MIB).header("x-out"), Some("ok"));
}

#[test]
fn work_of_the_host_counts_against_the_deadline() {
    let setup = Setup::with("slow-host", "limits = { deadline = \"10ms\" }");
    for (greed, count) in [("log-lines", 1_000_000), ("print", 4 * MIB), ("limiter-keys", 100_000)]
    {
        setup.assert_ended(greed, count, "deadline", "limits.deadline");
    }
}

#[test]
fn large_values_are_no_matter_of_luck() {
    // Ten times what it costs: what a copy takes on a busy machine is not the guest's.
    let setup = Setup::with("large", "limits = { deadline = \"10ms\" }");
    for _ in 0..50 {
        assert_eq!(setup.ask("store-value", MIB).header("x-out"), Some("ok"));
    }
}

#[test]
fn memory_of_the_process_stays_flat_whatever_guests_ask() {
    let origin = Origin::echo();
    let web = free_address();
    let daemon = daemon(&config(&origin, "flat", "limits = { deadline = \"2s\" }"), web);
    let ask = |greed: &str, count: usize, salt: usize| {
        let (count, salt) = (count.to_string(), salt.to_string());
        let fields = [("x-greed", greed), ("x-count", &*count), ("x-salt", &*salt)];
        request(web, "GET", "/", &fields, b"").status
    };
    assert_eq!(get(web, "/").status, 200);
    let before = resident_bytes(daemon.id());
    for round in 0..40 {
        ask("limiter-keys", 2000, round);
        ask("store-keys", 1000, round);
        ask("metric-sets", 256, round);
        ask("print", 60_000, round);
        ask("reply-name", 4 * MIB, round);
        ask("error-text", 4 * MIB, round);
    }
    let upload = vec![b'a'; 64 * MIB];
    let fields = [("x-greed", "read-body"), ("x-count", "4000000000")];
    request(web, "POST", "/", &fields, &upload);
    let grown = resident_bytes(daemon.id()).saturating_sub(before);
    println!("the process grew by {} MiB", grown / MIB);
    // A quota of 16 MiB, an instance of as much, what one call hands over, and the allocator's own.
    assert!(grown < 96 * MIB, "it grew by {} MiB", grown / MIB);
}

#[test]
fn a_quota_is_taken_from_the_configuration_in_use() {
    let origin = Origin::echo();
    let table = |quota: &str| format!("limits = {{ deadline = \"5s\", quota = \"{quota}\" }}");
    let proxy = Proxy::start(&config(&origin, "resized", &table("8MiB")));
    let held =
        || proxy.metric(r#"weir_plugin_memory_bytes{plugin="resized",kind="limiter"}"#) as usize;
    let ask = |salt: &str| {
        let fields = [("x-greed", "limiter-keys"), ("x-count", "4000"), ("x-salt", salt)];
        request(proxy.address("web"), "GET", "/", &fields, b"").status
    };
    assert_eq!(ask("a"), 200);
    let before = held();
    assert!(before > 3 * MIB);
    proxy.reload(&config(&origin, "resized", &table("1MiB"))).expect("it reloads");
    assert_eq!(held(), before, "what is kept stays over a reload");
    assert_eq!(ask("b"), 200);
    assert!(held() <= before, "it does not grow any more");
}

#[test]
fn what_a_removed_plugin_held_is_forgotten() {
    let origin = Origin::echo();
    let toml = |plugin: &str| config(&origin, plugin, "limits = { deadline = \"5s\" }");
    let proxy = Proxy::start(&toml("removed"));
    let held = || proxy.metric(r#"weir_plugin_memory_bytes{plugin="removed",kind="limiter"}"#);
    let fields = [("x-greed", "limiter-keys"), ("x-count", "1000"), ("x-salt", "")];
    assert_eq!(request(proxy.address("web"), "GET", "/", &fields, b"").status, 200);
    assert!(held() > 900_000.0);
    proxy.reload(&toml("another")).expect("it reloads");
    until("it is held for ever", || {
        proxy.reload(&toml("another")).expect("it reloads");
        proxy.reload(&toml("removed")).expect("it reloads");
        held() == 0.0
    });
}

/// What is forgotten is forgotten as a whole, whatever an open exchange still holds of it.
#[test]
fn a_plugin_that_comes_back_while_it_is_pinned_has_one_account() {
    let origin = Origin::echo();
    let with = |deadline: &str| {
        config(&origin, "pinned", &format!("limits = {{ deadline = \"{deadline}\" }}"))
    };
    let proxy = Proxy::start(&with("5s"));
    let held = |kind: &str| {
        proxy.metric(&format!("weir_plugin_memory_bytes{{plugin=\"pinned\",kind=\"{kind}\"}}"))
    };
    let mut waits = RawClient::connect(proxy.address("web"));
    waits.send(b"GET / HTTP/1.1\r\nhost: a\r\nx-greed: reply-delayed\r\nx-count: 10\r\n\r\n");
    until("a reply waits", || held("replies") > 0.0);
    proxy.reload(&config(&origin, "another", "")).expect("it reloads");
    proxy.reload(&with("5s")).expect("it reloads");
    let fields = [("x-greed", "limiter-keys"), ("x-count", "100"), ("x-salt", "")];
    assert_eq!(request(proxy.address("web"), "GET", "/", &fields, b"").status, 200);
    let before = held("limiter");
    assert!(before > 90_000.0, "it is on no account: {before}");
    proxy.reload(&with("4s")).expect("it reloads");
    assert_eq!(held("limiter"), before, "an edit of its table makes it forget");
    drop(waits);
}
