//! WASI 0.2 as far as a plugin gets it: clocks and random work, stdout and stderr are log lines, the
//! environment says what the plugin may use, everything else that a toolchain links in is there but
//! empty.
//!
//! In: a component's `wasi:*` imports. Out: functions of the host. Never: reaches a file, a socket, an
//! environment variable of the proxy or an argument, and never blocks, which is why `wasmtime-wasi`
//! does not serve here: its synchronous half blocks on a runtime of its own, and its asynchronous
//! half would put every call of every plugin on a fiber.
//!
//! A handle is the number of what it stands for: there is nothing behind one that could be used up or taken
//! back, and what a guest makes of another number is at most what it can do anyway.

use std::time::UNIX_EPOCH;

use wasmtime::{Error, Result};
use weir_bounds::log::MAX_LINES;
use weir_core::quota::Holding;
use weir_core::telemetry::acting::escape;
use weir_core::telemetry::log::Fields;

use super::at_hand::{Context, at_hand};
use super::function::{HostFunction, functions};
use super::log;
use crate::answer::{Data, NOTHING, Wanted};
use crate::contract::Level;
use crate::memory::{self, Records, Span, write as put};
use crate::state::{Output, State};

/// Interfaces whose functions are there, but trap when they are called; by the name's beginning.
const INERT: [&str; 7] = [
    "wasi:cli/",
    "wasi:clocks/",
    "wasi:filesystem/",
    "wasi:io/",
    "wasi:random/",
    "wasi:logging/",
    "wasi:config/",
];
/// The longest line of stdout or stderr that is kept together.
const MAX_LINE: usize = 8 << 10;
/// What of a line counts as one of those that a call may log.
const LONG_LINE: usize = 256;
/// What an output stream says it takes at a time.
const WRITE_PERMIT: u64 = 64 << 10;
/// The most pollables that are polled at a time.
const MAX_POLLED: usize = 64;
/// How much dearer a random byte is than one that is copied.
const RANDOM: usize = 8;

/// Handles of streams.
const STDIN: u32 = 1;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;
/// Handles of pollables.
const READY: u32 = 1;
const TIMER: u32 = 2;

/// Whether plugins may import it.
pub fn is_known(import: &str) -> bool {
    INERT.iter().any(|known| import.starts_with(known))
}

/// Functions that do something, by interface.
pub const TABLES: [&[HostFunction]; 15] = [
    functions! { "wasi:cli/stdin": "get-stdin" "() -> own<input-stream>" => stdin; },
    functions! { "wasi:cli/stdout": "get-stdout" "() -> own<output-stream>" => stdout; },
    functions! { "wasi:cli/stderr": "get-stderr" "() -> own<output-stream>" => stderr; },
    functions! { "wasi:io/streams":
        "[method]output-stream.check-write" "(borrow<output-stream>) -> result<u64, variant { last-operation-failed(own<error>), closed }>" => check_write;
        "[method]output-stream.write" "(borrow<output-stream>, list<u8>) -> result<_, variant { last-operation-failed(own<error>), closed }>" => write;
        "[method]output-stream.blocking-write-and-flush" "(borrow<output-stream>, list<u8>) -> result<_, variant { last-operation-failed(own<error>), closed }>" => write;
        "[method]output-stream.flush" "(borrow<output-stream>) -> result<_, variant { last-operation-failed(own<error>), closed }>" => flush;
        "[method]output-stream.blocking-flush" "(borrow<output-stream>) -> result<_, variant { last-operation-failed(own<error>), closed }>" => flush;
        "[method]output-stream.subscribe" "(borrow<output-stream>) -> own<pollable>" => subscribe;
        "[method]input-stream.subscribe" "(borrow<input-stream>) -> own<pollable>" => subscribe;
        "[method]input-stream.read" "(borrow<input-stream>, u64) -> result<list<u8>, variant { last-operation-failed(own<error>), closed }>" => read;
        "[method]input-stream.blocking-read" "(borrow<input-stream>, u64) -> result<list<u8>, variant { last-operation-failed(own<error>), closed }>" => read;
    },
    functions! { "wasi:io/poll":
        "poll" "(list<borrow<pollable>>) -> list<u32>" => poll;
        "[method]pollable.ready" "(borrow<pollable>) -> bool" => is_ready;
        "[method]pollable.block" "(borrow<pollable>)" => block;
    },
    functions! { "wasi:random/random":
        "get-random-bytes" "(u64) -> list<u8>" => random_bytes;
        "get-random-u64" "() -> u64" => random_number;
    },
    functions! { "wasi:random/insecure":
        "get-insecure-random-bytes" "(u64) -> list<u8>" => random_bytes;
        "get-insecure-random-u64" "() -> u64" => random_number;
    },
    functions! { "wasi:random/insecure-seed":
        "insecure-seed" "() -> tuple<u64, u64>" => seed;
    },
    functions! { "wasi:clocks/wall-clock":
        "now" "() -> record { seconds: u64, nanoseconds: u32 }" => wall_clock;
        "resolution" "() -> record { seconds: u64, nanoseconds: u32 }" => wall_clock_resolution;
    },
    functions! { "wasi:clocks/monotonic-clock":
        "now" "() -> u64" => monotonic_clock;
        "resolution" "() -> u64" => |_: Context<'_>| 1_u64;
        "subscribe-instant" "(u64) -> own<pollable>" => subscribe_time;
        "subscribe-duration" "(u64) -> own<pollable>" => subscribe_time;
    },
    // The process a toolchain thinks it is: without arguments, files or terminal, and with the plugin's
    // limits for an environment.
    functions! { "wasi:cli/environment":
        "get-environment" "() -> list<tuple<string, string>>" => environment;
        "get-arguments" "() -> list<string>" => empty;
        "initial-cwd" "() -> option<string>" => none;
    },
    functions! { "wasi:filesystem/preopens":
        "get-directories" "() -> list<tuple<own<descriptor>, string>>" => empty;
    },
    functions! { "wasi:cli/terminal-stdin":
        "get-terminal-stdin" "() -> option<own<terminal-input>>" => absent;
    },
    functions! { "wasi:cli/terminal-stdout":
        "get-terminal-stdout" "() -> option<own<terminal-output>>" => absent;
    },
    functions! { "wasi:cli/terminal-stderr":
        "get-terminal-stderr" "() -> option<own<terminal-output>>" => absent;
    },
];

