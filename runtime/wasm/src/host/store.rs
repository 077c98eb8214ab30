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
    tell(done.map(|()| []), state, memory, to, PAYLOAD)
}

fn delete(mut caller: Context<'_>, at: u32, length: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let key = key(memory, state, Span { at, length })?;
    let shared = &state.shared;
    let done = shared.store.delete(&key, &shared.quota);
    tell(done.map(|()| []), state, memory, to, PAYLOAD)
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
    let sum = shared.store.increment(&key, by, millis(has_ttl, ttl), now, quota);
    tell(sum.map(i64::to_le_bytes), state, memory, to, WIDE_PAYLOAD)
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
    tell(done.map(|is_set| [u8::from(is_set)]), state, memory, to, PAYLOAD)
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

/// What came of it: bytes of the payload, or why it was refused.
fn tell<const N: usize>(
    done: Result<[u8; N], Refused>,
    state: &mut State,
    memory: &mut [u8],
    to: u32,
    payload: u32,
) -> Result<Wanted> {
    match done {
        Ok(bytes) => {
            write(memory, to, &[0])?;
            write(memory, to.wrapping_add(payload), &bytes)?;
            Ok(NOTHING)
        }
        Err(refused) => refuse(refused, state, memory, to, payload),
    }
}

/// `unavailable`, with why, or `too-large`.
fn refuse(
    refused: Refused,
    state: &mut State,
    memory: &mut [u8],
    to: u32,
    payload: u32,
) -> Result<Wanted> {
    write(memory, to, &[1])?;
    let at = to.wrapping_add(payload);
    let why = match refused {
        Refused::TooLarge => {
            write(memory, at, &[1])?;
            return Ok(NOTHING);
        }
        Refused::NotCountable(why) => Data::Static(why),
        Refused::UsedUp(why) => why.to_string().into(),
    };
    write(memory, at, &[0])?;
    state.answer.text(memory, at.wrapping_add(PAYLOAD), why, state.encoding)
}

fn millis(is_there: u32, ttl: u64) -> Option<Duration> {
    (is_there != 0).then_some(Duration::from_millis(ttl))
}
