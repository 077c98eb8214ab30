//! What a guest may hand over in one call of the host, and what the host's work for it costs.
//!
//! In: what a host function was given. Out: the same, before anything is done with it, or a trap that
//! says which bound it broke. Never: work that the guest's deadline does not pay for.
//!
//! Two bounds hold for every call. All that is lifted out of a guest's memory together is no more than
//! [`hand_over`] says, whatever its lists and texts claim. And all of it has a [price](pay), so that a
//! deadline bounds what a guest can have done for it, by small calls or by large ones.

use std::borrow::Cow;
use std::time::Duration;

use wasmtime::component::WasmStr;
use wasmtime::{Error, Result, Store};

use super::Context;
use crate::state::State;

/// What a byte costs that is looked at or copied, in nanoseconds: less on any machine, but for pages
/// that are new.
const BYTE: u64 = 1;
/// What looking up an entry of the store costs, and dropping some that have expired.
pub const ENTRY: Duration = Duration::from_micros(2);
/// What a line in the log costs.
pub const LINE: Duration = Duration::from_micros(2);
/// Work on this much has its time measured, so as to leave it out. Asking for the time costs as much
/// as copying a few kilobytes.
const MEASURED: usize = 16 << 10;
/// Beside what can be kept: names, records, and the difference between a text and a legal one.
const SLACK: usize = 64 << 10;

/// The most that a guest with UTF-16 texts may hand over at once. How long a text is shows only once
/// it is decoded, which costs many times what looking at UTF-8 does: so much is done in a part of a
/// usual deadline.
const WIDE: usize = 2 << 20;

/// Sets the most that the instance's guest may hand over in one call, or give as its answer: no
/// more can be in its memory, and no more could be kept.
pub fn hand_over(store: &mut Store<State>, memory: usize, quota: usize, wide_texts: bool) {
    let most = memory.min(quota.saturating_add(SLACK));
    store.set_hostcall_fuel(if wide_texts { most.min(WIDE) } else { most });
}

/// A text of a guest, for its price.
pub fn text<'a>(store: &'a Context<'_>, text: &WasmStr) -> Result<Cow<'a, str>> {
    let text = text.to_str(store)?;
    pay(store, text.len())?;
    Ok(text)
}

/// The same, where a longer one than `most` bytes is a trap.
pub fn short_text<'a>(
    store: &'a Context<'_>,
    given: &WasmStr,
    what: &str,
    most: usize,
) -> Result<Cow<'a, str>> {
    let given = text(store, given)?;
    if given.len() > most {
        return Err(Error::msg(format!("{what} of {} bytes is longer than {most}", given.len())));
    }
    Ok(given)
}

/// Takes the price of so many bytes.
pub fn pay(store: &Context<'_>, bytes: usize) -> Result<()> {
    Ok(store.data().budget.pay_nanos(price(bytes))?)
}

/// What so many bytes cost, in nanoseconds.
pub fn price(bytes: usize) -> u64 {
    BYTE * bytes as u64
}

/// Does something with so many bytes of a guest, for their price.
pub fn work<T>(store: &Context<'_>, bytes: usize, work: impl FnOnce() -> T) -> Result<T> {
    pay(store, bytes)?;
    Ok(apart(store, bytes, work))
}

/// The same, of what was paid for already.
pub fn apart<T>(store: &Context<'_>, bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes < MEASURED { work() } else { store.data().budget.apart(work) }
}
