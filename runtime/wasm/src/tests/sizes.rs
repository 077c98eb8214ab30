//! Every function that a guest may import, with each of its arguments as large as there is room for in
//! the guest's memory: the guest is ended or told so, or what it gave is on its plugin's account; and the
//! next exchange is served.
//!
//! The calls are made from `wit/`: a function or an argument there without a row here fails.

mod call;
mod rows;

use weir_core::quota::Holding;

use self::call::{Call, LONG};
use self::rows::Outcome;
use super::guest::{component, contract, with_packages};
use super::*;

/// Room for [`LONG`], and for what is handed over at once.
const MEMORY: usize = 4 << 20;
/// What small things may take that stay: an entry, a bucket, some series.
const SMALL: usize = 16 << 10;

/// Of the host, which counts processor time: a test's machine may be slow.
const LONG_DEADLINE: Duration = Duration::from_secs(10);

fn roomy(plugin: &mut Plugin) {
    plugin.grants.write(Grant::Store, true);
    plugin.grants.write(Grant::Http, true);
    plugin.limits.memory = MEMORY;
    plugin.limits.deadline = LONG_DEADLINE;
}

/// Every call there is, and a plugin that makes the one that it is asked for.
fn calls(host: &Host, quota: usize) -> (Vec<Call>, Arc<LoadedPlugin>) {
    let contract = contract();
    let calls = call::all(&contract);
    let plugin = load(host, &component(call::WORLD, &call::core(&contract, &calls)), |plugin| {
        roomy(plugin);
        plugin.limits.quota = quota;
    });
    (calls, plugin)
}

/// Has the guest make a call, by its number; 0: none.
fn make(
    member: &Rc<dyn Middleware>,
    in_response: bool,
    number: usize,
) -> (Box<Exchange>, Result<(), Box<Failure>>) {
    let mut exchange = if in_response { answered() } else { exchange(&[]) };
    let target = format!("/{}", "x".repeat(number));
    exchange.request.uri = target.parse().expect("a target");
    if in_response {
        return wait(member.on_response(exchange));
    }
    let (exchange, result) = wait(member.on_request(exchange));
    (exchange, result.map(drop))
}

fn held(plugin: &LoadedPlugin) -> usize {
    let quota = &plugin.template.shared.quota;
    let kinds = [
        Holding::Limiter,
        Holding::Store,
        Holding::Metrics,
        Holding::Bodies,
        Holding::Replies,
        Holding::Output,
    ];
    kinds.into_iter().map(|kind| quota.held(kind)).sum()
}

#[test]
fn every_argument_of_every_function_is_bounded() {
    let host = host();
    let (calls, plugin) = calls(&host, PluginLimits::default().quota);
    rows::check_names(&contract());
    let member = member(&plugin);
    for (at, call) in calls.iter().enumerate() {
        let (exchange, result) = make(&member, call.in_response, at + 1);
        let failure = result.expect_err("the guest tells what came of it by an error");
        match call.outcome {
            Outcome::Ends(why) => {
                assert_eq!(failure.reason, "trap", "{call}: {failure:?}");
                assert!(failure.detail.contains(why), "{call}: {failure:?}");
            }
            Outcome::Told(expected) => {
                let answer = call::answer(&failure);
                for (byte, value) in expected {
                    assert_eq!(answer[*byte], *value, "{call}: byte {byte} of {answer:?}");
                }
            }
            Outcome::Kept => {
                call::answer(&failure);
                assert!(held(&plugin) >= LONG, "{call}: {} bytes on the account", held(&plugin));
            }
        }
        drop(exchange);
        assert!(held(&plugin) < SMALL, "{call}: {} bytes are kept", held(&plugin));
        assert!(make(&member, call.in_response, 0).1.is_ok(), "the next exchange after {call}");
    }
}

/// Whatever the function: what is handed over is held against one bound first.
#[test]
fn what_is_more_than_could_be_kept_is_not_looked_at() {
    let host = host();
    let (calls, plugin) = calls(&host, LONG / 4);
    let member = member(&plugin);
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| call.is_long) {
        let failure = make(&member, call.in_response, at + 1).1.expect_err("it is ended");
        assert_eq!(failure.reason, "trap", "{call}: {failure:?}");
        assert!(failure.detail.contains("hands over more at once"), "{call}: {failure:?}");
        assert!(make(&member, call.in_response, 0).1.is_ok(), "the next exchange after {call}");
    }
}

