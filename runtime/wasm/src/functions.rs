//! The functions of an instance, found once when it is made.
//!
//! In: a fresh instance, and where inspection saw its exports. Out: typed functions of the hooks it
//! has. Never: calls one.

use wasmtime::Store;
use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, Func, Instance, Lift, Lower, Resource, ResourceAny,
    TypedFunc,
};

use super::bindings::{self, About, RequestHandle, ResponseHandle};
use super::component::{Exports, TransformExports};
use super::state::State;

pub type OnRequest = TypedFunc<(Resource<RequestHandle>,), (Result<bindings::Verdict, String>,)>;
pub type OnResponse =
    TypedFunc<(Resource<RequestHandle>, Resource<ResponseHandle>), (Result<(), String>,)>;
pub type OnComplete = TypedFunc<(Resource<RequestHandle>, bindings::Summary), ()>;
pub type OpenRequest = TypedFunc<(Resource<RequestHandle>,), (Option<ResourceAny>,)>;
pub type OpenResponse =
    TypedFunc<(Resource<RequestHandle>, Resource<ResponseHandle>), (Option<ResourceAny>,)>;
pub type Transformed = (Result<Vec<u8>, String>,);

/// The guest's side of a body, and the functions that move it on.
pub struct OpenTransform {
    pub resource: ResourceAny,
    pub push: Func,
    pub finish: Func,
}

/// The functions of a kind of body transform.
pub struct TransformFunctions<Open> {
    pub open: Open,
    pub push: Func,
    pub finish: Func,
}

pub struct Functions {
    pub describe: TypedFunc<(), (About,)>,
    pub configure: TypedFunc<(String,), (Result<(), String>,)>,
    pub on_request: Option<OnRequest>,
    pub on_response: Option<OnResponse>,
    pub on_complete: Option<OnComplete>,
    pub request_body: Option<TransformFunctions<OpenRequest>>,
    pub response_body: Option<TransformFunctions<OpenResponse>>,
}

impl<Open> TransformFunctions<Open> {
    /// The guest's `transform`, with the functions that move it on.
    pub fn opened(&self, resource: ResourceAny) -> OpenTransform {
        OpenTransform { resource, push: self.push, finish: self.finish }
    }
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
        fn transform<P, R>(
            instance: &Instance,
            store: &mut Store<State>,
            exports: Option<&TransformExports>,
        ) -> wasmtime::Result<Option<TransformFunctions<TypedFunc<P, R>>>>
        where
            P: ComponentNamedList + Lower,
            R: ComponentNamedList + Lift,
        {
            let Some(exports) = exports else {
                return Ok(None);
            };
            let open = instance.get_typed_func(&mut *store, exports.open)?;
            // What is inspected is there, so these are found.
            let push = instance.get_func(&mut *store, exports.push);
            let finish = instance.get_func(&mut *store, exports.finish);
            Ok(push.zip(finish).map(|(push, finish)| TransformFunctions { open, push, finish }))
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
