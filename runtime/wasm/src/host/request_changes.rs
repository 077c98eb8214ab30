//! `weir:plugin/request-changes`: what a plugin changes of the request's head.
//!
//! In: names and values. Out: the changed head, or why it was left as it was. Never: changes a request
//! that was sent.

use http::header::HOST;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use wasmtime::Result;
use wasmtime::component::{WasmList, WasmStr};
use weir_core::chain::{Exchange, HeadLimits};
use weir_core::error::Error;

use super::{Context, Interface, fields};
use crate::bindings::HeaderError;
use crate::state::{Part, Phase};

type Change = Result<(Result<(), HeaderError>,)>;

pub(super) fn link(changes: &mut Interface<'_>) -> Result<()> {
    line(changes)?;
    head(changes)?;
    changes.func_wrap("limit-body", limit_body)
}

/// Request line: method, target, authority.
fn line(changes: &mut Interface<'_>) -> Result<()> {
    changes.func_wrap("set-method", |mut store: Context, (method,): (WasmStr,)| {
        let limits = store.data().request()?.head_limits;
        let method = fields::text(&store, &method, limits, legal_method)?;
        change(&mut store, |exchange, _| {
            exchange.request.method = method?;
            Ok(())
        })
    })?;
    changes.func_wrap("set-authority", |mut store: Context, (authority,): (WasmStr,)| {
        let limits = store.data().request()?.head_limits;
        let value = fields::text(&store, &authority, limits, legal_authority)?;
        change(&mut store, |exchange, bytes| {
            exchange.request.headers.insert(HOST, value?);
            *bytes = None;
            Ok(())
        })
    })?;
    changes.func_wrap("set-path-with-query", |mut store: Context, (target,): (WasmStr,)| {
        let exchange = store.data().request()?;
        let (limits, method) = (exchange.head_limits, exchange.request.method.clone());
        let legal = |target: &str| legal_target(target, &method);
        let uri = fields::text(&store, &target, limits, legal)?;
        change(&mut store, |exchange, _| {
            let uri = uri?;
            let length = uri.path_and_query().map_or(0, |target| target.as_str().len());
            let bytes = length + fields::head_bytes(&exchange.request.headers);
            fields::within(exchange.request_limits(), 0, bytes)?;
            exchange.request.uri = uri;
            Ok(())
        })
    })
}

/// Fields.
fn head(changes: &mut Interface<'_>) -> Result<()> {
    type Line = (WasmStr, WasmList<u8>);
    changes.func_wrap("set-field", |mut store: Context, (name, value): Line| {
        let limits = store.data().request()?.head_limits;
        let line = fields::line(&store, &name, &value, limits)?;
        change(&mut store, |exchange, bytes| {
            let line = line?;
            let (headers, limits) = changeable(exchange, bytes, &line.0);
            fields::set(headers, bytes, limits, line)
        })
    })?;
    changes.func_wrap("append-field", |mut store: Context, (name, value): Line| {
        let limits = store.data().request()?.head_limits;
        let line = fields::line(&store, &name, &value, limits)?;
        change(&mut store, |exchange, bytes| {
            let line = line?;
            let (headers, limits) = changeable(exchange, bytes, &line.0);
            fields::append(headers, bytes, limits, line)
        })
    })?;
    changes.func_wrap("remove-field", |mut store: Context, (name,): (WasmStr,)| {
        let limits = store.data().request()?.head_limits;
        let name = fields::text(&store, &name, limits, fields::legal_name)?;
        change(&mut store, |exchange, bytes| {
            let name = name?;
            let (headers, _) = changeable(exchange, bytes, &name);
            fields::remove(headers, bytes, &name);
            Ok(())
        })
    })
}

/// The limit holds from the hook's end on: a hook that fails has set none.
fn limit_body(mut store: Context, (limit,): (u64,)) -> Result<()> {
    let state = store.data_mut();
    state.request()?;
    if state.phase != Phase::Request {
        return Err(wasmtime::Error::msg("`limit-body` on a request that was sent already"));
    }
    state.limit_body(limit);
    Ok(())
}

/// Changes the request's head, unless it was sent.
fn change(
    store: &mut Context,
    change: impl FnOnce(&mut Exchange, &mut Option<usize>) -> Result<(), HeaderError>,
) -> Change {
    let state = store.data_mut();
    state.request()?;
    if state.phase != Phase::Request {
        return Ok((Err(HeaderError::Forbidden),));
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
        exchange.peer_error = Some(Error::request(431, why));
    }
    state.request_bytes = bytes;
    Ok((changed,))
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
