//! What the host defines, all together, and what glue calls.
//!
//! In: the names that a component imports. Out: whether there is such a function; a linker with all of them.
//! Never: a function without its type: what a component thinks it calls is what is called.

use wasmtime::{Error, Linker, Result};

use super::at_hand::{Context, apart, at_hand};
use super::function::HostFunction;
use super::{
    attributes, body, client, limiter, log, metrics, outbound, request, request_changes, response,
    response_changes, store, wasi,
};
use crate::answer::Wanted;
use crate::contract::unversioned;
use crate::memory;
use crate::plan::Import;
use crate::state::State;

/// What glue calls, and what takes a handle back.
pub const GIVE: (&str, &str) = ("glue", "give");
pub const PUT: (&str, &str) = ("glue", "put");
pub const TAKE: (&str, &str) = ("glue", "take");
pub const DROP: (&str, &str) = ("glue", "drop");

/// The one that an import means.
pub fn of(import: &Import) -> Option<&'static HostFunction> {
    let interface = unversioned(&import.interface);
    all().find(|function| function.interface == interface && function.name == import.function)
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static HostFunction> {
    [
        request::FUNCTIONS,
        request_changes::FUNCTIONS,
        body::FUNCTIONS,
        client::FUNCTIONS,
        attributes::FUNCTIONS,
        response::FUNCTIONS,
        response_changes::FUNCTIONS,
        log::FUNCTIONS,
        metrics::FUNCTIONS,
        limiter::FUNCTIONS,
        store::FUNCTIONS,
        outbound::FUNCTIONS,
    ]
    .into_iter()
    .chain(wasi::TABLES)
    .flatten()
}

/// Defines all of them.
pub fn linker(engine: &wasmtime::Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    for function in all() {
        (function.define)(&mut linker)?;
    }
    linker.func_wrap(GIVE.0, GIVE.1, give)?;
    linker.func_wrap(PUT.0, PUT.1, put)?;
    linker.func_wrap(TAKE.0, TAKE.1, take)?;
    linker.func_wrap(DROP.0, DROP.1, |_: Context<'_>, _: u32| {})?;
    Ok(linker)
}

/// Room for the next piece of an answer.
fn give(mut caller: Context<'_>, at: u32) -> Result<Wanted> {
    let (memory, state) = apart(&mut caller)?;
    state.answer.give(memory, at)
}

/// Room for the next text that a function takes.
fn put(mut caller: Context<'_>, at: u32) -> Result<()> {
    let (memory, state) = apart(&mut caller)?;
    let text = state.given.next().ok_or_else(|| Error::msg("there is no text to put there"))?;
    memory::write(memory, at, &text)
}

/// What a function gave.
fn take(mut caller: Context<'_>, at: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    state.taken = (state.expects)(memory, state, at)?;
    Ok(())
}
