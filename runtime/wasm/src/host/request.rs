//! `weir:plugin/request`: what a plugin reads of the request under way.
//!
//! In: names. Out: parts of the head, and what is known of the exchange. Never: changes anything.

use http::header::HOST;
use http::uri::PathAndQuery;
use wasmtime::Result;

use super::at_hand::{Context, at_hand};
use super::fields;
use super::function::{HostFunction, functions};
use crate::answer::{Data, Wanted};
use crate::memory::{self, Span};

pub const FUNCTIONS: &[HostFunction] = functions! { "weir:plugin/request":
    "method" "() -> string" => method;
    "scheme" "() -> string" => scheme;
    "authority" "() -> string" => authority;
    "path-with-query" "() -> string" => path_with_query;
    "field" "(string) -> option<list<u8>>" => field;
    "field-line" "(string) -> option<list<u8>>" => field_line;
    "field-lines" "(string) -> list<list<u8>>" => field_lines;
    "fields" "() -> list<tuple<string, list<u8>>>" => fields;
    "route" "() -> string" => route;
    "attribute" "(string) -> option<string>" => attribute;
};

fn method(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let method = Data::Method(state.request()?.request.method.clone());
    state.answer.text(memory, to, method, state.encoding)
}

fn scheme(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let scheme = Data::Static(if state.request()?.client.https { "https" } else { "http" });
    state.answer.text(memory, to, scheme, state.encoding)
}

fn authority(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let authority = match state.request()?.request.headers.get(HOST) {
        None => Data::Static(""),
        Some(host) if host.to_str().is_ok() => Data::Field(host.clone()),
        Some(host) => String::from_utf8_lossy(host.as_bytes()).into_owned().into(),
    };
    state.answer.text(memory, to, authority, state.encoding)
}

fn path_with_query(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let target = state.request()?.request.uri.path_and_query().cloned();
    let target = Data::Target(target.unwrap_or_else(|| PathAndQuery::from_static("/")));
    state.answer.text(memory, to, target, state.encoding)
}

fn field(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let name = memory::text(memory, state, Span { at, length })?;
    let value = fields::joined(&name, state.request()?.request_values(&name));
    state.answer.maybe_bytes(memory, to, value)
}

fn field_line(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let name = memory::text(memory, state, Span { at, length })?;
    let value = state.request()?.request_value(&name).cloned().map(Data::Field);
    state.answer.maybe_bytes(memory, to, value)
}

fn field_lines(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let name = memory::text(memory, state, Span { at, length })?;
    let lines = fields::lines(state.request()?.request_values(&name));
    state.answer.list(memory, to, lines, &[false], state.encoding)
}

fn fields(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let all = fields::all(state.request()?.request_fields());
    state.answer.list(memory, to, all, &[true, false], state.encoding)
}

fn route(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let route = Data::Name(state.request()?.route.clone());
    state.answer.text(memory, to, route, state.encoding)
}

fn attribute(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let key = memory::text(memory, state, Span { at, length })?;
    let exchange = state.request()?;
    let value = match exchange.attributes.get(&key) {
        None if key == "request.id" => Some(exchange.id.to_string().into()),
        value => value.map(|value| value.to_owned().into()),
    };
    state.answer.maybe_text(memory, to, value, state.encoding)
}
