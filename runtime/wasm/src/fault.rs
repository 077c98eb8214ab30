//! Why a call of a guest did not do its work.
//!
//! In: wasmtime's errors, errors of the guest, replies that are none. Out: a reason, a line for the
//! log, the guest's function. Never: for the client's eyes.

use std::fmt::{self, Write as _};

use wasmtime::{Trap, WasmBacktrace};
use weir_core::quota::UsedUp;
use weir_core::telemetry::acting::escape;

/// A call that failed.
#[derive(Debug)]
pub struct Fault {
    /// A word of [`Failure::reason`](weir_core::chain::Failure::reason).
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

/// The call needs more than a slice, and so do as many others as may.
#[derive(Debug)]
pub struct TooManyLongCalls;

/// What was lifted out of the guest's memory at once is more than could be kept.
#[derive(Debug)]
pub struct HandsOverTooMuch;

/// The time of the exchange that the call is made for is over.
#[derive(Debug)]
pub struct TooLate;

/// Functions of a backtrace that are told in the log: those that no more are looked at for.
const FRAMES: usize = 6;
/// The most of a guest's own words that is told, in bytes.
const MAX_DETAIL: usize = 1 << 10;
/// The most of a function's name that is told, in bytes, and the longest that is made readable. A
/// name of a few bytes can stand for a megabyte of readable ones: it says "as before" again and again.
const MAX_NAME: usize = 256;

/// A text that takes no more than [`MAX_NAME`] bytes, and then ends who writes it.
struct Short(String);

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

    /// The exchange's time is over, whatever the plugin did with it.
    pub fn too_late() -> Fault {
        Fault::new("timeout", &TooLate.to_string())
    }

    pub fn is_too_late(&self) -> bool {
        self.reason == "timeout"
    }

    pub fn is_busy(&self) -> bool {
        self.reason == "busy"
    }

    /// What it made took its time, beside the call itself.
    pub fn late(why: DeadlineExceeded) -> Fault {
        Fault::trap(&why.into(), false)
    }

    /// The call did not return. `out_of_memory`: the guest was refused memory before that.
    pub fn trap(error: &wasmtime::Error, out_of_memory: bool) -> Fault {
        if error.is::<TooManyLongCalls>() || error.is::<wasmtime::PoolConcurrencyLimitError>() {
            return Fault { fatal: true, ..Fault::busy(error.root_cause().to_string()) };
        }
        if error.is::<TooLate>() {
            return Fault { fatal: true, ..Fault::too_late() };
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
            "trap" if error.is::<HandsOverTooMuch>() => {
                "the guest hands over more at once than `limits.quota` and `limits.memory` let it"
                    .to_owned()
            }
            _ => error.root_cause().to_string(),
        };
        let mut fault = Fault { fatal: true, ..Fault::new(reason, &detail) };
        if !names.is_empty() {
            fault.detail += &format!(", in {}", names.join(" < "));
        }
        fault.function = names.into_iter().next();
        fault
    }
}

/// What is told of a text that a guest has a hand in.
fn told(text: &str) -> String {
    let mut told = String::new();
    escape(&mut told, text, MAX_DETAIL);
    told
}

/// The guest's own functions, innermost first and few; the machinery of panics is left out, unless
/// there is nothing else.
fn functions(backtrace: &WasmBacktrace) -> Vec<String> {
    let (mut own, mut machinery) = (Vec::new(), Vec::new());
    for frame in backtrace.frames() {
        let name = match frame.func_name() {
            Some(name) => readable(name),
            None => format!("function {}", frame.func_index()),
        };
        let of = if is_machinery(&name) { &mut machinery } else { &mut own };
        if of.len() < FRAMES {
            of.push(name);
        }
        if own.len() == FRAMES {
            break;
        }
    }
    if own.is_empty() { machinery } else { own }
}

/// A name as its author wrote it, or the beginning of it.
fn readable(name: &str) -> String {
    let mut text = Short(String::new());
    let written = if name.len() > MAX_NAME {
        text.write_str(name)
    } else {
        write!(text, "{:#}", rustc_demangle::demangle(name))
    };
    // What is cut has been told.
    let _ = written;
    let mut told = String::new();
    escape(&mut told, &text.0, MAX_NAME);
    told
}

impl fmt::Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = MAX_NAME - self.0.len();
        self.0.push_str(text.get(..text.floor_char_boundary(room)).unwrap_or_default());
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

fn is_machinery(name: &str) -> bool {
    ["std::", "core::", "alloc::", "rust_", "__rust", "_rust", "abort", "__", "dlmalloc"]
        .iter()
        .any(|prefix| name.trim_start_matches('<').starts_with(prefix))
}

impl fmt::Display for DeadlineExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline passed")
    }
}

impl std::error::Error for DeadlineExceeded {}

impl fmt::Display for TooManyLongCalls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("as many calls as may take long are under way already")
    }
}

impl std::error::Error for TooManyLongCalls {}

impl fmt::Display for HandsOverTooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more is handed over at once than could be kept")
    }
}

impl std::error::Error for HandsOverTooMuch {}

impl fmt::Display for TooLate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call was not over within the route's timeout")
    }
}

impl std::error::Error for TooLate {}

#[cfg(test)]
mod tests {
    use super::{MAX_NAME, readable};

    #[test]
    fn a_short_name_makes_no_long_one() {
        // Of rustc-demangle's own tests: 13 bytes that say a megabyte.
        let bomb = format!("_RMC0{}_{}", "FGZZZ", "Eu");
        for name in [&*bomb, &format!("_R{}", "MC0".repeat(80)), &"a".repeat(1 << 20)] {
            assert!(readable(name).len() <= MAX_NAME, "{} bytes", readable(name).len());
        }
        assert_eq!(readable("_ZN5guest4busy17h0123456789abcdefE"), "guest::busy");
        assert_eq!(readable("a\u{1b}b"), "a\\u{1b}b");
    }
}
