//! The README's quick start and tour, word for word. `.ci/tour` runs its commands; this runs its
//! plugin and its configuration.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use weir_tests::{Daemon, Origin, Proxy, RawClient, free_address};

const README: &str = include_str!("../../README.md");
const SDK: &str = include_str!("../../sdk/rust/README.md");
const WORKSPACE: &str = include_str!("../../Cargo.toml");
const HELLO: &str = include_str!("../../sdk/rust/hello/src/lib.rs");
/// The component that the tour builds, and the one that it builds after the change.
const BUILT: &str = concat!(env!("OUT_DIR"), "/hello.wasm");
const BUILT_AGAIN: &str = concat!(env!("OUT_DIR"), "/tour.wasm");
const CHANGED: &str = include_str!("../guests/tour/src/lib.rs");

/// The blocks of the tour in one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let tour = README.split("\n## Five minutes").nth(1).expect("the tour");
    let tour = tour.split("\n## ").next().unwrap_or_default();
    let start = format!("```{language}\n");
    let mut blocks = Vec::new();
    let mut rest = tour;
    while let Some((_, after)) = rest.split_once(&start) {
        let (block, after) = after.split_once("```").expect("the end of a block");
        blocks.push(block);
        rest = after;
    }
    blocks
}

#[test]
fn the_plugin_shown_is_the_one_that_is_built() {
    assert_eq!(blocks("rust"), [HELLO]);
    // Optimised as those that come with the proxy are, whose size is looked at below.
    let manifest: toml::Table = blocks("toml")[0].parse().expect("a manifest");
    let workspace: toml::Table = WORKSPACE.parse().expect("a manifest");
    let (own, theirs) = (&manifest["profile"]["release"], &workspace["profile"]["guest"]);
    for key in ["opt-level", "codegen-units", "panic", "strip"] {
        assert_eq!(own[key], theirs[key], "{key}");
    }
    assert_eq!((own["lto"].as_bool(), theirs["lto"].as_str()), (Some(true), Some("fat")));
    let profile = |text: &str| {
        text.split("[profile.release]")
            .nth(1)
            .map(|it| it.split("```").next().unwrap_or("").to_owned())
    };
    assert_eq!(profile(SDK), profile(README), "the SDK's manifest");
    // `sed` without `g`: once in each line.
    let edit = blocks("sh").concat();
    let (from, to) = edit
        .split_once("sed -i 's/")
        .and_then(|(_, after)| after.split_once("/' ../hello/src/lib.rs"))
        .and_then(|(edit, _)| edit.split_once('/'))
        .expect("the edit");
    let edited: String =
        HELLO.split_inclusive('\n').map(|line| line.replacen(from, to, 1)).collect();
    assert_ne!(edited, HELLO);
    assert_eq!(edited, CHANGED);
}

#[test]
fn the_plugin_shown_is_small() {
    let lines = HELLO.lines().count();
    assert!(lines <= 30, "{lines} lines");
    let bytes = std::fs::metadata(BUILT).expect("the component").len();
    assert!(bytes < 100_000, "{bytes} bytes");
}

