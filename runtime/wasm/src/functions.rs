//! What the host calls of an instance, found once when it is made.
//!
//! In: glue, and the plan; an instance of it. Out: typed functions of the hooks it has, each with what it gives.
//! Never: calls one.

use std::marker::PhantomData;

use wasmtime::{
    Error, Extern, Instance, Module, ModuleExport, Result, Store, TypedFunc, WasmParams,
};

use super::contract::{self, About, Answered, Verdict, is_current};
use super::glue;
use super::parts::exported;
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

/// Where a module has them, found once.
pub struct Exports {
    describe: ModuleExport,
    configure: ModuleExport,
    on_request: Option<ModuleExport>,
    on_response: Option<ModuleExport>,
    on_complete: Option<ModuleExport>,
    request_body: Option<[ModuleExport; 3]>,
    response_body: Option<[ModuleExport; 3]>,
}

impl Exports {
    /// What the host calls, as its glue exports it.
    ///
    /// # Errors
    /// Where there is no `lifecycle`, or the glue is another plan's.
    pub fn of(plan: &Plan, lifting: &Module) -> Result<Exports> {
        let find = |interface: &str, name: &str| {
            let is_it = |lifted: &Lifted| {
                let of = contract::interface(&lifted.interface);
                lifted.name == name && of == Some(interface) && is_current(&lifted.interface)
            };
            let number = plan.exports.iter().position(is_it);
            number.map(|number| exported(lifting, &glue::function(number))).transpose()
        };
        let transform = |of: &str| {
            let [open, push, finish] = [find(of, "open")?, find(of, "push")?, find(of, "finish")?];
            Ok::<_, Error>(
                open.zip(push).zip(finish).map(|((open, push), finish)| [open, push, finish]),
            )
        };
        let absent = || Error::msg("the component has no `lifecycle`");
        Ok(Exports {
            describe: find("lifecycle", "describe")?.ok_or_else(absent)?,
            configure: find("lifecycle", "configure")?.ok_or_else(absent)?,
            on_request: find("request-hook", "on-request")?,
            on_response: find("response-hook", "on-response")?,
            on_complete: find("completion-hook", "on-complete")?,
            request_body: transform("request-body-hook")?,
            response_body: transform("response-body-hook")?,
        })
    }
}

impl Functions {
    /// Those of an instance.
    ///
    /// # Errors
    /// Where one is of another type.
    pub fn of(
        instance: Instance,
        store: &mut Store<State>,
        exports: &Exports,
    ) -> Result<Functions> {
        let request_body = exports.request_body.as_ref();
        let response_body = exports.response_body.as_ref();
        Ok(Functions {
            describe: typed(instance, store, &exports.describe)?,
            configure: typed(instance, store, &exports.configure)?,
            on_request: maybe(instance, store, exports.on_request.as_ref())?,
            on_response: maybe(instance, store, exports.on_response.as_ref())?,
            on_complete: maybe(instance, store, exports.on_complete.as_ref())?,
            request_body: request_body.map(|all| transform(instance, store, all)).transpose()?,
            response_body: response_body.map(|all| transform(instance, store, all)).transpose()?,
        })
    }
}

fn maybe<P: WasmParams, R: Answered>(
    instance: Instance,
    store: &mut Store<State>,
    export: Option<&ModuleExport>,
) -> Result<Option<GuestFunction<P, R>>> {
    export.map(|export| typed(instance, store, export)).transpose()
}

fn transform(
    instance: Instance,
    store: &mut Store<State>,
    [open, push, finish]: &[ModuleExport; 3],
) -> Result<TransformFunctions> {
    Ok(TransformFunctions {
        open: typed(instance, store, open)?,
        push: typed(instance, store, push)?,
        finish: typed(instance, store, finish)?,
    })
}

fn typed<P: WasmParams, R: Answered>(
    instance: Instance,
    store: &mut Store<State>,
    export: &ModuleExport,
) -> Result<GuestFunction<P, R>> {
    let function = instance.get_module_export(&mut *store, export).and_then(Extern::into_func);
    let function = function.ok_or_else(|| Error::msg("glue lacks a function"))?;
    Ok(GuestFunction { function: function.typed(&*store)?, gives: PhantomData })
}
