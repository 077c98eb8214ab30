//! What the host calls of an instance, found once when it is made.
//!
//! In: an instance's glue, and the plan. Out: typed functions of the hooks it has, each with what it gives.
//! Never: calls one.

use std::marker::PhantomData;

use wasmtime::{Instance, Result, Store, TypedFunc, WasmParams};

use super::contract::{self, About, Answered, Verdict, is_current};
use super::glue;
use super::plan::{Lifted, Plan};
use super::state::State;

/// Bytes of a text, and its length in units.
pub type Text = (u32, u32);
/// `on-complete`: status, bytes and time, and whether two texts are there with their lengths.
pub type Completed = (u32, u64, u64, u64, u32, u32, u32, u32, u32, u32);
pub type Told = Result<(), String>;

/// A function of the guest: what it takes as glue has it, and what it gives.
pub struct GuestFunction<P, R> {
    pub function: TypedFunc<P, ()>,
    gives: PhantomData<R>,
}

impl<P, R> Clone for GuestFunction<P, R> {
    fn clone(&self) -> Self {
        GuestFunction { function: self.function.clone(), gives: PhantomData }
    }
}

/// The functions of a kind of body transform.
#[derive(Clone)]
pub struct TransformFunctions {
    pub open: GuestFunction<(), Result<bool, String>>,
    pub push: GuestFunction<Text, Result<Vec<u8>, String>>,
    pub finish: GuestFunction<(), Result<Vec<u8>, String>>,
}

pub struct Functions {
    pub describe: GuestFunction<(), About>,
    pub configure: GuestFunction<Text, Told>,
    pub on_request: Option<GuestFunction<(), Result<Verdict, String>>>,
    pub on_response: Option<GuestFunction<(), Told>>,
    pub on_complete: Option<GuestFunction<Completed, ()>>,
    pub request_body: Option<TransformFunctions>,
    pub response_body: Option<TransformFunctions>,
}

/// Where they are.
struct Finder<'a> {
    instance: &'a Instance,
    plan: &'a Plan,
}

impl Functions {
    pub fn find(instance: &Instance, store: &mut Store<State>, plan: &Plan) -> Result<Functions> {
        let finder = Finder { instance, plan };
        Ok(Functions {
            describe: finder.find(store, "lifecycle", "describe")?.ok_or_else(no_lifecycle)?,
            configure: finder.find(store, "lifecycle", "configure")?.ok_or_else(no_lifecycle)?,
            on_request: finder.find(store, "request-hook", "on-request")?,
            on_response: finder.find(store, "response-hook", "on-response")?,
            on_complete: finder.find(store, "completion-hook", "on-complete")?,
            request_body: finder.transform(store, "request-body-hook")?,
            response_body: finder.transform(store, "response-body-hook")?,
        })
    }
}

impl Finder<'_> {
    fn find<P: WasmParams, R: Answered>(
        &self,
        store: &mut Store<State>,
        interface: &str,
        name: &str,
    ) -> Result<Option<GuestFunction<P, R>>> {
        let is_it = |lifted: &Lifted| {
            let of = contract::interface(&lifted.interface);
            lifted.name == name && of == Some(interface) && is_current(&lifted.interface)
        };
        let Some(number) = self.plan.exports.iter().position(is_it) else { return Ok(None) };
        let function = self.instance.get_typed_func(store, &glue::function(number))?;
        Ok(Some(GuestFunction { function, gives: PhantomData }))
    }

    fn transform(
        &self,
        store: &mut Store<State>,
        interface: &str,
    ) -> Result<Option<TransformFunctions>> {
        let open = self.find(store, interface, "open")?;
        let push = self.find(store, interface, "push")?;
        let finish = self.find(store, interface, "finish")?;
        Ok(match (open, push, finish) {
            (Some(open), Some(push), Some(finish)) => {
                Some(TransformFunctions { open, push, finish })
            }
            _ => None,
        })
    }
}

fn no_lifecycle() -> wasmtime::Error {
    wasmtime::Error::msg("the component has no `lifecycle`")
}
