//! What a guest can do wrong, each with what it may cost.

use std::time::Duration;

use weir_core::clock::{self, TurnedClock};
use weir_core::http::AddedFields;

use super::guest::{component, configured_filter, request_filter};
use super::*;

/// Sets `x-test`, then fails: what is left of the field tells whether the exchange was restored.
fn fails_after_a_change(fault: &str) -> Vec<u8> {
    request_filter(&format!("(call $set_test) {fault} (i32.const 256)"))
}

/// The reason of the failure, and that the next call gets an instance again.
#[track_caller]
fn reason(component: &[u8], expected: &str) -> Box<Failure> {
    reason_with(component, |_| (), expected)
}

/// The same, of a plugin with another table.
#[track_caller]
fn reason_with(component: &[u8], edit: impl FnOnce(&mut Plugin), expected: &str) -> Box<Failure> {
    let host = host();
    let plugin = load(&host, component, edit);
    let member = member(&plugin);
    let (exchange, result) = request(&member);
    let failure = result.expect_err("the guest fails");
    assert_eq!(failure.reason, expected, "{failure:?}");
    assert_eq!(&*failure.plugin, "test");
    assert!(exchange.request.headers.contains_key("host"), "the exchange comes back");
    assert_eq!(request(&member).1.expect_err("it fails again").reason, expected);
    failure
}

#[test]
fn trap() {
    let failure = reason(&request_filter("unreachable"), "trap");
    assert!(failure.detail.contains("unreachable"), "{}", failure.detail);
}

#[test]
fn endless_loop() {
    let start = clock::now();
    reason(&request_filter("(loop $for_ever (br $for_ever)) (i32.const 256)"), "deadline");
    assert!(
        clock::since(start) < Duration::from_secs(20),
        "two calls of 20 ms each: {:?}",
        clock::since(start)
    );
}

#[test]
fn endless_allocation() {
    let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
    reason(&request_filter(grow), "memory");
}

#[test]
fn error() {
    let body = "(i32.store8 (i32.const 256) (i32.const 1))
        (i32.store (i32.const 260) (i32.const 512)) (i32.store (i32.const 264) (i32.const 6))
        (i32.const 256)";
    let failure = reason(&request_filter(body), "error");
    assert_eq!(failure.detail, "x-test");
}

#[test]
fn status_out_of_range() {
    for status in [0, 100, 101, 199, 600, 999, 65_535] {
        let body = format!(
            "(i32.store8 (i32.const 260) (i32.const 1)) (i32.store16 (i32.const 264) (i32.const {status})) (i32.const 256)"
        );
        let failure = reason(&request_filter(&body), "invalid-reply");
        assert!(failure.detail.contains(&status.to_string()), "{}", failure.detail);
    }
}

#[test]
fn reply_with_a_line_break_in_a_field() {
    let body =
        "(i32.store8 (i32.const 260) (i32.const 1)) (i32.store16 (i32.const 264) (i32.const 200))
        (i32.store (i32.const 268) (i32.const 320)) (i32.store (i32.const 272) (i32.const 1))
        (i32.store (i32.const 320) (i32.const 512)) (i32.store (i32.const 324) (i32.const 6))
        (i32.store (i32.const 328) (i32.const 544)) (i32.store (i32.const 332) (i32.const 4))
        (i32.const 256)";
    let failure = reason(&request_filter(body), "invalid-reply");
    assert!(failure.detail.contains("x-test"), "{}", failure.detail);
}

#[test]
fn one_text_handed_over_many_times() {
    // A thousand fields whose values are the same sixty kilobytes of the guest's one page.
    let body = "(local $at i32) (local.set $at (i32.const 4096))
        (loop $more
            (i32.store (local.get $at) (i32.const 512)) (i32.store offset=4 (local.get $at) (i32.const 6))
            (i32.store offset=8 (local.get $at) (i32.const 0)) (i32.store offset=12 (local.get $at) (i32.const 60000))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const 20096))))
        (i32.store8 (i32.const 260) (i32.const 1)) (i32.store16 (i32.const 264) (i32.const 200))
        (i32.store (i32.const 268) (i32.const 4096)) (i32.store (i32.const 272) (i32.const 1000))
        (i32.const 256)";
    let failure = reason(&request_filter(body), "trap");
    assert!(failure.detail.contains("hands over more at once"), "{}", failure.detail);
}

