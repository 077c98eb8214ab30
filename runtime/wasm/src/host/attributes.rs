//! `weir:plugin/attributes`: what plugins leave for each other, for upstream choice and the access log.
//!
//! In: keys and values. Out: attributes of the exchange. Never: more of them than an exchange may have.

use wasmtime::{Error, Result};
use weir_core::chain::{MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES};

use super::at_hand::{Context, at_hand};
use super::function::{HostFunction, functions};
use crate::memory::{Span, short_text};
use crate::state::Part;

pub const FUNCTIONS: &[HostFunction] = functions! { "weir:plugin/attributes":
    "set" "(string, string)" => set;
};

const KEY: &str = "the key of an attribute";
const VALUE: &str = "an attribute";

fn set(mut caller: Context<'_>, key: u32, key_length: u32, at: u32, length: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let key = Span { at: key, length: key_length };
    let key = short_text(memory, state, key, KEY, MAX_ATTRIBUTE_BYTES)?;
    let value = short_text(memory, state, Span { at, length }, VALUE, MAX_ATTRIBUTE_BYTES)?;
    state.request()?;
    state.before_change(Part::Attributes);
    let set = state.request_mut()?.attributes.set(&key, &value);
    set.map_err(|_| {
        Error::msg(format!(
            "attribute `{key}` does not fit: an exchange has at most {MAX_ATTRIBUTES}, \
             {MAX_ATTRIBUTE_BYTES} bytes in all"
        ))
    })
}
