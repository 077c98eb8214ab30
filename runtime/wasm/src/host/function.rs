//! A function of the host, with its type.
//!
//! In: the rows of an interface's table. Out: what a component's import is held against. Never: calls one.

use wasmtime::{Linker, Result};

use crate::state::State;

/// One function.
#[derive(Debug)]
pub struct HostFunction {
    /// Without version.
    pub interface: &'static str,
    pub name: &'static str,
    /// As [`Import::signature`](crate::plan::Import::signature) has it.
    pub signature: &'static str,
    /// Under these two names.
    pub define: fn(&mut Linker<State>) -> Result<()>,
}

/// The rows of a table of functions: name, type, and who answers.
macro_rules! functions {
    ($interface:literal: $($name:literal $signature:tt => $call:expr;)*) => {
        &[$($crate::host::function::HostFunction {
            interface: $interface,
            name: $name,
            signature: $signature,
            define: |linker| linker.func_wrap($interface, $name, $call).map(|_| ()),
        }),*]
    };
}
pub(super) use functions;