/// Memory for fifteen megabytes, and a usual deadline.
fn roomy(plugin: &mut Plugin) {
    plugin.limits.memory = 64 << 20;
    plugin.limits.quota = 64 << 20;
    plugin.limits.deadline = Duration::from_millis(10);
}

/// How long a text in UTF-16 is shows once it is decoded: what can be handed over is less.
#[test]
fn wide_texts_are_bounded_before_they_are_decoded() {
    let count = |units: u32| {
        super::guest::wide(
            "import weir:plugin/metrics@0.2.0;\n export weir:plugin/request-hook@0.2.0;",
            &format!(
                r#"
    (import "weir:plugin/metrics@0.2.0" "count" (func $count (param i32 i32 i32 i32 i64)))
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (drop (memory.grow (i32.const 200)))
        (call $count (i32.const 128) (i32.const {units}) (i32.const 0) (i32.const 0) (i64.const 1))
        (i32.const 256))"#
            ),
        )
    };
    let failure = reason_with(&count(3 << 20), roomy, "trap");
    assert!(failure.detail.contains("hands over more at once"), "{}", failure.detail);
    let host = host();
    let member = member(&load(&host, &count(1 << 10), roomy));
    assert!(request(&member).1.is_ok(), "a text of a usual length is taken");
}

/// Fifteen megabytes, whose price is more than the deadline.
#[test]
fn an_answer_has_its_price() {
    let long = "(drop (memory.grow (i32.const 230)))
        (i32.store8 (i32.const 256) (i32.const 1)) (i32.store (i32.const 260) (i32.const 70000))
        (i32.store (i32.const 264) (i32.const 15000000)) (i32.const 256)";
    reason_with(&request_filter(long), roomy, "deadline");
    let reply = "(drop (memory.grow (i32.const 230))) (i32.store8 (i32.const 260) (i32.const 1))
        (i32.store16 (i32.const 264) (i32.const 200)) (i32.store (i32.const 276) (i32.const 70000))
        (i32.store (i32.const 280) (i32.const 15000000)) (i32.const 256)";
    reason_with(&request_filter(reply), roomy, "deadline");
}

/// Nearly a million fields without name or value: each is looked at, though nothing of it is copied.
#[test]
fn a_list_has_its_price_whatever_is_in_it() {
    let reply = "(drop (memory.grow (i32.const 230))) (i32.store8 (i32.const 260) (i32.const 1))
        (i32.store16 (i32.const 264) (i32.const 200)) (i32.store (i32.const 268) (i32.const 70000))
        (i32.store (i32.const 272) (i32.const 937500)) (i32.const 256)";
    reason_with(&request_filter(reply), roomy, "deadline");
}

