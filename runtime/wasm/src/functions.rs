//! The functions of an instance, found once when it is made.
//!
//! In: a fresh instance, and where inspection saw its exports. Out: typed functions of the hooks it
//! has. Never: calls one.

use wasmtime::Store;
use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, Func, Instance, Lift, Lower, TypedFunc,
};

use super::bindings::{self, About};
use super::component::{Exports, TransformExports};
use super::state::State;

pub type OnRequest = TypedFunc<(), (Result<bindings::Verdict, String>,)>;
pub type OnResponse = TypedFunc<(), (Result<(), String>,)>;
pub type OnComplete = TypedFunc<(bindings::Summary,), ()>;
pub type Open = TypedFunc<(), (Result<bool, String>,)>;
pub type Finish = TypedFunc<(), Transformed>;
pub type Transformed = (Result<Vec<u8>, String>,);

/// The functions of a kind of body transform.
#[derive(Clone, Copy)]
pub struct TransformFunctions {
    pub open: Open,
    /// Its type has the chunk's lifetime in it.
    pub push: Func,
    pub finish: Finish,
}

pub struct Functions {
    pub describe: TypedFunc<(), (About,)>,
    pub configure: TypedFunc<(String,), (Result<(), String>,)>,
    pub on_request: Option<OnRequest>,
    pub on_response: Option<OnResponse>,
    pub on_complete: Option<OnComplete>,
    pub request_body: Option<TransformFunctions>,
    pub response_body: Option<TransformFunctions>,
}

impl Functions {
    pub fn find(
        instance: &Instance,
        store: &mut Store<State>,
        exports: &Exports,
    ) -> wasmtime::Result<Functions> {
        fn find<P, R>(
            instance: &Instance,
            store: &mut Store<State>,
            export: Option<&ComponentExportIndex>,
        ) -> wasmtime::Result<Option<TypedFunc<P, R>>>
        where
            P: ComponentNamedList + Lower,
            R: ComponentNamedList + Lift,
        {
            export.map(|export| instance.get_typed_func(store, export)).transpose()
        }
        fn transform(
            instance: &Instance,
            store: &mut Store<State>,
            exports: Option<&TransformExports>,
        ) -> wasmtime::Result<Option<TransformFunctions>> {
            let Some(exports) = exports else {
                return Ok(None);
            };
            let open = instance.get_typed_func(&mut *store, exports.open)?;
            let finish = instance.get_typed_func(&mut *store, exports.finish)?;
            // What is inspected is there, so it is found; it has the type, or is refused here.
            let Some(push) = instance.get_func(&mut *store, exports.push) else {
                return Ok(None);
            };
            push.typed::<(&[u8],), Transformed>(&*store)?;
            Ok(Some(TransformFunctions { open, push, finish }))
        }
        Ok(Functions {
            describe: instance.get_typed_func(&mut *store, exports.describe)?,
            configure: instance.get_typed_func(&mut *store, exports.configure)?,
            on_request: find(instance, store, exports.on_request.as_ref())?,
            on_response: find(instance, store, exports.on_response.as_ref())?,
            on_complete: find(instance, store, exports.on_complete.as_ref())?,
            request_body: transform(instance, store, exports.request_body.as_ref())?,
            response_body: transform(instance, store, exports.response_body.as_ref())?,
        })
    }
}
