//! Hooks that do their work: any mix of them, changes of a head, bodies read and transformed.

use bytes::Bytes;
use http::header::VIA;
use http::{HeaderName, HeaderValue};
use weir_core::chain::{Hooks, Summary, Transform};
use weir_core::http::{AddedFields, Body};

use super::guest::{component, request_filter};
use super::*;

/// The core of each hook, doing nothing.
const HOOKS: [(&str, &str); 3] = [
    (
        "request-hook",
        r#"(func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32) (i32.const 256))"#,
    ),
    (
        "response-hook",
        r#"(func (export "weir:plugin/response-hook@0.2.0#on-response") (result i32) (i32.const 256))"#,
    ),
    (
        "completion-hook",
        r#"(func (export "weir:plugin/completion-hook@0.2.0#on-complete") (param i32 i64 i64 i64 i32 i32 i32 i32 i32 i32))"#,
    ),
];

#[test]
fn any_mix_of_hooks() {
    let host = host();
    for mix in 1..8_usize {
        let chosen = |at: usize| mix & (1 << at) != 0;
        let picked =
            || HOOKS.iter().enumerate().filter(|(at, _)| chosen(*at)).map(|(_, hook)| hook);
        let world: String =
            picked().map(|(name, _)| format!("export weir:plugin/{name}@0.2.0;\n")).collect();
        let core: String = picked().map(|(_, core)| format!("{core}\n")).collect();
        let plugin = load(&host, &component(&world, &core), |_| ());
        let expected = Hooks {
            request: chosen(0),
            response: chosen(1),
            completion: chosen(2),
            ..Hooks::default()
        };
        assert_eq!(plugin.hooks(), expected);
        assert!(!plugin.suspends());
        let member = member(&plugin);
        if chosen(0) {
            assert!(matches!(request(&member).1, Ok(Verdict::Forward)));
        }
        if chosen(1) {
            assert!(at_once(member.on_response(answered())).1.is_ok());
        }
        if chosen(2) {
            let summary =
                Summary { upstream: Some("users 1.2.3.4:5".into()), ..Summary::default() };
            assert!(at_once(member.on_complete(answered(), &summary)).1.is_ok());
        }
    }
}

#[test]
fn a_field_is_set() {
    let host = host();
    let member = member(&load(&host, &request_filter("(call $set_test) (i32.const 256)"), |_| ()));
    for _ in 0..3 {
        let (exchange, result) = request(&member);
        assert!(matches!(result, Ok(Verdict::Forward)));
        assert_eq!(exchange.request.headers["x-test"], "yes");
    }
}

#[test]
fn a_head_grows_no_further_than_its_limits() {
    let host = host();
    let member = member(&load(&host, &request_filter("(call $set_test) (i32.const 256)"), |_| ()));
    let mut full = exchange(&[]);
    full.head_limits.bytes = "host".len() + "example.com".len() + "x-test".len() + "yes".len() - 1;
    assert!(!at_once(member.on_request(full)).0.request.headers.contains_key("x-test"));
    let mut full = exchange(&[]);
    full.head_limits.fields = 1;
    assert!(!at_once(member.on_request(full)).0.request.headers.contains_key("x-test"));
}

/// What the proxy adds is the request's like any other field, though it stands beside the others.
#[test]
fn a_field_that_the_proxy_adds_is_seen_and_replaced_as_any_other() {
    let added = |name: &'static str| {
        let line = (HeaderName::from_static(name), HeaderValue::from_static("added"));
        Some(Arc::new(AddedFields::new(vec![line, (VIA, HeaderValue::from_static("1.1 weir"))])))
    };
    let host = host();
    let sets = "(call $set_test) (i32.const 256)";
    let sets = member(&load(&host, &request_filter(sets), |_| ()));
    let lines = "host: example.com, x-test: yes, via: 1.1 weir";
    for (name, settled) in [("x-other", false), ("x-test", true)] {
        let mut asked = exchange(&[]);
        asked.added = added(name);
        let (asked, _) = at_once(sets.on_request(asked));
        assert_eq!(asked.added.is_none(), settled, "{name}");
        let told: Vec<_> = asked.request_fields().filter(|(name, _)| *name != "x-other").collect();
        let told = told.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()));
        assert_eq!(told.collect::<Vec<_>>().join(", "), lines, "{name}");
    }
    // They count for the limits of a head.
    for (fields, is_set) in [(3, false), (4, true)] {
        let mut asked = exchange(&[]);
        (asked.added, asked.head_limits.fields) = (added("x-other"), fields);
        let (asked, _) = at_once(sets.on_request(asked));
        assert_eq!(asked.request.headers.contains_key("x-test"), is_set, "{fields}");
    }
    // Traps where it sees the field.
    let body = "(call $header (i32.const 560) (i32.const 8) (i32.const 600))
        (if (i32.load8_u (i32.const 600)) (then unreachable)) (i32.const 256)";
    let sees = member(&load(&host, &request_filter(body), |_| ()));
    for (name, is_seen) in [("trace-it", true), ("trace-is", false)] {
        let mut asked = exchange(&[]);
        asked.added = added(name);
        assert_eq!(wait(sees.on_request(asked)).1.is_err(), is_seen, "{name}");
    }
}