/// Counts the lines of plugins.
struct Lines(Arc<AtomicU32>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let is_plugins = event.metadata().target() == "weir::plugin";
        self.0.fetch_add(is_plugins.into(), Ordering::Relaxed);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// The standard streams go to the log.
#[test]
fn who_may_not_write_to_the_log_does_not_write_to_it_by_the_standard_streams() {
    let io = "package wasi:io@0.2.0;
        interface error { resource error; }
        interface streams {
            use error.{error};
            variant stream-error { last-operation-failed(error), closed }
            resource output-stream { write: func(contents: list<u8>) -> result<_, stream-error>; }
        }";
    let cli = "package wasi:cli@0.2.0;
        interface stdout { use wasi:io/streams@0.2.0.{output-stream}; get-stdout: func() -> output-stream; }";
    let prints = super::guest::with_packages(
        &[io.to_owned(), cli.to_owned()],
        "import wasi:cli/stdout@0.2.0;\n import wasi:io/streams@0.2.0;\n export weir:plugin/request-hook@0.2.0;",
        r#"
    (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
    (data (i32.const 512) "said\0a")
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (call $write (call $stdout) (i32.const 512) (i32.const 5) (i32.const 600)) (i32.const 256))"#,
    );
    for (granted, lines) in [(true, 1), (false, 0)] {
        let count = Arc::new(AtomicU32::new(0));
        let loaded = try_load(&host(), &prints, |plugin| plugin.grants.write(Grant::Log, granted));
        // One that is refused writes nothing either.
        if let Ok(plugin) = loaded {
            let member = member(&plugin);
            tracing::subscriber::with_default(Lines(count.clone()), || request(&member).0);
        }
        assert_eq!(count.load(Ordering::Relaxed), lines, "log = {granted}");
    }
}

/// Names are the guest's; a few bytes can stand for a megabyte of readable ones.
#[test]
fn names_of_functions_are_short() {
    let body = "(call $_RMC0FGZZZ_Eu) (i32.const 256)";
    let bomb = "(func $_RMC0FGZZZ_Eu unreachable)";
    let core = format!(
        r#"{bomb}
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32) {body})"#
    );
    let component = component("export weir:plugin/request-hook@0.2.0;", &core);
    let failure = reason(&component, "trap");
    assert!(failure.detail.len() < 2 << 10, "{} bytes", failure.detail.len());
}

/// There is nothing that a guest could keep of an exchange and use in another.
#[test]
fn what_is_about_an_exchange_is_a_trap_where_there_is_none() {
    let asks = "(call $header (i32.const 512) (i32.const 6) (i32.const 600))";
    let outside = configured_filter("(i32.const 256)", &format!("{asks} (i32.const 128)"));
    let problems = try_load(&host(), &outside, |_| ()).err().expect("`configure` asks for a field");
    assert!(problems[0].to_string().contains("no request is at hand"), "{}", problems[0]);
    let early = component(
        "import weir:plugin/response@0.2.0;\n export weir:plugin/request-hook@0.2.0;",
        r#"
    (import "weir:plugin/response@0.2.0" "status" (func $status (result i32)))
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (drop (call $status)) (i32.const 256))"#,
    );
    let failure = reason(&early, "trap");
    assert!(failure.detail.contains("no response is at hand"), "{}", failure.detail);
}

#[test]
fn skipped_plugin_leaves_no_trace() {
    let invalid = "(i32.store8 (i32.const 260) (i32.const 1))";
    for (fault, policy, left) in [
        ("unreachable", OnFailure::Skip, false),
        ("unreachable", OnFailure::Reject, true),
        (invalid, OnFailure::Skip, false),
        ("", OnFailure::Skip, true),
    ] {
        let host = host();
        let plugin = load(&host, &fails_after_a_change(fault), |plugin| plugin.on_failure = policy);
        let (exchange, _) = request(&member(&plugin));
        assert_eq!(exchange.request.headers.contains_key("x-test"), left, "{fault} {policy:?}");
        // Nor in what the proxy adds, which the change puts among the others.
        let mut asked = super::exchange(&[]);
        let line = ("x-test".parse().unwrap(), http::HeaderValue::from_static("added"));
        asked.added = Some(Arc::new(AddedFields::new(vec![line])));
        let (asked, _) = at_once(member(&plugin).on_request(asked));
        let told: Vec<_> = asked.request_values("x-test").collect();
        assert_eq!(told, [if left { "yes" } else { "added" }], "{fault} {policy:?}");
    }
}

#[test]
fn traps_pause_nothing() {
    let host = host();
    // Traps only on requests that have the field.
    let body = "(call $header (i32.const 560) (i32.const 8) (i32.const 600))
        (if (i32.load8_u (i32.const 600)) (then unreachable)) (i32.const 256)";
    let member = member(&load(&host, &request_filter(body), |_| ()));
    let bad = || wait(member.on_request(exchange(&[("trace-it", "1")]))).1;
    for _ in 0..100 {
        assert_eq!(bad().expect_err("a trap").reason, "trap");
        assert!(request(&member).1.is_ok());
    }
    for _ in 0..100 {
        assert_eq!(bad().expect_err("a trap, however many came before").reason, "trap");
    }
    assert!(request(&member).1.is_ok());
}

