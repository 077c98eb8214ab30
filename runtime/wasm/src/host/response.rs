//! `weir:plugin/response`: what a plugin reads of the response's head.
//!
//! In: names. Out: parts of the head. Never: changes anything.

use wasmtime::Result;
use wasmtime::component::WasmStr;

use super::{Context, Interface, bounds, fields};

pub(super) fn link(response: &mut Interface<'_>) -> Result<()> {
    response.func_wrap("status", |store: Context, (): ()| {
        Ok((store.data().response()?.status.as_u16(),))
    })?;
    response.func_wrap("field", |store: Context, (name,): (WasmStr,)| {
        let headers = &store.data().response()?.headers;
        let name = bounds::text(&store, &name)?;
        Ok((fields::joined(&name, headers.get_all(&*name).iter()),))
    })?;
    response.func_wrap("field-line", |store: Context, (name,): (WasmStr,)| {
        let headers = &store.data().response()?.headers;
        let name = bounds::text(&store, &name)?;
        Ok((headers.get(&*name).map(|value| value.as_bytes().to_vec()),))
    })?;
    response.func_wrap("field-lines", |store: Context, (name,): (WasmStr,)| {
        let headers = &store.data().response()?.headers;
        Ok((fields::lines(headers.get_all(&*bounds::text(&store, &name)?).iter()),))
    })?;
    response.func_wrap("fields", |store: Context, (): ()| {
        Ok((fields::all(store.data().response()?.headers.iter()),))
    })
}
