//! What an operator lets a plugin do of what its component can.

use std::path::Path;
use std::process::Command;

use weir_tests::{Origin, Proxy, get, guest, request};

/// One plugin on one route; its grants are on line 6.
fn config(origin: &Origin, component: &str, grants: &str) -> String {
    format!(
        "\n[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.stranger]\ncomponent = {component:?}\n\
         grants = {{ {grants} }}\n\
         [routes.all]\nplugins = [\"stranger\"]\nupstream = \"origin\"\n\
         [upstreams.origin]\nendpoints = [{:?}]\n",
        origin.url()
    )
}

/// A proxy with that guest in a file of its own.
fn start(origin: &Origin, of: &str, grants: &str) -> Result<Proxy, String> {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::copy(guest(of), folder.path().join("plugin.wasm")).expect("copied");
    let started = Proxy::start_in(folder, &config(origin, "./plugin.wasm", grants));
    started.map_err(|error| error.to_string())
}

/// Puts another guest in the file's place, as a deployment does.
fn replace(folder: &Path, with: &str) {
    std::fs::copy(guest(with), folder.join("plugin.new")).expect("copied");
    std::fs::rename(folder.join("plugin.new"), folder.join("plugin.wasm")).expect("renamed");
}

/// Each key refuses a component that can do what it is about, with the words that `inspect` has for it.
#[test]
fn what_a_component_can_and_is_not_granted_is_refused() {
    let origin = Origin::echo();
    for (key, words) in [
        ("request", "read heads of requests"),
        ("request_changes", "change heads of requests, and limit the length of bodies of requests"),
        ("response", "read heads of responses"),
        ("response_changes", "change heads of responses"),
        ("bodies", "see bodies of requests, and replace bodies of requests, and see bodies of"),
        ("client", "know the client's address"),
        ("attributes", "leave facts for other plugins"),
        ("completion", "learn how exchanges end"),
        ("log", "write to the log"),
        ("metrics", "count in the metrics"),
        ("limiter", "count requests over all workers"),
        ("store", "keep data from one request to the next"),
    ] {
        let store = if key == "store" { "" } else { "store = true, " };
        let grants = format!("{store}{key} = false");
        let refused = start(&origin, "conformance-guest", &grants).err();
        let refused = refused.unwrap_or_else(|| panic!("{key} is granted"));
        for part in ["weir.toml:6:", words, &format!("grants = {{ {key} = true }}")] {
            assert!(refused.contains(part), "{key}: {part:?} is not in\n{refused}");
        }
    }
    let refused = start(&origin, "conformance-guest", "store = true, log = false, bodies = false");
    let refused = refused.err().expect("two are not granted");
    assert!(refused.contains("write to the log") && refused.contains("see bodies"), "{refused}");
    assert!(start(&origin, "conformance-guest", "store = true").is_ok());
}

/// A hook that changes requests could answer them, too; with `reply = false` it may not.
#[test]
fn who_may_not_answer_by_itself_fails_where_it_does() {
    let origin = Origin::echo();
    for (failing, status) in [("", 500), ("on_failure = \"skip\"\n", 200)] {
        let text =
            config(&origin, "mock", "reply = false").replace("grants", &format!("{failing}grants"));
        let proxy = Proxy::start(&text);
        let answer = get(proxy.address("web"), "/");
        assert_eq!(answer.status, status, "{failing:?}: {answer:?}");
        let failures = r#"weir_plugin_failures_total{plugin="stranger",hook="request",reason="invalid-reply"}"#;
        assert_eq!(proxy.metric(failures), 1.0, "{}", proxy.metrics());
    }
    let proxy = Proxy::start(&config(&origin, "request-id", "reply = false"));
    assert_eq!(get(proxy.address("web"), "/").status, 200, "it forwards");
}

#[test]
fn what_comes_with_the_proxy_has_what_it_imports_unless_that_is_written() {
    let origin = Origin::echo();
    let limits = |grants: &str| {
        let text = config(&origin, "rate-limit", grants);
        text.replace("[routes", "config = { rate = 5, per = \"1s\" }\n[routes")
    };
    Proxy::try_start(&limits("")).map(drop).expect("it counts");
    let refused = Proxy::try_start(&limits("limiter = false")).err();
    let refused = refused.expect("it cannot count").to_string();
    assert!(refused.contains("count requests over all workers"), "{refused}");
}

