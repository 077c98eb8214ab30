//! WASI 0.2 as far as a plugin gets it: clocks and random work, stdout and stderr are log lines, the
//! environment says what the plugin may use, everything else that a toolchain links in is there but
//! empty.
//!
//! In: a component's `wasi:*` imports. Out: definitions for exactly those. Never: reaches a file, a
//! socket, an environment variable of the proxy or an argument, and never blocks, which is why `wasmtime-wasi`
//! does not serve here: its synchronous half blocks on a runtime of its own, and its asynchronous
//! half would put every call of every plugin on a fiber.

use std::time::UNIX_EPOCH;

use wasmtime::component::types::{ComponentInstance, ComponentItem};
use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType, WasmList};
use wasmtime::{Engine, Error, Result};
use weir_bounds::log::MAX_LINES;
use weir_core::quota::Holding;
use weir_core::telemetry::acting::escape;
use weir_core::telemetry::log::Fields;

use super::{Context, Interface, bounds, log};
use crate::bindings::Level;
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
/// What [`Streams`](OutputStream) say they take at a time.
const WRITE_PERMIT: u64 = 64 << 10;

/// The most pollables that are polled at a time.
const MAX_POLLED: usize = 64;

enum OutputStream {}
enum InputStream {}
enum IoError {}
enum Pollable {}
enum Descriptor {}
enum Other {}

/// How much dearer a random byte is than one that is copied.
const RANDOM: usize = 8;

/// Reps of output streams.
const STDOUT: u32 = 1;
const STDERR: u32 = 2;
/// Reps of pollables.
const READY: u32 = 1;
const TIMER: u32 = 2;

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

type Stream<T> = Result<(Result<T, StreamError>,)>;

/// Whether plugins may import it.
pub fn is_known(import: &str) -> bool {
    INERT.iter().any(|known| import.starts_with(known))
}

