//! `weir:plugin/response-changes`: what a plugin changes of the response's head.
//!
//! In: names and values. Out: the changed head, or why it was left as it was. Never: lets a plugin touch
//! framing or connection fields.

use http::StatusCode;
use http::response::Parts;
use wasmtime::Result;
use weir_core::chain::HeadLimits;

use super::at_hand::{Context, at_hand};
use super::fields;
use super::function::{HostFunction, functions};
use crate::contract::HeaderError;
use crate::memory::Span;
use crate::state::{Part, State};

pub const FUNCTIONS: &[HostFunction] = functions! { "weir:plugin/response-changes":
    "set-status" "(u16) -> result<_, variant { invalid-syntax, forbidden, size-exceeded }>" => set_status;
    "set-field" "(string, list<u8>) -> result<_, variant { invalid-syntax, forbidden, size-exceeded }>" => set_field;
    "append-field" "(string, list<u8>) -> result<_, variant { invalid-syntax, forbidden, size-exceeded }>" => append_field;
    "remove-field" "(string) -> result<_, variant { invalid-syntax, forbidden, size-exceeded }>" => remove_field;
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

fn set_field(
    mut caller: Context<'_>,
    name: u32,
    name_length: u32,
    at: u32,
    length: u32,
    to: u32,
) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let limits = state.response_limits()?;
    let name = Span { at: name, length: name_length };
    let line = fields::line(memory, state, name, Span { at, length }, limits)?;
    let changed =
        change(state, |head, bytes, limits| fields::set(&mut head.headers, bytes, limits, line?))?;
    HeaderError::tell(changed, memory, to)
}

fn append_field(
    mut caller: Context<'_>,
    name: u32,
    name_length: u32,
    at: u32,
    length: u32,
    to: u32,
) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let limits = state.response_limits()?;
    let name = Span { at: name, length: name_length };
    let line = fields::line(memory, state, name, Span { at, length }, limits)?;
    let changed = change(state, |head, bytes, limits| {
        fields::append(&mut head.headers, bytes, limits, line?)
    })?;
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