fn stdin(_: Context<'_>) -> u32 {
    STDIN
}

fn stdout(_: Context<'_>) -> u32 {
    STDOUT
}

fn stderr(_: Context<'_>) -> u32 {
    STDERR
}

fn check_write(mut caller: Context<'_>, _: u32, to: u32) -> Result<()> {
    let (memory, _) = at_hand(&mut caller)?;
    put(memory, to, &[0])?;
    put(memory, to.wrapping_add(8), &WRITE_PERMIT.to_le_bytes())
}

fn write(mut caller: Context<'_>, stream: u32, at: u32, length: u32, to: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    if u64::from(length) > WRITE_PERMIT {
        return Err(Error::msg(format!(
            "a write of {length} bytes, where `check-write` permits {WRITE_PERMIT}"
        )));
    }
    let bytes = memory::bytes(memory, state, Span { at, length })?;
    state.budget.pay_bytes(bytes.len())?;
    output(state, stream, bytes)?;
    put(memory, to, &[0])
}

fn flush(mut caller: Context<'_>, _: u32, to: u32) -> Result<()> {
    put(at_hand(&mut caller)?.0, to, &[0])
}

fn subscribe(_: Context<'_>, _: u32) -> u32 {
    READY
}

/// Closed: case 1 of the error.
fn read(mut caller: Context<'_>, _: u32, _: u64, to: u32) -> Result<Wanted> {
    let (memory, _) = at_hand(&mut caller)?;
    put(memory, to, &[1])?;
    put(memory, to.wrapping_add(4), &[1])?;
    Ok(NOTHING)
}

fn poll(mut caller: Context<'_>, at: u32, count: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    if count as usize > MAX_POLLED {
        return Err(Error::msg(format!("more than {MAX_POLLED} pollables at a time")));
    }
    let all = Records::new(memory, state, Span { at, length: count }, 4)?;
    for pollable in all.iter() {
        wait_for(memory::word(memory, pollable)?)?;
    }
    state.answer.numbers(memory, to, &(0..count).collect::<Vec<u32>>())
}

fn is_ready(_: Context<'_>, pollable: u32) -> u32 {
    u32::from(pollable != TIMER)
}

fn block(_: Context<'_>, pollable: u32) -> Result<()> {
    wait_for(pollable)
}