/// Defines one imported interface under the very name and version the component asks for.
pub fn link(
    linker: &mut Linker<State>,
    engine: &Engine,
    name: &str,
    interface: &ComponentInstance,
) -> Result<()> {
    let mut instance = linker.instance(name)?;
    let short = name.split_once('@').map_or(name, |(short, _)| short);
    for (item, kind) in interface.exports(engine) {
        match kind.ty {
            ComponentItem::Resource(_) => {
                instance.resource(item, resource(item), |_, _| Ok(()))?;
            }
            ComponentItem::ComponentFunc(_) if function(&mut instance, short, item)? => {}
            ComponentItem::ComponentFunc(_) => {
                let message = format!("`{short}#{item}` is not there for plugins");
                instance.func_new(item, move |_, _, _, _| Err(Error::msg(message.clone())))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A resource is the same in whichever interface it is named.
fn resource(name: &str) -> ResourceType {
    match name {
        "output-stream" => ResourceType::host::<OutputStream>(),
        "input-stream" => ResourceType::host::<InputStream>(),
        "error" => ResourceType::host::<IoError>(),
        "pollable" => ResourceType::host::<Pollable>(),
        "descriptor" => ResourceType::host::<Descriptor>(),
        _ => ResourceType::host::<Other>(),
    }
}

/// Defines a function that does something. False: there is none of that name.
fn function(instance: &mut Interface<'_>, interface: &str, name: &str) -> Result<bool> {
    match interface {
        "wasi:cli/stdout" | "wasi:cli/stderr" | "wasi:cli/stdin" => standard_stream(instance, name),
        "wasi:io/streams" => streams(instance, name),
        "wasi:io/poll" => poll(instance, name),
        "wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed" => {
            random(instance, name)
        }
        "wasi:clocks/wall-clock" => wall_clock(instance, name),
        "wasi:clocks/monotonic-clock" => monotonic_clock(instance, name),
        _ => process(instance, name),
    }
}

fn standard_stream(instance: &mut Interface<'_>, name: &str) -> Result<bool> {
    match name {
        "get-stdout" => instance.func_wrap(name, |_: Context, (): ()| {
            Ok((Resource::<OutputStream>::new_own(STDOUT),))
        })?,
        "get-stderr" => instance.func_wrap(name, |_: Context, (): ()| {
            Ok((Resource::<OutputStream>::new_own(STDERR),))
        })?,
        "get-stdin" => instance
            .func_wrap(name, |_: Context, (): ()| Ok((Resource::<InputStream>::new_own(0),)))?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn streams(instance: &mut Interface<'_>, name: &str) -> Result<bool> {
    type Out = Resource<OutputStream>;
    type In = Resource<InputStream>;
    match name {
        "[method]output-stream.check-write" => instance
            .func_wrap(name, |_: Context, (_,): (Out,)| -> Stream<u64> {
                Ok((Ok(WRITE_PERMIT),))
            })?,
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            instance.func_wrap(
                name,
                |mut store: Context, (stream, bytes): (Out, WasmList<u8>)| -> Stream<()> {
                    if bytes.len() as u64 > WRITE_PERMIT {
                        return Err(Error::msg(format!(
                            "a write of {} bytes, where `check-write` permits {WRITE_PERMIT}",
                            bytes.len()
                        )));
                    }
                    bounds::pay(&store, bytes.len())?;
                    let bytes = bytes.as_le_slice(&store).to_vec();
                    write(store.data_mut(), stream.rep(), &bytes)?;
                    Ok((Ok(()),))
                },
            )?
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            instance.func_wrap(name, |_: Context, (_,): (Out,)| -> Stream<()> { Ok((Ok(()),)) })?
        }
        "[method]output-stream.subscribe" => instance
            .func_wrap(name, |_: Context, (_,): (Out,)| {
                Ok((Resource::<Pollable>::new_own(READY),))
            })?,
        "[method]input-stream.subscribe" => instance
            .func_wrap(name, |_: Context, (_,): (In,)| {
                Ok((Resource::<Pollable>::new_own(READY),))
            })?,
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => instance
            .func_wrap(name, |_: Context, (_, _): (In, u64)| -> Stream<Vec<u8>> {
                Ok((Err(StreamError::Closed),))
            })?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn poll(instance: &mut Interface<'_>, name: &str) -> Result<bool> {
    fn ready(pollable: &Resource<Pollable>) -> Result<()> {
        if pollable.rep() == TIMER {
            return Err(Error::msg(
                "a plugin cannot sleep: it would hold every request of its worker",
            ));
        }
        Ok(())
    }
    match name {
        "poll" => instance.func_wrap(
            name,
            |mut store: Context, (all,): (WasmList<Resource<Pollable>>,)| {
                if all.len() > MAX_POLLED {
                    return Err(Error::msg(format!("more than {MAX_POLLED} pollables at a time")));
                }
                for pollable in all.iter(&mut store)? {
                    ready(&pollable?)?;
                }
                Ok(((0..u32::try_from(all.len())?).collect::<Vec<u32>>(),))
            },
        )?,
        "[method]pollable.ready" => instance
            .func_wrap(name, |_: Context, (this,): (Resource<Pollable>,)| {
                Ok((this.rep() != TIMER,))
            })?,
        "[method]pollable.block" => {
            instance.func_wrap(name, |_: Context, (this,): (Resource<Pollable>,)| ready(&this))?
        }
        _ => return Ok(false),
    }
    Ok(true)
}

fn random(instance: &mut Interface<'_>, name: &str) -> Result<bool> {
    match name {
        "get-random-bytes" | "get-insecure-random-bytes" => {
            instance.func_wrap(name, |store: Context, (length,): (u64,)| {
                let length = usize::try_from(length).ok().filter(|length| *length <= 64 << 10);
                let Some(length) = length else {
                    return Err(Error::msg("more than 64 KiB of random bytes at a time"));
                };
                bounds::pay(&store, length * RANDOM)?;
                let mut bytes = vec![0; length];
                store.data().shared.random(&mut bytes)?;
                Ok((bytes,))
            })?;
        }
        "get-random-u64" | "get-insecure-random-u64" => {
            instance.func_wrap(name, |store: Context, (): ()| Ok((random_u64(&store)?,)))?;
        }
        "insecure-seed" => instance.func_wrap(name, |store: Context, (): ()| {
            Ok(((random_u64(&store)?, random_u64(&store)?),))
        })?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn random_u64(store: &Context) -> Result<u64> {
    let mut bytes = [0; 8];
    store.data().shared.random(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn wall_clock(instance: &mut Interface<'_>, name: &str) -> Result<bool> {
    match name {
        "now" => instance.func_wrap(name, |store: Context, (): ()| {
            let since = store.data().shared.clock.wall().duration_since(UNIX_EPOCH);
            let since = since.unwrap_or_default();
            Ok((Datetime { seconds: since.as_secs(), nanoseconds: since.subsec_nanos() },))
        })?,
        "resolution" => instance
            .func_wrap(name, |_: Context, (): ()| Ok((Datetime { seconds: 0, nanoseconds: 1 },)))?,
        _ => return Ok(false),
    }
    Ok(true)
}

fn monotonic_clock(instance: &mut Interface<'_>, name: &str) -> Result<bool> {
    match name {
        "now" => instance.func_wrap(name, |store: Context, (): ()| {
            let shared = &store.data().shared;
            let since = shared.clock.now().saturating_duration_since(shared.epoch);
            Ok((u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),))
        })?,
        "resolution" => instance.func_wrap(name, |_: Context, (): ()| Ok((1_u64,)))?,
        "subscribe-instant" | "subscribe-duration" => {
            instance.func_wrap(name, |_: Context, (_,): (u64,)| {
                Ok((Resource::<Pollable>::new_own(TIMER),))
            })?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// The process a toolchain thinks it is: without arguments, files or terminal, and with the plugin's
/// limits for an environment.
fn process(instance: &mut Interface<'_>, name: &str) -> Result<bool> {
    match name {
        "get-environment" => {
            instance.func_wrap(name, |store: Context, (): ()| {
                let State { caps, deadline, .. } = store.data();
                Ok((vec![
                    ("WEIR_LIMITS_MEMORY".to_owned(), caps.memory.to_string()),
                    ("WEIR_LIMITS_DEADLINE".to_owned(), deadline.as_millis().to_string()),
                ],))
            })?;
        }
        "get-arguments" => {
            instance.func_wrap(name, |_: Context, (): ()| Ok((Vec::<String>::new(),)))?;
        }
        "initial-cwd" => instance.func_wrap(name, |_: Context, (): ()| Ok((None::<String>,)))?,
        "get-directories" => instance.func_wrap(name, |_: Context, (): ()| {
            Ok((Vec::<(Resource<Descriptor>, String)>::new(),))
        })?,
        "get-terminal-stdin" | "get-terminal-stdout" | "get-terminal-stderr" => {
            instance.func_wrap(name, |_: Context, (): ()| Ok((None::<Resource<Other>>,)))?;
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Whole lines go to the log; what is left waits for its end.
fn write(state: &mut State, stream: u32, bytes: &[u8]) -> Result<()> {
    let level = if stream == STDERR { Level::Warn } else { Level::Info };
    let output = |state: &mut State| match stream {
        STDERR => std::mem::take(&mut state.stderr),
        _ => std::mem::take(&mut state.stdout),
    };
    let Output { mut line, mut held } = output(state);
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
