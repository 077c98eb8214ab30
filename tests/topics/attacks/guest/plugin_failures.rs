//! Plugins that go wrong: what each costs, and that nobody else pays.

mod load;
mod start;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use weir_tests::{Answer, Origin, Proxy, RawClient, guest, read_head, request, wait_for_line};

/// One route whose plugin, of this name, goes wrong when asked, by this policy.
fn config(origin: &Origin, plugin: &str, component: &str, on_failure: &str) -> String {
    format!(
        r#"
        [listeners.web]
        bind = "127.0.0.1:0"
        [plugins.ids]
        component = "request-id"
        config = {{ trust = true }}
        [plugins.{plugin}]
        component = "{}"
        on_failure = "{on_failure}"
        # Little, so that it is used up well within the deadline on a busy machine.
        limits = {{ memory = "4MiB" }}
        [routes.faulty]
        match = {{ path = "/*" }}
        plugins = ["ids", "{plugin}"]
        upstream = "origin"
        [upstreams.origin]
        endpoints = ["{}"]
        "#,
        guest(component).display(),
        origin.url(),
    )
}

/// A proxy with one faulty plugin.
struct Setup {
    proxy: Proxy,
    origin: Origin,
    plugin: &'static str,
}

impl Setup {
    fn new(plugin: &'static str, component: &str, on_failure: &str) -> Setup {
        let origin = Origin::echo();
        let proxy = Proxy::start(&config(&origin, plugin, component, on_failure));
        Setup { proxy, origin, plugin }
    }

    fn ask(&self, fault: &str, body: &[u8]) -> Answer {
        let fields = [("x-fault", fault), ("x-request-id", fault)];
        let method = if body.is_empty() { "GET" } else { "POST" };
        request(self.proxy.address("web"), method, "/", &fields, body)
    }

    /// Failures counted of a hook, for a reason.
    fn failures(&self, hook: &str, reason: &str) -> f64 {
        let plugin = self.plugin;
        self.proxy.metric(&format!(
            "weir_plugin_failures_total{{plugin=\"{plugin}\",hook=\"{hook}\",reason=\"{reason}\"}}"
        ))
    }

    /// The exchange got a 500, log and metrics say why, and the next one is served.
    #[track_caller]
    fn assert_rejected(&self, fault: &str, hook: &str, reason: &str) {
        let before = self.failures(hook, reason);
        let answer = self.ask(fault, b"");
        assert_is_rejection(&answer);
        assert_eq!(self.failures(hook, reason), before + 1.0, "{}", self.proxy.metrics());
        self.assert_logged(fault, hook, reason);
        assert_eq!(self.ask("", b"").status, 200, "the next exchange after {fault}");
    }

    #[track_caller]
    fn assert_logged(&self, fault: &str, hook: &str, reason: &str) {
        let line = wait_for_line(self.plugin, |line| {
            line.field("request") == fault && line.field("reason") == reason
        });
        assert_eq!(line.level, "error");
        assert_eq!(line.field("route"), "faulty");
        assert_eq!(line.field("hook"), hook);
        let function = match reason {
            "trap" => "trap_on_purpose",
            "deadline" => "loop_for_ever",
            "memory" => "allocate_without_end",
            _ => "",
        };
        assert!(line.field("function").contains(function), "{line:?}");
    }
}

#[track_caller]
fn assert_is_rejection(answer: &Answer) {
    assert_eq!(answer.status, 500, "{answer:?}");
    assert_eq!(answer.header("proxy-status"), Some("weir; error=proxy_internal_error"));
    assert!(!answer.text().contains("purpose"), "the client learns why: {}", answer.text());
    assert!(answer.header("x-smuggled").is_none(), "{answer:?}");
}

/// What goes wrong in the request hook, and how it is counted.
const REQUEST_FAULTS: [(&str, &str); 11] = [
    ("trap", "trap"),
    ("loop", "deadline"),
    ("allocate", "memory"),
    ("error", "error"),
    ("status-999", "invalid-reply"),
    ("status-199", "invalid-reply"),
    ("status-103", "invalid-reply"),
    ("reply-name", "invalid-reply"),
    ("reply-crlf", "invalid-reply"),
    ("set-crlf", "error"),
    ("remove-host", "error"),
];

#[test]
fn in_the_request_hook_a_fault_costs_its_exchange_a_500() {
    for component in ["faulty", "faulty-reading"] {
        let plugin = if component == "faulty" { "request-reject" } else { "reading-reject" };
        let setup = Setup::new(plugin, component, "reject");
        for (fault, reason) in REQUEST_FAULTS {
            setup.assert_rejected(fault, "request", reason);
        }
        assert!(
            setup.origin.seen().iter().all(|seen| !seen.headers.contains_key("x-changed")),
            "the upstream was asked nevertheless"
        );
    }
}

#[test]
fn a_skipped_plugin_leaves_no_trace_of_a_request_hook_that_failed() {
    for component in ["faulty", "faulty-reading"] {
        let plugin = if component == "faulty" { "request-skip" } else { "reading-skip" };
        let setup = Setup::new(plugin, component, "skip");
        for (fault, reason) in REQUEST_FAULTS {
            let answer = setup.ask(fault, b"");
            assert_eq!(answer.status, 200, "{fault}: {answer:?}");
            let seen = setup.origin.last();
            assert_eq!(seen.headers["x-fault"], fault, "it was this request");
            assert!(!seen.headers.contains_key("x-changed"), "{fault}: {seen:?}");
            assert_eq!(seen.headers["host"], "localhost");
            assert!(answer.header("x-smuggled").is_none());
            setup.assert_logged(fault, "request", reason);
        }
        for reason in ["trap", "deadline", "memory"] {
            assert_eq!(setup.failures("request", reason), 1.0, "{}", setup.proxy.metrics());
        }
        assert_eq!(setup.failures("request", "invalid-reply"), 5.0);
        assert_eq!(setup.failures("request", "error"), 3.0);
    }
}

