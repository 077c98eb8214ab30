//! A plugin that goes wrong on each 100th call under load: one exchange is hurt, and no other.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use weir_tests::{Origin, Proxy, RawClient, lines};

use super::config;

/// A route beside the one whose plugin goes wrong, and a plugin that does not.
const OTHER: &str = r#"
        [plugins.mark]
        component = "headers"
        config = { response = { set = { x-other = "fine" } } }
        [routes.other]
        match = { path = "/other" }
        plugins = ["mark"]
        upstream = "origin"
"#;

/// Keep-alive connections to the plugin that goes wrong.
const CLIENTS: usize = 4;
/// Requests of each.
const REQUESTS: usize = 500;
/// One in so many goes wrong.
const EACH: usize = 100;

/// How it goes wrong, and how that is counted.
const FAULTS: [(&str, &str); 8] = [
    ("trap", "trap"),
    ("loop", "deadline"),
    ("allocate", "memory"),
    ("error", "error"),
    ("reply-name", "invalid-reply"),
    ("reply-crlf", "invalid-reply"),
    ("status-999", "invalid-reply"),
    ("status-103", "invalid-reply"),
];

#[test]
fn each_hundredth_call_is_rejected() {
    under_load("load-reject", "faulty", "reject");
}

#[test]
fn each_hundredth_call_is_skipped() {
    under_load("load-skip", "faulty", "skip");
}

#[test]
fn each_hundredth_call_on_a_fiber_is_rejected() {
    under_load("load-reading", "faulty-reading", "reject");
}

fn under_load(plugin: &str, component: &str, on_failure: &str) {
    let origin = Origin::echo();
    let toml = config(&origin, plugin, component, on_failure) + OTHER;
    // One where nothing goes wrong: what the machine, and whatever else it does, costs either of them.
    let (proxy, quiet) = (Proxy::start(&toml), Proxy::start(&toml));
    let address = proxy.address("web");
    for (fault, reason) in FAULTS {
        let [with_faults, without] = watch_other([address, quiet.address("web")], || {
            thread::scope(|scope| {
                for client in 0..CLIENTS {
                    scope.spawn(move || run(address, client, fault, on_failure));
                }
            });
        });
        println!(
            "{plugin}, {fault}: p99 of the other route {:?} of {} requests, without {:?} of {}",
            with_faults.p99, with_faults.answered, without.p99, without.answered
        );
        // There it is alone, here one of five: generous, and far below a stuck worker.
        let bound = without.p99 * 10 + Duration::from_millis(150);
        assert!(with_faults.p99 < bound, "{fault}: {:?}", with_faults.p99);
        let logged = lines(plugin)
            .iter()
            // Beside the proxy's own line there is what a guest says on its standard error.
            .filter(|line| line.message.starts_with("plugin failed"))
            .filter(|line| line.field("request").starts_with(&format!("{fault}.")))
            .inspect(|line| {
                assert_eq!(line.field("route"), "faulty");
                assert_eq!(line.field("reason"), reason);
            })
            .count();
        assert_eq!(logged, CLIENTS * REQUESTS / EACH, "lines in the log for {fault}");
    }
    let each = (CLIENTS * REQUESTS / EACH) as f64;
    for (reason, faults) in
        [("trap", 1.0), ("deadline", 1.0), ("memory", 1.0), ("error", 1.0), ("invalid-reply", 4.0)]
    {
        let series = format!(
            "weir_plugin_failures_total{{plugin=\"{plugin}\",hook=\"request\",reason=\"{reason}\"}}"
        );
        assert_eq!(proxy.metric(&series), each * faults, "{series}\n{}", proxy.metrics());
    }
    let all = (FAULTS.len() * CLIENTS * REQUESTS) as f64;
    let bad = each * FAULTS.len() as f64;
    let bad = if on_failure == "reject" { bad } else { 0.0 };
    assert_eq!(proxy.metric(r#"weir_requests_total{route="faulty",code="500"}"#), bad);
    assert_eq!(proxy.metric(r#"weir_requests_total{route="faulty",code="200"}"#), all - bad);
}

/// One keep-alive connection; its turns to go wrong lie apart from the others'.
fn run(address: SocketAddr, client: usize, fault: &str, on_failure: &str) {
    let mut connection = RawClient::connect(address);
    for number in 0..REQUESTS {
        let wrong = number % EACH == (client * EACH / CLIENTS) % EACH;
        let asked = if wrong { format!("x-fault: {fault}\r\n") } else { String::new() };
        connection.send(
            format!(
                "GET /faulty HTTP/1.1\r\nhost: localhost\r\n\
                 x-request-id: {fault}.{client}.{number}\r\n{asked}\r\n"
            )
            .as_bytes(),
        );
        let answer = connection.answer();
        if wrong && on_failure == "reject" {
            assert_eq!(answer.status, 500, "{fault}");
            assert!(answer.header("proxy-status").is_some());
            continue;
        }
        assert_eq!(answer.status, 200, "{fault}, request {number} of client {client}");
        let text = answer.text();
        assert!(text.contains(&format!("x-request-id: {fault}.{client}.{number}\n")), "{text}");
        assert!(!text.contains("x-changed"), "what the plugin changed was left: {text}");
    }
}

struct Other {
    p99: Duration,
    answered: usize,
}

/// Asks the other route of each, one request after the other, as long as `work` lasts.
fn watch_other(addresses: [SocketAddr; 2], work: impl FnOnce()) -> [Other; 2] {
    let done = &AtomicBool::new(false);
    thread::scope(|scope| {
        let watching = addresses.map(|address| scope.spawn(move || ask_other(address, done)));
        work();
        done.store(true, Ordering::Relaxed);
        watching.map(|watching| {
            let mut times = watching.join().expect("every other request is answered");
            times.sort_unstable();
            Other { p99: times[times.len() * 99 / 100], answered: times.len() }
        })
    })
}

/// What each request takes, until all is done: one at least.
fn ask_other(address: SocketAddr, done: &AtomicBool) -> Vec<Duration> {
    let mut connection = RawClient::connect(address);
    let mut times = Vec::new();
    while !done.load(Ordering::Relaxed) || times.is_empty() {
        let since = Instant::now();
        connection.send(b"GET /other HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let answer = connection.answer();
        times.push(since.elapsed());
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-other"), Some("fine"));
    }
    times
}
