//! `weir:plugin/response-changes`: what a plugin changes of the response's head.
//!
//! In: names and values. Out: the changed head, or why it was left as it was. Never: lets a plugin touch
//! framing or connection fields.

use http::StatusCode;
use wasmtime::Result;
use wasmtime::component::{WasmList, WasmStr};
use weir_core::chain::HeadLimits;

use super::{Context, Interface, fields};
use crate::bindings::HeaderError;
use crate::state::Part;

type Change = Result<(Result<(), HeaderError>,)>;

pub(super) fn link(changes: &mut Interface<'_>) -> Result<()> {
    type Line = (WasmStr, WasmList<u8>);
    changes.func_wrap("set-status", |mut store: Context, (status,): (u16,)| {
        change(&mut store, |head, _, _| {
            head.status = legal_status(status).ok_or(HeaderError::InvalidSyntax)?;
            Ok(())
        })
    })?;
    changes.func_wrap("set-field", |mut store: Context, (name, value): Line| {
        let limits = store.data().response_limits()?;
        let line = fields::line(&store, &name, &value, limits)?;
        change(&mut store, |head, bytes, limits| {
            fields::set(&mut head.headers, bytes, limits, line?)
        })
    })?;
    changes.func_wrap("append-field", |mut store: Context, (name, value): Line| {
        let limits = store.data().response_limits()?;
        let line = fields::line(&store, &name, &value, limits)?;
        change(&mut store, |head, bytes, limits| {
            fields::append(&mut head.headers, bytes, limits, line?)
        })
    })?;
    changes.func_wrap("remove-field", |mut store: Context, (name,): (WasmStr,)| {
        let limits = store.data().response_limits()?;
        let name = fields::text(&store, &name, limits, fields::legal_name)?;
        change(&mut store, |head, bytes, _| {
            fields::remove(&mut head.headers, bytes, &name?);
            Ok(())
        })
    })
}

/// Changes the response's head.
fn change(
    store: &mut Context,
    change: impl FnOnce(
        &mut http::response::Parts,
        &mut Option<usize>,
        HeadLimits,
    ) -> Result<(), HeaderError>,
) -> Change {
    let state = store.data_mut();
    state.response()?;
    if !state.phase.may_change_response() {
        return Ok((Err(HeaderError::Forbidden),));
    }
    state.before_change(Part::Response);
    let mut bytes = state.response_bytes;
    let (head, limits) = state.response_mut()?;
    let changed = change(head, &mut bytes, limits);
    state.response_bytes = bytes;
    Ok((changed,))
}

/// A final status code (RFC 9110, 15): 1xx are the proxy's, and there is nothing above 599.
pub fn legal_status(status: u16) -> Option<StatusCode> {
    weir_bounds::reply::is_status(status).then(|| StatusCode::from_u16(status).ok()).flatten()
}