#[test]
fn the_plugin_is_changed_while_requests_go_through() {
    let folder = tempfile::tempdir().expect("a folder");
    let component = folder.path().join("./hello.wasm");
    std::fs::copy(BUILT, &component).expect("the plugin");
    let blocks = blocks("toml");
    let [_manifest, toml] = blocks[..] else { panic!("one configuration is expected") };
    let toml = toml
        .replace("127.0.0.1:8080", "127.0.0.1:0")
        .replace("../hello/target/wasm32-wasip2/release/hello.wasm", "./hello.wasm");
    let proxy = Proxy::start_in(folder, &toml).expect("the configuration is good");
    let address = proxy.address("web");
    let done = AtomicBool::new(false);
    let heard: Vec<String> = std::thread::scope(|scope| {
        let looping = scope.spawn(|| {
            let mut heard = Vec::new();
            loop {
                // The last one is asked after the change.
                let last = done.load(Ordering::SeqCst);
                let mut client = RawClient::connect(address);
                for _ in 0..3 {
                    client.send(b"GET / HTTP/1.1\r\nhost: tour\r\n\r\n");
                    let answer = client.answer();
                    assert_eq!((answer.status, &*answer.text()), (200, "a page"));
                    heard.push(answer.header("x-hello").expect("a greeting").to_owned());
                }
                if last {
                    return heard;
                }
            }
        });
        std::fs::copy(BUILT_AGAIN, &component).expect("the changed plugin");
        proxy.running().reload().expect("it is good too");
        done.store(true, Ordering::SeqCst);
        looping.join().expect("every answer is right")
    });
    assert!(heard.iter().all(|hello| hello == "Moin!" || hello == "MOIN!"), "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("MOIN!"));
}

/// Starts a daemon that is told everything by its command line and environment.
fn without_a_file(arguments: &[&str], variables: &[(&str, &str)]) -> (Daemon, SocketAddr) {
    let binary = env!("CARGO_BIN_EXE_weir-under-test");
    let mut daemon = Daemon::start_as(binary, arguments, &[], |command| {
        command.envs(variables.iter().copied());
    });
    let line = daemon.wait_for_line("\"listening\"");
    let line: serde_json::Value = serde_json::from_str(&line).expect("a line of JSON");
    let address = line["address"].as_str().expect("an address").parse().expect("an address");
    (daemon, address)
}

#[test]
fn one_line_proxies_to_a_service() {
    let origin = Origin::saying("the service");
    assert!(README.contains("weir proxy --to localhost:3000 --plugin cors="));
    let (to, admin) = (origin.address().to_string(), free_address());
    let options = ["proxy", "--to", &to, "--bind", "127.0.0.1:0", "--admin", &admin.to_string()];
    let cors = "cors={ allow_origins = [\"*\"] }";
    let more = ["--access-log", "--plugin", "request-id", "--plugin", cors];
    let (mut daemon, address) = without_a_file(&[&options[..], &more].concat(), &[]);
    let fields = [("host", "a"), ("origin", "https://b.example")];
    let answer = weir_tests::request(address, "GET", "/of-it", &fields, b"");
    assert_eq!((answer.status, &*answer.text()), (200, "the service"));
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(weir_tests::get(admin, "/metrics").text().contains("plugin=\"cors\""));
    assert!(daemon.printed_until("GET /of-it").contains(" 200 "));
}

/// As containers are configured.
#[test]
fn the_environment_alone_is_enough() {
    let origin = Origin::saying("the service");
    let endpoints = format!("[{:?}]", origin.url());
    let (_daemon, address) = without_a_file(
        &["run"],
        &[
            ("WEIR__LISTENERS__WEB__BIND", "127.0.0.1:0"),
            ("WEIR__PLUGINS__ID__COMPONENT", "request-id"),
            ("WEIR__ROUTES__SERVICE__MATCH__HOST", "service.example"),
            ("WEIR__ROUTES__SERVICE__UPSTREAM", "to"),
            ("WEIR__ROUTES__SERVICE__PLUGINS", "[\"id\"]"),
            ("WEIR__UPSTREAMS__TO__ENDPOINTS", &endpoints),
        ],
    );
    let ask = |host| weir_tests::request(address, "GET", "/", &[("host", host)], b"");
    let answer = ask("service.example");
    assert_eq!((answer.status, &*answer.text()), (200, "the service"));
    assert!(answer.header("x-request-id").is_some());
    assert_eq!(ask("other.example").status, 404);
}

#[test]
fn every_file_that_the_readme_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut count = 0;
    for link in README.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let file = link.split('#').next().unwrap_or_default();
        if !link.starts_with("http") && !file.is_empty() {
            assert!(root.join(file).exists(), "{link}");
            count += 1;
        }
    }
    assert!(count > 15, "only {count} links");
}
