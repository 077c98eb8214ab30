//! `weir:plugin/log`, and the standard streams of toolchains that know nothing else.
//!
//! In: a message and fields. Out: one `tracing` event of target `weir::plugin` with the plugin, the
//! route and the request's identifier. Never: passes on a control character, or more than
//! [`MAX_BYTES`] of a message with its fields.

use std::fmt::Write;

use wasmtime::Result;
use wasmtime::component::{WasmList, WasmStr};

use super::{Context, Interface};
use crate::wasm::bindings::Level;
use crate::wasm::state::State;

/// Of message and fields together; the rest is cut.
pub const MAX_BYTES: usize = 64 << 10;

pub(super) fn link(log: &mut Interface<'_>) -> Result<()> {
    log.func_wrap(
        "log",
        |mut store: Context, args: (Level, WasmStr, WasmList<(WasmStr, WasmStr)>)| {
            let (level, message, fields) = args;
            if !is_enabled(level) {
                return Ok(());
            }
            let mut text = String::new();
            escape(&mut text, &message.to_str(&store)?);
            let mut tail = String::new();
            for at in 0..fields.len() {
                let Some(field) = fields.get(&mut store, at) else {
                    break;
                };
                let (name, value) = field?;
                if text.len() + tail.len() >= MAX_BYTES {
                    break;
                }
                tail.push_str(if tail.is_empty() { "" } else { " " });
                escape(&mut tail, &name.to_str(&store)?);
                tail.push('=');
                escape(&mut tail, &value.to_str(&store)?);
            }
            let room = MAX_BYTES - text.len();
            tail.truncate(tail.floor_char_boundary(room));
            write(store.data(), level, &text, &tail);
            Ok(())
        },
    )
}

/// Writes one line, tagged with where it comes from.
pub fn write(state: &State, level: Level, message: &str, fields: &str) {
    let plugin = &*state.shared.name;
    let route = state.exchange().map_or("", |exchange| &exchange.route);
    let request = state.exchange().map(|exchange| exchange.request_id()).unwrap_or_default();
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
}

/// Appends `text` up to [`MAX_BYTES`] with its control characters escaped.
pub fn escape(to: &mut String, text: &str) {
    for character in text.chars() {
        if to.len() + 8 > MAX_BYTES {
            return;
        }
        if character.is_control() {
            // Writing to a String cannot fail.
            let _ = write!(to, "{}", character.escape_default());
        } else {
            to.push(character);
        }
    }
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
