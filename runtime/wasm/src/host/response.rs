//! `weir:plugin/response`: what a plugin reads of the response's head.
//!
//! In: names. Out: parts of the head. Never: changes anything.

use wasmtime::Result;

use super::at_hand::{Context, at_hand};
use super::fields;
use super::function::{HostFunction, functions};
use crate::answer::{Data, Wanted};
use crate::memory::{self, Span};

pub const FUNCTIONS: &[HostFunction] = functions! { "weir:plugin/response":
    "status" "() -> u16" => status;
    "field" "(string) -> option<list<u8>>" => field;
    "field-line" "(string) -> option<list<u8>>" => field_line;
    "field-lines" "(string) -> list<list<u8>>" => field_lines;
    "fields" "() -> list<tuple<string, list<u8>>>" => fields;
};

fn status(mut caller: Context<'_>) -> Result<u32> {
    let state = caller.data_mut();
    state.answer.check_idle()?;
    Ok(state.response()?.status.as_u16().into())
}

fn field(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let name = memory::text(memory, state, Span { at, length })?;
    let value = fields::joined(&name, state.response()?.headers.get_all(&*name).iter());
    state.answer.maybe_bytes(memory, to, value)
}

fn field_line(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let name = memory::text(memory, state, Span { at, length })?;
    let value = state.response()?.headers.get(&*name).cloned().map(Data::Field);
    state.answer.maybe_bytes(memory, to, value)
}

fn field_lines(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let name = memory::text(memory, state, Span { at, length })?;
    let lines = fields::lines(state.response()?.headers.get_all(&*name).iter());
    state.answer.list(memory, to, lines, &[false], state.encoding)
}

fn fields(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let all = fields::all(state.response()?.headers.iter());
    state.answer.list(memory, to, all, &[true, false], state.encoding)
}
