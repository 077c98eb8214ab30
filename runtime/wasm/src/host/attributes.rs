//! `weir:plugin/attributes`: what plugins leave for each other, for upstream choice and the access log.
//!
//! In: keys and values. Out: attributes of the exchange. Never: more of them than an exchange may have.

use wasmtime::Result;
use wasmtime::component::WasmStr;
use weir_core::chain::{MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES};

use super::{Context, Interface, bounds};
use crate::state::Part;

const KEY: &str = "the key of an attribute";
const VALUE: &str = "an attribute";

pub(super) fn link(attributes: &mut Interface<'_>) -> Result<()> {
    attributes.func_wrap("set", set)
}

fn set(mut store: Context, (key, value): (WasmStr, WasmStr)) -> Result<()> {
    let key = bounds::short_text(&store, &key, KEY, MAX_ATTRIBUTE_BYTES)?;
    let value = bounds::short_text(&store, &value, VALUE, MAX_ATTRIBUTE_BYTES)?;
    let (key, value) = (key.into_owned(), value.into_owned());
    let state = store.data_mut();
    state.request()?;
    state.before_change(Part::Attributes);
    let set = state.request_mut()?.attributes.set(&key, &value);
    set.map_err(|_| {
        wasmtime::Error::msg(format!(
            "attribute `{key}` does not fit: an exchange has at most {MAX_ATTRIBUTES}, \
             {MAX_ATTRIBUTE_BYTES} bytes in all"
        ))
    })
}