fn wait_for(pollable: u32) -> Result<()> {
    if pollable == TIMER {
        return Err(Error::msg("a plugin cannot sleep: it would hold every request of its worker"));
    }
    Ok(())
}

fn random_bytes(mut caller: Context<'_>, length: u64, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= 64 << 10);
    let Some(length) = length else {
        return Err(Error::msg("more than 64 KiB of random bytes at a time"));
    };
    state.budget.pay_bytes(length * RANDOM)?;
    let mut bytes = vec![0; length];
    state.shared.random(&mut bytes)?;
    state.answer.bytes(memory, to, Data::Bytes(bytes))
}

fn random_number(caller: Context<'_>) -> Result<u64> {
    random(caller.data())
}

fn seed(mut caller: Context<'_>, to: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    put(memory, to, &random(state)?.to_le_bytes())?;
    put(memory, to.wrapping_add(8), &random(state)?.to_le_bytes())
}

fn random(state: &State) -> Result<u64> {
    let mut bytes = [0; 8];
    state.shared.random(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn wall_clock(mut caller: Context<'_>, to: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let since = state.shared.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
    put_time(memory, to, since.as_secs(), since.subsec_nanos())
}

fn wall_clock_resolution(mut caller: Context<'_>, to: u32) -> Result<()> {
    put_time(at_hand(&mut caller)?.0, to, 0, 1)
}

fn put_time(memory: &mut [u8], to: u32, seconds: u64, nanoseconds: u32) -> Result<()> {
    put(memory, to, &seconds.to_le_bytes())?;
    put(memory, to.wrapping_add(8), &nanoseconds.to_le_bytes())
}

fn monotonic_clock(caller: Context<'_>) -> u64 {
    let shared = &caller.data().shared;
    let since = shared.clock.now().saturating_duration_since(shared.epoch);
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

fn subscribe_time(_: Context<'_>, _: u64) -> u32 {
    TIMER
}

fn environment(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let (bytes, time) = (state.caps.memory.to_string(), state.deadline.as_millis().to_string());
    let all = vec![
        Data::Static("WEIR_LIMITS_MEMORY"),
        bytes.into(),
        Data::Static("WEIR_LIMITS_DEADLINE"),
        time.into(),
    ];
    state.answer.list(memory, to, all, &[true, true], state.encoding)
}

/// An empty list.
fn empty(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    state.answer.bytes(memory, to, Data::Static(""))
}

/// No text.
fn none(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    put(at_hand(&mut caller)?.0, to, &[0])?;
    Ok(NOTHING)
}

/// No handle.
fn absent(mut caller: Context<'_>, to: u32) -> Result<()> {
    put(at_hand(&mut caller)?.0, to, &[0])
}

/// Whole lines go to the log; what is left waits for its end.
fn output(state: &mut State, stream: u32, bytes: &[u8]) -> Result<()> {
    let level = if stream == STDERR { Level::Warn } else { Level::Info };
    let taken = |state: &mut State| match stream {
        STDERR => std::mem::take(&mut state.stderr),
        _ => std::mem::take(&mut state.stdout),
    };
    let Output { mut line, mut held } = taken(state);
    for (at, piece) in bytes.split(|byte| *byte == b'\n').enumerate() {
        if at > 0 {
            say(state, level, &line)?;
            line.clear();
        }
        for part in piece.chunks(MAX_LINE) {
            if line.len() + part.len() > MAX_LINE {
                say(state, level, &line)?;
                line.clear();
            }
            line.extend_from_slice(part);
        }
    }
    held = held.filter(|_| !line.is_empty());
    if held.is_none() && !line.is_empty() {
        held = Some(state.shared.hold(Holding::Output, MAX_LINE, "")?);
    }
    let left = Output { line, held };
    match stream {
        STDERR => state.stderr = left,
        _ => state.stdout = left,
    }
    Ok(())
}

fn say(state: &State, level: Level, line: &[u8]) -> Result<()> {
    if line.is_empty() {
        return Ok(());
    }
    let mut text = String::new();
    escape(&mut text, &String::from_utf8_lossy(line), log::MAX_BYTES);
    // A long one counts for several: what is printed, as by a panic, is cut sooner than what is logged.
    let lines = state.lines.get();
    if lines < MAX_LINES {
        let more = u32::try_from(text.len() / LONG_LINE).unwrap_or(u32::MAX);
        state.lines.set(lines.saturating_add(more).min(MAX_LINES - 1));
    }
    log::write(state, level, &text, &Fields::default())
}