#[test]
fn host_cannot_be_removed_or_replaced_as_a_field() {
    let setup = Setup::new("host-remover", "faulty", "reject");
    let answer = setup.ask("remove-host-quietly", b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(setup.origin.last().headers["host"], "localhost");
}

#[test]
fn in_the_response_hook_a_fault_costs_its_exchange_a_500() {
    let setup = Setup::new("response-reject", "faulty", "reject");
    setup.assert_rejected("response-trap", "response", "trap");
    setup.assert_rejected("response-loop", "response", "deadline");
    setup.assert_rejected("response-error", "response", "error");
    setup.assert_rejected("response-status", "response", "error");
}

#[test]
fn a_skipped_plugin_leaves_no_trace_of_a_response_hook_that_failed() {
    let setup = Setup::new("response-skip", "faulty", "skip");
    for fault in ["response-trap", "response-loop", "response-error", "response-status"] {
        let answer = setup.ask(fault, b"");
        assert_eq!(answer.status, 200, "{fault}: {answer:?}");
        assert!(answer.header("x-changed").is_none(), "{fault}: {answer:?}");
        assert!(answer.text().starts_with("GET /\n"), "the upstream's answer: {}", answer.text());
    }
}

#[test]
fn a_completion_hook_that_traps_hurts_nobody() {
    let setup = Setup::new("complete-trap", "faulty", "reject");
    assert_eq!(setup.ask("complete-trap", b"").status, 200);
    setup.assert_logged("complete-trap", "completion", "trap");
    assert_eq!(setup.ask("", b"").status, 200);
    assert_eq!(setup.failures("completion", "trap"), 1.0);
}

#[test]
fn a_transform_of_the_request_that_fails_never_looks_like_a_whole_body() {
    let setup = Setup::new("upload-faults", "faulty", "reject");
    for (fault, reason) in [
        ("request-body-trap", "trap"),
        ("request-body-loop", "deadline"),
        ("request-body-error", "error"),
        ("request-body-finish-trap", "trap"),
        ("request-body-finish-allocate", "memory"),
    ] {
        let answer = setup.ask(fault, b"a body that is rewritten");
        assert_is_rejection(&answer);
        setup.assert_logged(fault, "request-body", reason);
        assert_eq!(setup.ask("", b"another").status, 200, "the next exchange after {fault}");
    }
    let whole = setup.origin.seen();
    assert!(
        whole.iter().all(|seen| !seen.headers.contains_key("x-fault")
            || seen.headers["x-fault"].is_empty()),
        "an origin took a broken body for a whole one"
    );
}

#[test]
fn a_transform_of_the_response_that_fails_never_looks_like_a_whole_body() {
    let setup = Setup::new("download-faults", "faulty", "reject");
    for (fault, reason) in [
        ("response-body-trap", "trap"),
        ("response-body-loop", "deadline"),
        ("response-body-error", "error"),
        ("response-body-finish-trap", "trap"),
    ] {
        let mut client = RawClient::connect(setup.proxy.address("web"));
        client.send(
            format!("GET / HTTP/1.1\r\nhost: localhost\r\nx-fault: {fault}\r\nx-request-id: {fault}\r\n\r\n")
                .as_bytes(),
        );
        let since = Instant::now();
        let answer = client.try_answer("GET");
        assert!(since.elapsed() < Duration::from_secs(10), "the connection stays open");
        // Either nothing went out yet, or what did is seen to be cut off.
        if let Some(answer) = answer {
            assert_is_rejection(&answer);
        }
        setup.assert_logged(fault, "response-body", reason);
        assert_eq!(setup.ask("", b"").status, 200, "the next exchange after {fault}");
    }
}

#[test]
fn a_transform_that_keeps_everything_is_stopped_by_its_memory() {
    let setup = Setup::new("hoarder", "faulty", "reject");
    let answer = setup.ask("request-body-keep", &vec![b'a'; 32 << 20]);
    assert_is_rejection(&answer);
    let line = wait_for_line("hoarder", |line| line.field("reason") == "memory");
    assert_eq!(line.field("request"), "request-body-keep");
    assert_eq!(setup.ask("", b"").status, 200);
}

#[test]
fn a_transform_that_grows_is_held_back_by_its_reader() {
    const WHOLE: usize = 64 << 20;
    let taken = Arc::new(AtomicUsize::new(0));
    let count = taken.clone();
    let origin = Origin::raw(move |mut stream| {
        let count = count.clone();
        async move {
            read_head(&mut stream).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {WHOLE}\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(&[b'a'; 64 << 10]).await.is_ok() {
                count.fetch_add(64 << 10, Ordering::Relaxed);
            }
        }
    });
    let proxy = Proxy::start(&config(&origin, "grower", "faulty", "reject"));
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nhost: localhost\r\nx-fault: response-body-grow\r\n\r\n");
    // A quarter of a gigabyte wants to come; a reader that takes none of it holds back what they are made of.
    std::thread::sleep(Duration::from_millis(700));
    let taken = taken.load(Ordering::Relaxed);
    assert!(taken < WHOLE / 4, "{} MiB were taken from the upstream", taken >> 20);
    let begin = client.exactly(8 << 20).expect("what the reader takes does come");
    assert!(begin.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&begin[..64]));
    drop(client);
    let fields = [("x-fault", "")];
    assert_eq!(request(proxy.address("web"), "HEAD", "/", &fields, b"").status, 200);
}
