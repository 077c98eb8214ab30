//! `weir:plugin/log`, and the standard streams of toolchains that know nothing else.
//!
//! In: a message and fields. Out: one `tracing` event of target `weir::plugin` with the plugin, the
//! route and the request's identifier. Never: passes on a character that acts, more than [`MAX_BYTES`]
//! of a message with its fields, or more than [`MAX_LINES`] of one call.

use std::error::Error;

use wasmtime::Result;
pub use weir_bounds::log::MAX_BYTES;
use weir_bounds::log::{MAX_FIELDS, MAX_LINES};
use weir_core::telemetry::acting::escape;
use weir_core::telemetry::log::Fields;

use super::at_hand::{Context, at_hand};
use super::bounds;
use super::function::{HostFunction, functions};
use crate::contract::Level;
use crate::memory::{self, Records, Span};
use crate::state::State;

pub const FUNCTIONS: &[HostFunction] = functions! { "weir:plugin/log":
    "log" "(enum { trace, debug, info, warn, error }, string, list<tuple<string, string>>)" => log;
};

fn log(
    mut caller: Context<'_>,
    level: u32,
    at: u32,
    length: u32,
    fields: u32,
    count: u32,
) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let level = Level::of(level)?;
    let pairs = Records::of_pairs(memory, state, Span { at: fields, length: count })?;
    let mut room = MAX_BYTES;
    let mut escaped = |span: Span| -> Result<String> {
        let mut to = String::new();
        escape(&mut to, &memory::text(memory, state, span)?, room);
        room -= to.len();
        Ok(to)
    };
    let message = escaped(Span { at, length })?;
    let pairs = pairs.pairs(memory).take(MAX_FIELDS).map(|pair| {
        let (name, value) = pair?;
        Ok((escaped(name)?, escaped(value)?))
    });
    let fields = Fields(pairs.collect::<Result<_>>()?);
    write(state, level, &message, &fields)
}

/// Writes one line, tagged with where it comes from, for its price.
pub fn write(state: &State, level: Level, message: &str, fields: &Fields) -> Result<()> {
    // First of all: what a call costs is the same whatever is told, or a level that an operator turns
    // would bring requests to their deadline.
    state.budget.pay(bounds::LINE)?;
    // What has no such function to call has the standard streams.
    if !state.shared.may_log || !is_enabled(level) {
        return Ok(());
    }
    let lines = state.lines.get();
    state.lines.set(lines.saturating_add(1));
    let plugin = &*state.shared.name;
    if lines >= MAX_LINES {
        state.shared.metrics.line_dropped();
        if lines == MAX_LINES {
            tracing::warn!(
                plugin,
                "more than {MAX_LINES} log lines of one call: the rest is dropped"
            );
        }
        return Ok(());
    }
    let route = state.exchange().map_or("", |exchange| &exchange.route);
    let request = state.exchange().map(|exchange| exchange.request_id()).unwrap_or_default();
    let fields: &(dyn Error + 'static) = fields;
    macro_rules! event {
        ($level:ident) => {
            tracing::event!(
                target: "weir::plugin",
                tracing::Level::$level,
                plugin, route, request, fields, "{message}"
            )
        };
    }
    match level {
        Level::Trace => event!(TRACE),
        Level::Debug => event!(DEBUG),
        Level::Info => event!(INFO),
        Level::Warn => event!(WARN),
        Level::Error => event!(ERROR),
    }
    Ok(())
}

fn is_enabled(level: Level) -> bool {
    match level {
        Level::Trace => tracing::enabled!(target: "weir::plugin", tracing::Level::TRACE),
        Level::Debug => tracing::enabled!(target: "weir::plugin", tracing::Level::DEBUG),
        Level::Info => tracing::enabled!(target: "weir::plugin", tracing::Level::INFO),
        Level::Warn => tracing::enabled!(target: "weir::plugin", tracing::Level::WARN),
        Level::Error => tracing::enabled!(target: "weir::plugin", tracing::Level::ERROR),
    }
}
