//! Why a call of a guest did not do its work.
//!
//! In: wasmtime's errors, errors of the guest, replies that are none. Out: a reason, a line for the
//! log, the guest's function. Never: for the client's eyes.

use wasmtime::{Trap, WasmBacktrace};

use super::aside::TooManyLongCalls;
use crate::quota::UsedUp;

/// A call that failed.
#[derive(Debug)]
pub struct Fault {
    /// A word of [`Failure::reason`](crate::chain::Failure::reason).
    pub reason: &'static str,
    pub detail: String,
    /// The guest function that was running, where there is one.
    pub function: Option<String>,
    /// The instance can serve no more.
    pub fatal: bool,
}

/// A guest on a fiber used up its ticks.
#[derive(Debug)]
pub struct DeadlineExceeded;

/// Functions of a backtrace that are told in the log.
const FRAMES: usize = 6;
/// The most of a guest's own words that is told, in bytes.
const MAX_DETAIL: usize = 1 << 10;
/// Longest name of a function that is made readable, in bytes.
const MAX_NAME: usize = 1 << 10;

impl Fault {
    /// Every fault is made here: a guest has a hand in most of their texts.
    fn new(reason: &'static str, detail: &str) -> Fault {
        Fault { reason, detail: told(detail), function: None, fatal: false }
    }

    /// The guest returned an error.
    pub fn error(message: &str) -> Fault {
        Fault::new("error", message)
    }

    /// The guest returned a reply that cannot be sent.
    pub fn invalid_reply(detail: &str) -> Fault {
        Fault::new("invalid-reply", detail)
    }

    /// No instance is to be had.
    pub fn unavailable(detail: &str) -> Fault {
        Fault::new("unavailable", detail)
    }

    /// There are as many calls of the plugin as may be.
    pub fn busy(detail: impl AsRef<str>) -> Fault {
        Fault::new("busy", detail.as_ref())
    }

    /// What the guest wants kept is more than its quota has room for.
    pub fn used_up(why: &UsedUp) -> Fault {
        Fault::new("quota", &why.to_string())
    }

    pub fn is_busy(&self) -> bool {
        self.reason == "busy"
    }

    /// The call did not return. `out_of_memory`: the guest was refused memory before that.
    pub fn trap(error: &wasmtime::Error, out_of_memory: bool) -> Fault {
        if error.is::<TooManyLongCalls>() || error.is::<wasmtime::PoolConcurrencyLimitError>() {
            return Fault { fatal: true, ..Fault::busy(error.root_cause().to_string()) };
        }
        let deadline = error.is::<DeadlineExceeded>()
            || error.downcast_ref::<Trap>() == Some(&Trap::Interrupt);
        let reason = match (deadline, out_of_memory) {
            (true, _) => "deadline",
            (false, _) if error.is::<UsedUp>() => "quota",
            (false, true) => "memory",
            (false, false) => "trap",
        };
        let names = error.downcast_ref::<WasmBacktrace>().map(functions).unwrap_or_default();
        let detail = match reason {
            "deadline" => "the call took longer than `limits.deadline`".to_owned(),
            "memory" => "the call needed more than `limits.memory`".to_owned(),
            "trap" if hands_over_too_much(error) => {
                "the guest hands over more at once than `limits.quota` and `limits.memory` let it"
                    .to_owned()
            }
            _ => error.root_cause().to_string(),
        };
        let mut fault = Fault { fatal: true, ..Fault::new(reason, &detail) };
        if !names.is_empty() {
            let names: Vec<&str> = names.iter().take(FRAMES).map(String::as_str).collect();
            fault.detail += &format!(", in {}", names.join(" < "));
        }
        fault.function = names.into_iter().next();
        fault
    }
}

/// What was lifted out of the guest's memory is more than
/// [`hand_over`](super::host::bounds::hand_over) lets it. The error has no public type; a test sees
/// that its text stays.
fn hands_over_too_much(error: &wasmtime::Error) -> bool {
    error.root_cause().to_string().contains("fuel allocated for hostcalls")
}

/// What is told of a text that a guest has a hand in.
fn told(text: &str) -> String {
    let mut told = String::new();
    super::host::escape(&mut told, text, MAX_DETAIL);
    told
}

/// The guest's own functions, innermost first; the machinery of panics is left out.
fn functions(backtrace: &WasmBacktrace) -> Vec<String> {
    let named = backtrace.frames().iter().map(|frame| match frame.func_name() {
        Some(name) if name.len() > MAX_NAME => told(name),
        Some(name) => told(&format!("{:#}", rustc_demangle::demangle(name))),
        None => format!("function {}", frame.func_index()),
    });
    let all: Vec<String> = named.collect();
    let own: Vec<String> = all.iter().filter(|name| !is_machinery(name)).cloned().collect();
    if own.is_empty() { all } else { own }
}

fn is_machinery(name: &str) -> bool {
    ["std::", "core::", "alloc::", "rust_", "__rust", "_rust", "abort", "__", "dlmalloc"]
        .iter()
        .any(|prefix| name.trim_start_matches('<').starts_with(prefix))
}

impl std::fmt::Display for DeadlineExceeded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the deadline passed")
    }
}

impl std::error::Error for DeadlineExceeded {}
