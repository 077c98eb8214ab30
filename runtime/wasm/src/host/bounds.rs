//! What the host's work for a guest costs, beside what is looked at and copied.
//!
//! In: work that a function of the host is to do. Out: what came of it. Never: work that the guest's deadline
//! does not pay for: with a bound on what is handed over at once (see [`memory`](crate::memory)) it bounds what
//! a guest can have done for it, by small calls or by large ones.

use std::time::Duration;

use wasmtime::Result;

use crate::state::State;

/// What looking up an entry of the store costs, and dropping some that have expired.
pub const ENTRY: Duration = Duration::from_micros(2);
/// What a line in the log costs.
pub const LINE: Duration = Duration::from_micros(2);
/// Work on this much has its time measured, so as to leave it out. Asking for the time costs as much
/// as copying a few kilobytes.
const MEASURED: usize = 16 << 10;

/// Does something with so many bytes of a guest, for their price.
pub fn work<T>(state: &State, bytes: usize, work: impl FnOnce() -> T) -> Result<T> {
    state.budget.pay_bytes(bytes)?;
    Ok(apart(state, bytes, work))
}

/// The same, of what was paid for already.
pub fn apart<T>(state: &State, bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes < MEASURED { work() } else { state.budget.apart(work) }
}
