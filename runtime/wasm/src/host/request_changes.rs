//! `weir:plugin/request-changes`: what a plugin changes of the request's head.
//!
//! In: names and values. Out: the changed head, or why it was left as it was. Never: changes a request
//! that was sent.

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use wasmtime::{Error, Result};
use weir_core::chain::{Exchange, HeadLimits};
use weir_core::error;

use super::at_hand::{Context, at_hand};
use super::fields::{self, LINE, TEXT};
use super::function::{HostFunction, functions};
use crate::contract::HeaderError;
use crate::memory::Span;
use crate::state::{Part, Phase, State};

pub const FUNCTIONS: &[HostFunction] = functions! { "weir:plugin/request-changes":
    "set-method" TEXT => set_method;
    "set-authority" TEXT => set_authority;
    "set-path-with-query" TEXT => set_path_with_query;
    "set-field" LINE => set_field;
    "append-field" LINE => append_field;
    "remove-field" TEXT => remove_field;
    "limit-body" "(u64)" => limit_body;
};

fn set_method(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let limits = state.request()?.head_limits;
    let method = fields::text(memory, state, Span { at, length }, limits, legal_method)?;
    let changed = change(state, |exchange, _| {
        exchange.request.method = method?;
        Ok(())
    })?;
    HeaderError::tell(changed, memory, to)
}

fn set_authority(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let limits = state.request()?.head_limits;
    let value = fields::text(memory, state, Span { at, length }, limits, legal_authority)?;
    let changed = change(state, |exchange, bytes| {
        exchange.request.headers.insert(HOST, value?);
        *bytes = None;
        Ok(())
    })?;
    HeaderError::tell(changed, memory, to)
}

fn set_path_with_query(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let exchange = state.request()?;
    let (limits, method) = (exchange.head_limits, exchange.request.method.clone());
    let legal = |target: &str| legal_target(target, &method);
    let uri = fields::text(memory, state, Span { at, length }, limits, legal)?;
    let changed = change(state, |exchange, _| {
        let uri = uri?;
        let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
        let bytes = length + fields::head_bytes(&exchange.request.headers);
        fields::within(exchange.request_limits(), 0, bytes)?;
        exchange.request.uri = uri;
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
    let limits = state.request()?.head_limits;
    let line = fields::line(memory, state, name, value, limits)?;
    let changed = change(state, |exchange, bytes| {
        let line = line?;
        let (headers, limits) = changeable(exchange, bytes, &line.0);
        write(headers, bytes, limits, line)
    })?;
    HeaderError::tell(changed, memory, to)
}

fn remove_field(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let limits = state.request()?.head_limits;
    let name = fields::text(memory, state, Span { at, length }, limits, fields::legal_name)?;
    let changed = change(state, |exchange, bytes| {
        let name = name?;
        let (headers, _) = changeable(exchange, bytes, &name);
        fields::remove(headers, bytes, &name);
        Ok(())
    })?;
    HeaderError::tell(changed, memory, to)
}

/// The limit holds from the hook's end on: a hook that fails has set none.
fn limit_body(mut caller: Context<'_>, limit: u64) -> Result<()> {
    let state = caller.data_mut();
    state.answer.check_idle()?;
    state.request()?;
    if state.phase != Phase::Request {
        return Err(Error::msg("`limit-body` on a request that was sent already"));
    }
    state.limit_body(limit);
    Ok(())
}

/// Changes the request's head, unless it was sent.
fn change(
    state: &mut State,
    change: impl FnOnce(&mut Exchange, &mut Option<usize>) -> Result<(), HeaderError>,
) -> Result<Result<(), HeaderError>> {
    state.request()?;
    if state.phase != Phase::Request {
        return Ok(Err(HeaderError::Forbidden));
    }
    state.before_change(Part::Request);
    let mut bytes = state.request_bytes;
    let exchange = state.request_mut()?;
    let changed = change(exchange, &mut bytes);
    if let Err(HeaderError::SizeExceeded) = changed {
        // What a plugin adds fits beside any head that came within the limits, unless it is made of
        // what the client sent.
        let HeadLimits { fields, bytes } = exchange.head_limits;
        let why =
            format!("the request's head would have more than {fields} fields or {bytes} bytes");
        exchange.peer_error = Some(error::Error::request(431, why));
    }
    state.request_bytes = bytes;
    Ok(changed)
}

/// The request's own fields, the one of `name` among them where it has it, and their limits.
fn changeable<'a>(
    exchange: &'a mut Exchange,
    bytes: &mut Option<usize>,
    name: &HeaderName,
) -> (&'a mut HeaderMap, HeadLimits) {
    if exchange.added.as_ref().is_some_and(|added| added.get(name.as_str()).is_some()) {
        exchange.settle();
        *bytes = None;
    }
    let limits = exchange.request_limits();
    (&mut exchange.request.headers, limits)
}

/// Any method but CONNECT: what follows its answer would be a tunnel, on a connection that others
/// are to use again (RFC 9110, 9.3.6).
fn legal_method(method: &str) -> Result<Method, HeaderError> {
    match Method::from_bytes(method.as_bytes()) {
        Ok(Method::CONNECT) => Err(HeaderError::Forbidden),
        Ok(method) => Ok(method),
        Err(_) => Err(HeaderError::InvalidSyntax),
    }
}

/// Host and optional port, nothing else (RFC 9110, 7.2).
fn legal_authority(authority: &str) -> Result<HeaderValue, HeaderError> {
    if !weir_bounds::authority::is_legal(authority) {
        return Err(HeaderError::InvalidSyntax);
    }
    HeaderValue::from_str(authority).map_err(|_| HeaderError::InvalidSyntax)
}

/// Origin form, spelled as clients' are by now, or `*` for OPTIONS (RFC 9112, 3.2).
fn legal_target(target: &str, method: &Method) -> Result<Uri, HeaderError> {
    if !weir_bounds::target::is_legal(target, method.as_str()) {
        return Err(HeaderError::InvalidSyntax);
    }
    let target = PathAndQuery::try_from(target).map_err(|_| HeaderError::InvalidSyntax)?;
    Ok(Uri::from(target))
}
