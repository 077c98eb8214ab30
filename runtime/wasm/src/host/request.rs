//! `weir:plugin/request`: what a plugin reads of the request under way.
//!
//! In: names. Out: parts of the head, and what is known of the exchange. Never: changes anything.

use http::header::HOST;
use http::uri::PathAndQuery;
use wasmtime::Result;
use wasmtime::component::WasmStr;

use super::{Context, Interface, bounds, fields};

pub(super) fn link(request: &mut Interface<'_>) -> Result<()> {
    line(request)?;
    head(request)?;
    request.func_wrap("route", |store: Context, (): ()| {
        Ok((store.data().request()?.route.clone(),))
    })?;
    request.func_wrap("attribute", |store: Context, (key,): (WasmStr,)| {
        let exchange = store.data().request()?;
        let key = bounds::text(&store, &key)?;
        let value = match exchange.attributes.get(&key) {
            None if key == "request.id" => Some(exchange.id.to_string()),
            value => value.map(str::to_owned),
        };
        Ok((value,))
    })
}

/// Request line: method, target, authority.
fn line(request: &mut Interface<'_>) -> Result<()> {
    request.func_wrap("method", |store: Context, (): ()| {
        Ok((store.data().request()?.request.method.as_str().to_owned(),))
    })?;
    request.func_wrap("scheme", |store: Context, (): ()| {
        let https = store.data().request()?.client.https;
        Ok((if https { "https" } else { "http" },))
    })?;
    request.func_wrap("authority", |store: Context, (): ()| {
        let host = store.data().request()?.request.headers.get(HOST);
        Ok((host.map_or_else(String::new, |host| {
            String::from_utf8_lossy(host.as_bytes()).into_owned()
        }),))
    })?;
    request.func_wrap("path-with-query", |store: Context, (): ()| {
        let uri = &store.data().request()?.request.uri;
        Ok((uri.path_and_query().map_or("/", PathAndQuery::as_str).to_owned(),))
    })
}

/// Fields.
fn head(request: &mut Interface<'_>) -> Result<()> {
    request.func_wrap("field", |store: Context, (name,): (WasmStr,)| {
        let exchange = store.data().request()?;
        let name = bounds::text(&store, &name)?;
        Ok((fields::joined(&name, exchange.request_values(&name)),))
    })?;
    request.func_wrap("field-line", |store: Context, (name,): (WasmStr,)| {
        let exchange = store.data().request()?;
        let name = bounds::text(&store, &name)?;
        Ok((exchange.request_value(&name).map(|value| value.as_bytes().to_vec()),))
    })?;
    request.func_wrap("field-lines", |store: Context, (name,): (WasmStr,)| {
        let exchange = store.data().request()?;
        Ok((fields::lines(exchange.request_values(&bounds::text(&store, &name)?)),))
    })?;
    request.func_wrap("fields", |store: Context, (): ()| {
        Ok((fields::all(store.data().request()?.request_fields()),))
    })
}
