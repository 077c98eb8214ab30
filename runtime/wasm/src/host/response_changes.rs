//! `weir:plugin/response-changes`: what a plugin changes of the response's head.
//!
//! In: names and values. Out: the changed head, or why it was left as it was. Never: lets a plugin touch
//! framing or connection fields.

use http::StatusCode;
use http::response::Parts;
use wasmtime::Result;
use weir_core::chain::HeadLimits;

use super::at_hand::{Context, at_hand};
use super::fields::{self, LINE, TEXT};
use super::function::{HostFunction, functions};
use crate::contract::HeaderError;
use crate::memory::Span;
use crate::state::{Part, State};

pub const FUNCTIONS: &[HostFunction] = functions! { "weir:plugin/response-changes":
    "set-status" "(u16) -> result<_, variant { invalid-syntax, forbidden, size-exceeded }>" => set_status;
    "set-field" LINE => set_field;
    "append-field" LINE => append_field;
    "remove-field" TEXT => remove_field;
};

fn set_status(mut caller: Context<'_>, status: u32, to: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let changed = change(state, |head, _, _| {
        // What is beyond the type is cut off (canonical ABI: `lift_flat_unsigned`).
        head.status = legal_status(status as u16).ok_or(HeaderError::InvalidSyntax)?;
        Ok(())
    })?;
    HeaderError::tell(changed, memory, to)
}

fn set_field(caller: Context<'_>, name: u32, of: u32, at: u32, length: u32, to: u32) -> Result<()> {
    let line = (Span { at: name, length: of }, Span { at, length });
    write_line(caller, line, to, fields::set)
}

fn append_field(
    caller: Context<'_>,
    name: u32,
    of: u32,
    at: u32,
    length: u32,
    to: u32,
) -> Result<()> {
    let line = (Span { at: name, length: of }, Span { at, length });
    write_line(caller, line, to, fields::append)
}

/// Has a line of the guest set or added.
fn write_line(
    mut caller: Context<'_>,
    (name, value): (Span, Span),
    to: u32,
    write: fields::Write,
) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let limits = state.response_limits()?;
    let line = fields::line(memory, state, name, value, limits)?;
    let changed =
        change(state, |head, bytes, limits| write(&mut head.headers, bytes, limits, line?))?;
    HeaderError::tell(changed, memory, to)
}

fn remove_field(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let limits = state.response_limits()?;
    let name = fields::text(memory, state, Span { at, length }, limits, fields::legal_name)?;
    let changed = change(state, |head, bytes, _| {
        fields::remove(&mut head.headers, bytes, &name?);
        Ok(())
    })?;
    HeaderError::tell(changed, memory, to)
}

/// Changes the response's head, unless it was sent.
fn change(
    state: &mut State,
    change: impl FnOnce(&mut Parts, &mut Option<usize>, HeadLimits) -> Result<(), HeaderError>,
) -> Result<Result<(), HeaderError>> {
    state.response()?;
    if !state.phase.may_change_response() {
        return Ok(Err(HeaderError::Forbidden));
    }
    state.before_change(Part::Response);
    let mut bytes = state.response_bytes;
    let (head, limits) = state.response_mut()?;
    let changed = change(head, &mut bytes, limits);
    state.response_bytes = bytes;
    Ok(changed)
}

/// A final status code (RFC 9110, 15): 1xx are the proxy's, and there is nothing above 599.
pub fn legal_status(status: u16) -> Option<StatusCode> {
    weir_bounds::reply::is_status(status).then(|| StatusCode::from_u16(status).ok()).flatten()
}
