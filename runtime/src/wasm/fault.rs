//! Why a call of a guest did not do its work.
//!
//! In: wasmtime's errors, errors of the guest, replies that are none. Out: a reason, a line for the
//! log, the guest's function. Never: for the client's eyes.

use wasmtime::{Trap, WasmBacktrace};

use super::aside::TooManyLongCalls;

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
/// The most of a guest's own words that is told.
const MAX_DETAIL: usize = 1 << 10;

impl Fault {
    /// The guest returned an error.
    pub fn error(message: &str) -> Fault {
        let mut detail = String::new();
        let end = message.floor_char_boundary(MAX_DETAIL.min(message.len()));
        super::host::escape(&mut detail, &message[..end]);
        Fault { reason: "error", detail, function: None, fatal: false }
    }

    /// The guest returned a reply that cannot be sent.
    pub fn invalid_reply(detail: impl Into<String>) -> Fault {
        Fault { reason: "invalid-reply", detail: detail.into(), function: None, fatal: false }
    }

    /// No instance is to be had.
    pub fn unavailable(detail: impl Into<String>) -> Fault {
        Fault { reason: "unavailable", detail: detail.into(), function: None, fatal: false }
    }

    /// There are as many calls of the plugin as may be.
    pub fn busy(detail: impl Into<String>) -> Fault {
        Fault { reason: "busy", detail: detail.into(), function: None, fatal: false }
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
            (false, true) => "memory",
            (false, false) => "trap",
        };
        let names = error.downcast_ref::<WasmBacktrace>().map(functions).unwrap_or_default();
        let mut detail = match reason {
            "deadline" => "the call took longer than `limits.deadline`".to_owned(),
            "memory" => "the call needed more than `limits.memory`".to_owned(),
            _ => error.root_cause().to_string(),
        };
        if !names.is_empty() {
            detail = format!(
                "{detail}, in {}",
                names.iter().take(FRAMES).map(String::as_str).collect::<Vec<_>>().join(" < ")
            );
        }
        Fault { reason, detail, function: names.into_iter().next(), fatal: true }
    }
}

/// The guest's own functions, innermost first; the machinery of panics is left out.
fn functions(backtrace: &WasmBacktrace) -> Vec<String> {
    let named = backtrace.frames().iter().map(|frame| match frame.func_name() {
        Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
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