/// What there is of `wasi:` that takes a size.
fn wasi(body: &str) -> Vec<u8> {
    let io = "package wasi:io@0.2.0;
        interface error { resource error; }
        interface poll { resource pollable; poll: func(in: list<borrow<pollable>>) -> list<u32>; }
        interface streams {
            use error.{error};
            use poll.{pollable};
            variant stream-error { last-operation-failed(error), closed }
            resource output-stream {
                write: func(contents: list<u8>) -> result<_, stream-error>;
                blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
                subscribe: func() -> pollable;
            }
        }";
    let cli = "package wasi:cli@0.2.0;
        interface stdout { use wasi:io/streams@0.2.0.{output-stream}; get-stdout: func() -> output-stream; }";
    let random = "package wasi:random@0.2.0;
        interface random { get-random-bytes: func(len: u64) -> list<u8>; }";
    with_packages(
        &[io.to_owned(), cli.to_owned(), random.to_owned()],
        "import wasi:cli/stdout@0.2.0;\n import wasi:io/streams@0.2.0;\n import wasi:io/poll@0.2.0;\n\
         import wasi:random/random@0.2.0;\n export weir:plugin/request-hook@0.2.0;",
        &format!(
            r#"
    (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush" (func $write_and_flush (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.0" "[method]output-stream.subscribe" (func $subscribe (param i32) (result i32)))
    (import "wasi:io/poll@0.2.0" "poll" (func $poll (param i32 i32 i32)))
    (import "wasi:random/random@0.2.0" "get-random-bytes" (func $random (param i64 i32)))
    (func (export "weir:plugin/request-hook@0.2.0#on-request") (result i32)
        (local $at i32) (local $pollable i32)
        (drop (memory.grow (i32.const 63)))
        {body}
        (i32.const 256))"#
        ),
    )
}

/// Polls so many times the same.
fn polls(count: usize) -> String {
    format!(
        "(local.set $pollable (call $subscribe (call $stdout))) (local.set $at (i32.const 4096))
        (loop $more
            (i32.store (local.get $at) (local.get $pollable))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (br_if $more (i32.lt_u (local.get $at) (i32.const {}))))
        (call $poll (i32.const 4096) (i32.const {count}) (i32.const 600))",
        4096 + 4 * count
    )
}

#[test]
fn what_a_toolchain_links_in_is_bounded_too() {
    let writes = |function: &str, bytes: usize| {
        format!(
            "(call ${function} (call $stdout) (i32.const 65536) (i32.const {bytes}) (i32.const 600))"
        )
    };
    let random =
        |bytes: u64| format!("(call $random (i64.const {}) (i32.const 600))", bytes as i64);
    let host = host();
    for (body, ends) in [
        (writes("write", 64 << 10), None),
        (writes("write", (64 << 10) + 1), Some("`check-write` permits 65536")),
        (writes("write", 4_000_000), Some("a write of 4000000 bytes")),
        (writes("write_and_flush", 64 << 10), None),
        (writes("write_and_flush", 4_000_000), Some("a write of 4000000 bytes")),
        (polls(64), None),
        (polls(65), Some("more than 64 pollables")),
        (random(64 << 10), None),
        (random((64 << 10) + 1), Some("more than 64 KiB of random bytes")),
        (random(u64::MAX), Some("more than 64 KiB of random bytes")),
    ] {
        let member = member(&load(&host, &wasi(&body), roomy));
        for _ in 0..2 {
            let result = request(&member).1;
            match ends {
                None => assert!(result.is_ok(), "{body}: {result:?}"),
                Some(why) => {
                    let failure = result.expect_err(&body);
                    assert_eq!(failure.reason, "trap", "{body}: {failure:?}");
                    assert!(failure.detail.contains(why), "{body}: {failure:?}");
                }
            }
        }
    }
}
