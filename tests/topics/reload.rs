//! Reloads: what serves is always a complete configuration, and nobody waiting for an answer
//! notices that it changed.

mod certificates;
mod listeners;
mod load;
mod memory;
mod pools;

use weir_tests::{Origin, Proxy, get, guest};

/// Plugin, route and upstream of version `version`; see `tests/guests/blue`.
fn config(origin: &Origin, version: usize) -> String {
    format!(
        r#"
        [listeners.web]
        bind = "127.0.0.1:0"
        [plugins.build]
        component = "{}"
        config = {{ version = "{version}" }}
        [routes.all]
        match = {{ path = "/*" }}
        plugins = ["build"]
        upstream = "origin"
        [upstreams.origin]
        endpoints = ["{}"]
        "#,
        guest(if version.is_multiple_of(2) { "blue" } else { "green" }).display(),
        origin.url(),
    )
}

#[track_caller]
fn assert_serves(proxy: &Proxy, version: usize) {
    let answer = get(proxy.address("web"), "/");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-answered"), Some(version.to_string().as_str()));
    let build = if version.is_multiple_of(2) { "blue" } else { "green" };
    assert_eq!(answer.header("x-build"), Some(build));
}

#[test]
fn a_reload_changes_configuration_and_binary() {
    let origin = Origin::echo();
    let proxy = Proxy::start(&config(&origin, 0));
    assert_serves(&proxy, 0);
    for version in 1..4 {
        let reloaded = proxy.reload(&config(&origin, version)).expect("a good configuration");
        assert_eq!(reloaded.generation, version as u64 + 1);
        assert_serves(&proxy, version);
    }
    assert_eq!(proxy.metric(r#"weir_reloads_total{result="success"}"#), 3.0);
}

/// A file that changes, SIGHUP and `POST /reload` may come at the same time.
#[test]
fn of_reloads_at_the_same_time_none_brings_back_what_was_replaced() {
    let origin = Origin::echo();
    let proxy = Proxy::start(&config(&origin, 0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..100 {
                    proxy.reload_as_it_is().expect("a good configuration");
                }
            });
        }
        let written = proxy.folder().join("weir.new");
        for version in 1..100 {
            std::fs::write(&written, config(&origin, version)).expect("written");
            std::fs::rename(&written, proxy.folder().join("weir.toml")).expect("renamed");
            proxy.reload_as_it_is().expect("a good configuration");
            assert_serves(&proxy, version);
        }
    });
}

#[test]
fn a_binary_replaced_in_place_is_taken_at_the_next_reload() {
    let origin = Origin::echo();
    let folder = tempfile::tempdir().expect("a folder");
    let component = folder.path().join("build.wasm");
    std::fs::copy(guest("blue"), &component).expect("copied");
    let text = config(&origin, 0).replace(&guest("blue").display().to_string(), "./build.wasm");
    let proxy = Proxy::start_in(folder, &text).expect("it starts");
    assert_eq!(get(proxy.address("web"), "/").header("x-build"), Some("blue"));
    let written = component.with_extension("new");
    std::fs::copy(guest("green"), &written).expect("copied");
    std::fs::rename(&written, &component).expect("renamed");
    proxy.reload(&text).expect("a good configuration");
    assert_eq!(get(proxy.address("web"), "/").header("x-build"), Some("green"));
}

/// Each is a change of the good configuration, with what the error has to say.
const BAD: [(&str, &str, &str); 9] = [
    ("[routes.all]", "[routes.all", "weir.toml:"),
    ("[routes.all]", "[routes.all]\nunknown = 1", "unknown"),
    ("upstream = \"origin\"", "upstream = \"orgin\"", "did you mean \"origin\"?"),
    ("match = { path = \"/*\" }", "match = { path = { regex = \"(\" } }", "regex"),
    ("plugins = [\"build\"]", "plugins = [\"biuld\"]", "build"),
    (".wasm\"", ".missing.wasm\"", "cannot be read"),
    ("version = \"1\"", "version = 1", "weir.toml:6:"),
    ("version = \"1\"", "verzion = \"1\"", "verzion"),
    ("endpoints = [\"http://", "endpoints = [\"ftp://", "weir.toml:"),
];

#[test]
fn a_bad_configuration_leaves_the_old_one_serving() {
    let origin = Origin::echo();
    let proxy = Proxy::start(&config(&origin, 0));
    for (from, to, says) in BAD {
        let good = config(&origin, 1);
        let bad = good.replacen(from, to, 1);
        assert_ne!(good, bad, "{from:?} is in the configuration");
        let Err(error) = proxy.reload(&bad) else { panic!("it is taken:\n{bad}") };
        assert!(error.to_string().contains(says), "{says:?} is not in:\n{error}");
        assert_serves(&proxy, 0);
    }
    let failures = proxy.metric(r#"weir_reloads_total{result="failure"}"#);
    assert_eq!(failures, BAD.len() as f64, "{}", proxy.metrics());
    proxy.reload(&config(&origin, 1)).expect("the mended one is taken");
    assert_serves(&proxy, 1);
}

#[test]
fn what_is_read_at_the_start_only_is_named() {
    let origin = Origin::echo();
    let proxy = Proxy::start(&config(&origin, 0));
    for (server, expected) in [
        ("[server]\ngrace = \"3s\"", vec![]),
        ("[server]\nadmin = \"127.0.0.1:1\"\nworkers = 7", vec!["workers", "admin"]),
    ] {
        let text = format!("{server}\n{}", config(&origin, 1));
        let reloaded = proxy.reload(&text).expect("a good configuration");
        assert_eq!(reloaded.awaiting_restart, expected, "{server}");
    }
}

#[test]
fn an_address_that_is_taken_leaves_the_old_one_serving() {
    let origin = Origin::echo();
    let proxy = Proxy::start(&config(&origin, 0));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let text = config(&origin, 1) + &format!("[listeners.other]\nbind = \"{address}\"\n");
    let Err(error) = proxy.reload(&text) else { panic!("it is taken") };
    let text = error.to_string();
    assert!(text.contains("weir.toml:") && text.contains(&address.to_string()), "{text}");
    assert_serves(&proxy, 0);
}