#[test]
fn a_request_of_its_own_gets_a_fresh_instance() {
    // Replies from the second call of an instance on.
    let body = "(if (global.get $kept) (then unreachable)) (global.set $kept (i32.const 1)) (i32.const 256)";
    let host = host();
    let plugin = load(&host, &request_filter(body), |plugin| plugin.isolation = Isolation::Request);
    let member = member(&plugin);
    for _ in 0..3 {
        assert!(request(&member).1.is_ok());
    }
}

/// Replies with the request's body.
fn echo() -> Vec<u8> {
    component(
        "import weir:plugin/request-body@0.2.0;\n export weir:plugin/request-hook@0.2.0;",
        r#"
    (import "weir:plugin/request-body@0.2.0" "read" (func $read (param i64 i32)))
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (call $read (i64.const 8) (i32.const 600))
        (i32.store8 (i32.const 260) (i32.const 1))
        (i32.store16 (i32.const 264) (i32.const 200))
        (if (i32.load8_u (i32.const 600)) (then (i32.store16 (i32.const 264) (i32.const 413)))
        (else
            (i32.store (i32.const 276) (i32.load (i32.const 604)))
            (i32.store (i32.const 280) (i32.load (i32.const 608)))))
        (i32.const 256))"#,
    )
}

/// A body of several pieces, with a pause before each.
fn slow_body(pieces: &[&'static str]) -> Body {
    struct Slow(Vec<&'static str>, bool);
    impl http_body::Body for Slow {
        type Data = Bytes;
        type Error = weir_core::error::Error;
        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
            self.1 = !self.1;
            if self.1 {
                cx.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            let piece = (!self.0.is_empty()).then(|| self.0.remove(0));
            std::task::Poll::Ready(
                piece.map(|piece| Ok(http_body::Frame::data(Bytes::from(piece)))),
            )
        }
    }
    Body::Stream(Box::pin(Slow(pieces.to_vec(), false)))
}

#[test]
fn a_body_is_read_and_kept() {
    let host = host();
    let plugin = load(&host, &echo(), |_| ());
    assert!(plugin.suspends());
    let member = member(&plugin);
    for (pieces, reply) in [(&["one", "two"][..], "onetwo"), (&[], ""), (&["12345678"], "12345678")]
    {
        let mut exchange = exchange(&[]);
        exchange.request_body = slow_body(pieces);
        let (mut exchange, result) = wait(member.on_request(exchange));
        let Ok(Verdict::Respond(answer)) = result else { panic!("{result:?}") };
        assert_eq!(answer.body, reply);
        let runtime = runtime();
        let kept = runtime.block_on(exchange.request_body.collect(100)).expect("it is all there");
        assert_eq!(kept, reply);
    }
}

#[test]
fn a_body_that_is_too_large_is_told_so_and_goes_on_whole() {
    let host = host();
    let member = member(&load(&host, &echo(), |_| ()));
    let mut exchange = exchange(&[]);
    exchange.request_body = slow_body(&["12345", "67890", "tail"]);
    let (mut exchange, result) = wait(member.on_request(exchange));
    let Ok(Verdict::Respond(answer)) = result else { panic!("{result:?}") };
    assert_eq!(answer.status, 413);
    let runtime = runtime();
    let kept = runtime.block_on(exchange.request_body.collect(100)).expect("it is all there");
    assert_eq!(kept, "1234567890tail");
}

#[test]
fn two_bodies_are_read_at_a_time() {
    let host = host();
    let member = member(&load(&host, &echo(), |_| ()));
    let waiting = |pieces: &[&'static str]| {
        let mut exchange = exchange(&[]);
        exchange.request_body = slow_body(pieces);
        member.on_request(exchange).resolve()
    };
    let runtime = runtime();
    let ((_, one), (_, two)) =
        runtime.block_on(async { tokio::join!(waiting(&["a", "b"]), waiting(&["c"])) });
    let (Ok(Verdict::Respond(one)), Ok(Verdict::Respond(two))) = (one, two) else {
        panic!("no replies")
    };
    assert_eq!((&one.body[..], &two.body[..]), (&b"ab"[..], &b"c"[..]));
}

#[test]
fn a_body_is_transformed() {
    // Passes chunks on as they are and ends with the text at 512.
    let guest = component(
        "export weir:plugin/response-body-hook@0.2.0;",
        r#"
    (data (i32.const 512) "<end>")
    (func (export "weir:plugin/response-body-hook@0.2.0#open") (result i32)
        (i32.store8 (i32.const 260) (i32.const 1))
        (i32.const 256))
    (func (export "weir:plugin/response-body-hook@0.2.0#push") (param i32 i32) (result i32)
        (i32.store8 (i32.const 320) (i32.const 0))
        (i32.store (i32.const 324) (local.get 0)) (i32.store (i32.const 328) (local.get 1))
        (i32.const 320))
    (func (export "weir:plugin/response-body-hook@0.2.0#finish") (result i32)
        (i32.store8 (i32.const 320) (i32.const 0))
        (i32.store (i32.const 324) (i32.const 512)) (i32.store (i32.const 328) (i32.const 5))
        (i32.const 320))"#,
    );
    let host = host();
    let member = member(&load(&host, &guest, |_| ()));
    assert!(member.hooks().response_body);
    let open = || {
        let (_, transform) = wait(member.open_response_transform(answered()));
        transform.expect("no failure").expect("a transform")
    };
    let (one, two) = (open(), open());
    let push = |transform: Box<dyn Transform>, chunk: &'static str| {
        runtime().block_on(transform.push(Bytes::from(chunk))).expect("passed on")
    };
    let (one, passed) = push(one, "abc");
    assert_eq!(passed, "abc");
    let (two, passed) = push(two, "123");
    assert_eq!(passed, "123");
    assert_eq!(runtime().block_on(one.finish()).expect("its end"), "<end>");
    drop(two);
    assert_eq!(runtime().block_on(open().finish()).expect("its end"), "<end>");
}

/// A toolchain may have something called after each function, whatever that gives.
#[test]
fn after_a_hook_that_gives_nothing_something_is_called() {
    let core = r#"
    (global $ended (mut i32) (i32.const 0))
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (if (global.get $ended) (then unreachable)) (i32.const 256))
    (func (export "weir:plugin/completion-hook@0.2.0#on-complete") (param i32 i64 i64 i64 i32 i32 i32 i32 i32 i32))
    (func (export "cabi_post_weir:plugin/completion-hook@0.2.0#on-complete")
        (global.set $ended (i32.const 1)))"#;
    let world = "export weir:plugin/request-hook@0.2.0; export weir:plugin/completion-hook@0.2.0;";
    let host = host();
    let member = member(&load(&host, &component(world, core), |_| ()));
    assert!(request(&member).1.is_ok());
    assert!(at_once(member.on_complete(answered(), &Summary::default())).1.is_ok());
    assert_eq!(request(&member).1.expect_err("it was called").reason, "trap");
}

/// What says nothing of how texts are has none: `read` gives bytes.
#[test]
fn wide_texts_beside_functions_that_have_none() {
    let guest = super::guest::wide(
        "import weir:plugin/request-body@0.2.0;\n export weir:plugin/request-hook@0.2.0;",
        r#"
    (import "weir:plugin/request-body@0.2.0" "read" (func $read (param i64 i32)))
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (call $read (i64.const 8) (i32.const 600)) (i32.const 256))"#,
    );
    let host = host();
    assert!(request(&member(&load(&host, &guest, |_| ()))).1.is_ok());
}