/// `faulty` is in the file, and then `greedy`, which can do more.
#[test]
fn a_new_binary_that_can_do_more_waits_until_that_is_granted() {
    const MORE: [&str; 5] = [
        "limit the length of bodies of requests, which the one that serves",
        "write to the log, which the one that serves",
        "count in the metrics, which",
        "count requests over all workers, which",
        "grants = { limiter = true }",
    ];
    let origin = Origin::echo();
    let proxy = start(&origin, "faulty", "store = true").expect("it starts");
    let serves = |who: &str| {
        // Each of them fails in its own way.
        let fields = [("x-fault", "error")];
        let answer = request(proxy.address("web"), "GET", "/", &fields, b"");
        assert_eq!(if answer.status == 500 { "faulty" } else { "greedy" }, who, "{answer:?}");
    };
    serves("faulty");
    replace(proxy.folder(), "greedy");
    let with = |grants: &str| config(&origin, "./plugin.wasm", grants);
    let refused = |grants: &str| {
        let refused = proxy.reload(&with(grants)).expect_err("it can do more").to_string();
        serves("faulty");
        refused
    };
    let all = refused("store = true");
    assert!(MORE.iter().all(|part| all.contains(part)), "{all}");
    assert!(all.contains("weir.toml:6:"), "{all}");
    assert!(!all.contains("change heads"), "the one that serves can do that: {all}");
    // Neither a reload that fails for another reason in between, nor the same again makes it known.
    let broken = with("store = true").replace("routes.all]", "routes.all]\nunknown = 1");
    assert!(proxy.reload(&broken).is_err());
    assert_eq!(refused("store = true"), all);
    let less = refused("store = true, log = true, metrics = true, limiter = true");
    assert!(less.contains("limit the length of bodies") && !less.contains("log, which"), "{less}");
    let granted = "store = true, log = true, metrics = true, limiter = true, attributes = true, \
                   request_changes = true";
    proxy.reload(&with(granted)).expect("all of it is granted");
    serves("greedy");
    // What serves now may go on, whatever else changes; and one that can do less may come at any time.
    proxy.reload(&with("store = true")).expect("it is the same binary");
    serves("greedy");
    replace(proxy.folder(), "faulty");
    let other = proxy.reload(&with("store = true")).expect_err("it has a hook more").to_string();
    assert!(other.contains("learn how exchanges end") && !other.contains("bodies"), "{other}");
    proxy.reload(&with("store = true, completion = true")).expect("that is granted");
    serves("faulty");
    replace(proxy.folder(), "greedy");
    refused("store = true");
}

fn weir(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir-under-test"));
    let output = command.args(arguments).output().expect("it runs");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(errors, "");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn two_binaries_beside_each_other() {
    let (old, new) = (guest("faulty").display().to_string(), guest("greedy").display().to_string());
    let (status, text) = weir(&["plugin", "diff", &old, &new]);
    assert_eq!(status, Some(1), "{text}");
    for line in [
        "-     completion\n",
        "+     count in the metrics\n",
        "      change heads of requests\n",
        "+     limiter.",
        "the new one can do what the old one cannot: limit the length of bodies of requests, ",
        "request_changes = true, attributes = true, log = true, metrics = true, limiter = true, store = true }\n",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    let (status, text) = weir(&["plugin", "diff", &new, &old]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("what the old one cannot: learn how exchanges end\n"), "{text}");
    let (status, text) = weir(&["plugin", "diff", "cors", "cors"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("nothing that the old one cannot"), "{text}");
    assert!(!text.lines().any(|line| line.starts_with(['+', '-'])), "{text}");
}

#[test]
fn a_check_says_what_the_plugins_can_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, config(&Origin::echo(), "request-id", "reply = false")).expect("written");
    let (status, text) = weir(&["check", "-c", &file.display().to_string()]);
    assert_eq!(status, Some(0), "{text}");
    let line = text.lines().find(|line| line.starts_with("stranger can "));
    let line = line.unwrap_or_else(|| panic!("no line of it in\n{text}"));
    assert!(line.contains("change heads of requests") && !line.contains("answer"), "{line}");
}