#[test]
fn a_plugin_that_cannot_be_configured_any_more_is_tried_again_after_a_pause() {
    let clock = TurnedClock::new();
    let host = host_at(Clock::Turned(clock.clone()));
    // Each hook traps, and so loses its instance. `configure` takes the only token there is: it
    // refuses the second time what it took the first. It drops a segment: nothing begins as it was.
    let component = super::guest::configured(
        "import weir:plugin/limiter@0.2.0;\n export weir:plugin/request-hook@0.2.0;",
        r#"
    (import "weir:plugin/limiter@0.2.0" "take" (func $take (param i32 i32 f64 i32 i32 i32)))
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32) unreachable)"#,
        "(call $take (i32.const 16) (i32.const 4) (f64.const 0.000001) (i32.const 1) (i32.const 1) (i32.const 600))
        (i32.store8 (i32.const 128) (i32.eqz (i32.load8_u (i32.const 600))))
        (data.drop 0) (i32.const 128)",
    );
    let member = member(&load(&host, &component, |_| ()));
    assert_eq!(request(&member).1.expect_err("the first instance").reason, "trap");
    for _ in 0..5 {
        let failure = request(&member).1.expect_err("no other is to be had");
        assert!(failure.detail.contains("refused a configuration that it took"), "{failure:?}");
    }
    let failure = request(&member).1.expect_err("not tried");
    assert!(failure.detail.contains("the next try"), "{failure:?}");
    clock.turn(Duration::from_millis(100));
    let failure = request(&member).1.expect_err("tried again");
    assert!(failure.detail.contains("refused a configuration that it took"), "{failure:?}");
}

/// However a guest makes room for an answer, and wherever it wants it: what is not its own is a trap.
#[test]
fn room_that_is_none() {
    let host = host();
    for (realloc, to, expected) in [
        ("(return (i32.const 0))", 600, None),
        ("(return (i32.const 4096))", 600, None),
        ("(return (i32.const 65532))", 600, Some("trap")),
        ("(return (i32.const 65536))", 600, Some("trap")),
        ("(return (i32.const -1))", 600, Some("trap")),
        ("(return (i32.const -4))", 600, Some("trap")),
        ("(return (i32.const 4098))", 600, Some("trap")),
        ("unreachable", 600, Some("trap")),
        ("(drop (memory.grow (i32.const 1)))", 600, None),
        ("(drop (memory.grow (i32.const 1))) (return (i32.const 65536))", 600, None),
        ("(call $method (i32.const 600))", 600, Some("trap")),
        ("(call $fields (i32.const 600))", 600, Some("trap")),
        (
            "(return (call $again (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 1)))",
            600,
            Some("trap"),
        ),
        ("(loop $for_ever (br $for_ever))", 600, Some("deadline")),
        ("", 65528, None),
        ("", 65529, Some("trap")),
        ("", -1, Some("trap")),
        ("", -4, Some("trap")),
        ("", -8, Some("trap")),
    ] {
        let core = format!(
            r#"
    (import "weir:plugin/request@0.2.0" "fields" (func $fields (param i32)))
    (import "weir:plugin/request@0.2.0" "method" (func $method (param i32)))
    (global $hostile (mut i32) (i32.const 0))
    (table 1 funcref) (elem (i32.const 0) $again)
    (func $again (param i32 i32 i32 i32) (result i32)
        (call $again (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (global.set $hostile (i32.const 1))
        (call $fields (i32.const {to})) (i32.const 256))"#
        );
        let world = "import weir:plugin/request@0.2.0; export weir:plugin/request-hook@0.2.0;";
        let member = member(&load(&host, &super::guest::hostile(world, &core, realloc), |_| ()));
        for _ in 0..2 {
            let reason = request(&member).1.err().map(|failure| failure.reason);
            assert_eq!(reason, expected, "{realloc} {to}");
        }
    }
}
