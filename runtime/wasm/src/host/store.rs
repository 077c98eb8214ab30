//! `weir:plugin/store`: there for plugins with `grants = { store = true }`.
//!
//! In: keys and values, where they lie. Out: the answer of the plugin's [`Store`](weir_core::state::Store).
//! Never: sees another plugin's keys.

use std::borrow::Cow;
use std::time::Duration;

use wasmtime::Result;
use weir_bounds::store::MAX_VALUE;
use weir_core::state::Refused;

use super::at_hand::{Context, at_hand};
use super::bounds;
use super::function::{HostFunction, functions};
use crate::answer::{Data, NOTHING, Wanted};
use crate::contract::StoreError;
use crate::memory::{self, Span, write};
use crate::shared::Shared;
use crate::state::State;

pub const FUNCTIONS: &[HostFunction] = functions! { "weir:plugin/store":
    "get" "(string) -> result<option<list<u8>>, variant { unavailable(string), too-large }>" => get;
    "set" "(string, list<u8>, option<u64>) -> result<_, variant { unavailable(string), too-large }>" => set;
    "delete" "(string) -> result<_, variant { unavailable(string), too-large }>" => delete;
    "increment" "(string, s64, option<u64>) -> result<s64, variant { unavailable(string), too-large }>" => increment;
    "set-if-absent" "(string, list<u8>, option<u64>) -> result<bool, variant { unavailable(string), too-large }>" => set_if_absent;
};

/// Where the payload of an answer is, and where beside a number of 64 bits.
const PAYLOAD: u32 = 4;
const WIDE_PAYLOAD: u32 = 8;

fn get(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let key = key(memory, state, Span { at, length })?;
    let shared = &state.shared;
    match shared.store.get(&key, shared.clock.now()) {
        Ok(value) => {
            let value = match value {
                Some(value) => {
                    Some(Data::Bytes(bounds::work(state, value.len(), || value.to_vec())?))
                }
                None => None,
            };
            write(memory, to, &[0])?;
            state.answer.maybe_bytes(memory, to.wrapping_add(PAYLOAD), value)
        }
        Err(refused) => refuse(refused, state, memory, to, PAYLOAD),
    }
}

#[expect(clippy::too_many_arguments, reason = "as the canonical ABI has them")]
fn set(
    mut caller: Context<'_>,
    key: u32,
    key_length: u32,
    at: u32,
    length: u32,
    has_ttl: u32,
    ttl: u64,
    to: u32,
) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let (key, value) = (Span { at: key, length: key_length }, Span { at, length });
    let done = put(memory, state, key, value, |shared, key, value| {
        shared.store.set(key, value, millis(has_ttl, ttl), shared.clock.now(), &shared.quota)
    })?;
    match done {
        Ok(()) => taken(memory, to),
        Err(refused) => refuse(refused, state, memory, to, PAYLOAD),
    }
}

fn delete(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let key = key(memory, state, Span { at, length })?;
    let shared = &state.shared;
    match shared.store.delete(&key, &shared.quota) {
        Ok(()) => taken(memory, to),
        Err(refused) => refuse(refused, state, memory, to, PAYLOAD),
    }
}

fn increment(
    mut caller: Context<'_>,
    at: u32,
    length: u32,
    by: i64,
    has_ttl: u32,
    ttl: u64,
    to: u32,
) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let key = key(memory, state, Span { at, length })?;
    let shared = &state.shared;
    let (now, quota) = (shared.clock.now(), &shared.quota);
    match shared.store.increment(&key, by, millis(has_ttl, ttl), now, quota) {
        Ok(sum) => {
            write(memory, to, &[0])?;
            write(memory, to.wrapping_add(WIDE_PAYLOAD), &sum.to_le_bytes())?;
            Ok(NOTHING)
        }
        Err(refused) => refuse(refused, state, memory, to, WIDE_PAYLOAD),
    }
}

#[expect(clippy::too_many_arguments, reason = "as the canonical ABI has them")]
fn set_if_absent(
    mut caller: Context<'_>,
    key: u32,
    key_length: u32,
    at: u32,
    length: u32,
    has_ttl: u32,
    ttl: u64,
    to: u32,
) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let (key, value) = (Span { at: key, length: key_length }, Span { at, length });
    let done = put(memory, state, key, value, |shared, key, value| {
        let (now, quota) = (shared.clock.now(), &shared.quota);
        shared.store.set_if_absent(key, value, millis(has_ttl, ttl), now, quota)
    })?;
    match done {
        Ok(is_set) => {
            write(memory, to, &[0])?;
            write(memory, to.wrapping_add(PAYLOAD), &[is_set.into()])?;
            Ok(NOTHING)
        }
        Err(refused) => refuse(refused, state, memory, to, PAYLOAD),
    }
}

/// Hands over a value where it lies; only one that fits is copied.
fn put<T>(
    memory: &[u8],
    state: &State,
    at: Span,
    value: Span,
    act: impl FnOnce(&Shared, &str, &[u8]) -> Result<T, Refused>,
) -> Result<Result<T, Refused>> {
    let key = key(memory, state, at)?;
    let value = memory::bytes(memory, state, value)?;
    let copied = value.len().min(MAX_VALUE);
    bounds::work(state, copied, || act(&state.shared, &key, value))
}

/// A key, for the price of what is done with it.
fn key<'m>(memory: &'m [u8], state: &State, at: Span) -> Result<Cow<'m, str>> {
    state.budget.pay(bounds::ENTRY)?;
    memory::text(memory, state, at)
}

/// `ok`, and nothing more.
fn taken(memory: &mut [u8], to: u32) -> Result<Wanted> {
    write(memory, to, &[0])?;
    Ok(NOTHING)
}

fn refuse(
    refused: Refused,
    state: &mut State,
    memory: &mut [u8],
    to: u32,
    payload: u32,
) -> Result<Wanted> {
    write(memory, to, &[1])?;
    let error = match refused {
        Refused::TooLarge => StoreError::TooLarge,
        Refused::NotCountable(why) => StoreError::Unavailable(why.to_owned()),
        Refused::UsedUp(why) => StoreError::Unavailable(why.to_string()),
    };
    error.tell(&mut state.answer, memory, to.wrapping_add(payload), state.encoding)
}

fn millis(is_there: u32, ttl: u64) -> Option<Duration> {
    (is_there != 0).then_some(Duration::from_millis(ttl))
}
