//! `weir:plugin/http`, resource `response`.
//!
//! In: calls on the handle of the response under way. Out: facts of its head, or changes to its
//! head and body. Never: lets a plugin touch framing or connection fields.

use http::StatusCode;
use wasmtime::Result;
use wasmtime::component::{Resource, ResourceType, WasmList, WasmStr};
use weir_core::chain::HeadLimits;
use weir_core::http::Body;

use super::{Context, Interface, body, bounds, fields};
use crate::bindings::{HeaderError, ResponseHandle};
use crate::state::Part;

type Response = Resource<ResponseHandle>;
type Change = Result<(Result<(), HeaderError>,)>;

pub(super) fn link(http: &mut Interface<'_>) -> Result<()> {
    http.resource("response", ResourceType::host::<ResponseHandle>(), |_, _| Ok(()))?;
    read(http)?;
    write(http)?;
    http.func_wrap_async("[method]response.read-body", |store, (this, limit): (Response, u64)| {
        Box::new(body::read_response(store, this, limit))
    })?;
    http.func_wrap("[method]response.set-body", set_body)
}

fn read(http: &mut Interface<'_>) -> Result<()> {
    http.func_wrap("[method]response.status", |store: Context, (this,): (Response,)| {
        Ok((store.data().response(&this)?.status.as_u16(),))
    })?;
    http.func_wrap(
        "[method]response.header",
        |store: Context, (this, name): (Response, WasmStr)| {
            let headers = &store.data().response(&this)?.headers;
            let name = bounds::text(&store, &name)?;
            Ok((headers.get(&*name).map(|value| value.as_bytes().to_vec()),))
        },
    )?;
    http.func_wrap(
        "[method]response.header-values",
        |store: Context, (this, name): (Response, WasmStr)| {
            let headers = &store.data().response(&this)?.headers;
            Ok((fields::values(headers.get_all(&*bounds::text(&store, &name)?).iter()),))
        },
    )?;
    http.func_wrap("[method]response.headers", |store: Context, (this,): (Response,)| {
        Ok((fields::all(store.data().response(&this)?.headers.iter()),))
    })
}

fn write(http: &mut Interface<'_>) -> Result<()> {
    http.func_wrap(
        "[method]response.set-status",
        |mut store: Context, (this, status): (Response, u16)| {
            change(&mut store, &this, |head, _, _| {
                head.status = legal_status(status).ok_or(HeaderError::InvalidSyntax)?;
                Ok(())
            })
        },
    )?;
    http.func_wrap(
        "[method]response.set-header",
        |mut store: Context, (this, name, value): (Response, WasmStr, WasmList<u8>)| {
            let limits = store.data().response_limits(&this)?;
            let line = fields::line(&store, &name, &value, limits)?;
            change(&mut store, &this, |head, bytes, limits| {
                fields::set(&mut head.headers, bytes, limits, line?)
            })
        },
    )?;
    http.func_wrap(
        "[method]response.append-header",
        |mut store: Context, (this, name, value): (Response, WasmStr, WasmList<u8>)| {
            let limits = store.data().response_limits(&this)?;
            let line = fields::line(&store, &name, &value, limits)?;
            change(&mut store, &this, |head, bytes, limits| {
                fields::append(&mut head.headers, bytes, limits, line?)
            })
        },
    )?;
    http.func_wrap(
        "[method]response.remove-header",
        |mut store: Context, (this, name): (Response, WasmStr)| {
            let limits = store.data().response_limits(&this)?;
            let name = fields::text(&store, &name, limits, fields::legal_name)?;
            change(&mut store, &this, |head, bytes, _| {
                fields::remove(&mut head.headers, bytes, &name?);
                Ok(())
            })
        },
    )
}

fn set_body(mut store: Context, (this, bytes): (Response, WasmList<u8>)) -> Result<()> {
    let state = store.data();
    state.response(&this)?;
    if !state.phase.may_change_response() {
        return Err(wasmtime::Error::msg("`set-body` on a response that was sent already"));
    }
    let bytes = body::kept(&store, &bytes)?;
    let state = store.data_mut();
    state.before_change(Part::Response);
    let length = bytes.len();
    state.replace_body(Part::Response, Body::full(bytes));
    fields::set_content_length(&mut state.response_mut(&this)?.0.headers, length);
    Ok(())
}

/// Changes the response's head.
fn change(
    store: &mut Context,
    this: &Response,
    change: impl FnOnce(
        &mut http::response::Parts,
        &mut Option<usize>,
        HeadLimits,
    ) -> Result<(), HeaderError>,
) -> Change {
    let state = store.data_mut();
    state.response(this)?;
    if !state.phase.may_change_response() {
        return Ok((Err(HeaderError::Forbidden),));
    }
    state.before_change(Part::Response);
    let mut bytes = state.response_bytes;
    let (head, limits) = state.response_mut(this)?;
    let changed = change(head, &mut bytes, limits);
    state.response_bytes = bytes;
    Ok((changed,))
}

/// A final status code (RFC 9110, 15): 1xx are the proxy's, and there is nothing above 599.
pub fn legal_status(status: u16) -> Option<StatusCode> {
    weir_bounds::reply::is_status(status).then(|| StatusCode::from_u16(status).ok()).flatten()
}
