//! What a function of the host has at hand: the guest's memory, and the state of its instance.
//!
//! In: who calls. Out: both, apart from each other. Never: while the guest makes room for an answer.

use wasmtime::{Caller, Error, Result};

use crate::state::State;

/// Who calls.
pub type Context<'a> = Caller<'a, State>;

/// Memory and state.
///
/// # Errors
/// Where the guest calls while it makes room for an answer.
pub fn at_hand<'a>(caller: &'a mut Context<'_>) -> Result<(&'a mut [u8], &'a mut State)> {
    let (memory, state) = apart(caller)?;
    state.answer.check_idle()?;
    state.handed_over.set(0);
    Ok((memory, state))
}

/// The same, for glue.
pub fn apart<'a>(caller: &'a mut Context<'_>) -> Result<(&'a mut [u8], &'a mut State)> {
    let Some(memory) = caller.data().memory else {
        return Err(Error::msg("the component has no memory"));
    };
    Ok(memory.data_and_store_mut(caller))
}
