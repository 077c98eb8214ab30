//! Between the exports of a component and the author's [`Plugin`].
//!
//! In: calls of the proxy. Out: calls of the hooks, on the one plugin of this instance.
//! Never: exports anything by itself; `#[plugin]` does, hook by hook.

use std::cell::{OnceCell, RefCell};
use std::marker::PhantomData;
use std::thread::LocalKey;

use crate::bindings::completion_hook::exports::weir::plugin::completion_hook;
use crate::bindings::imports::weir::plugin::http;
use crate::bindings::lifecycle::exports::weir::plugin::lifecycle;
use crate::bindings::request_body_hook::exports::weir::plugin::request_body_hook;
use crate::bindings::request_hook::exports::weir::plugin::request_hook;
use crate::bindings::response_body_hook::exports::weir::plugin::response_body_hook;
use crate::bindings::response_hook::exports::weir::plugin::response_hook;
use crate::plugin::{Plugin, Transform};
use crate::{Error, Request, Response, Verdict, config, schema};

/// What `#[plugin]` knows about a plugin: where its value lives, and what its crate is called.
pub trait Instance: Plugin {
    /// The crate's name.
    const NAME: &'static str;
    /// The crate's version.
    const VERSION: &'static str;
    /// The crate's description.
    const SUMMARY: &'static str;

    /// The plugin of this instance: empty until `configure`. A guest has one thread.
    fn cell() -> &'static LocalKey<OnceCell<Self>>;
}

/// The exports of the plugin `P`.
pub struct Exports<P>(PhantomData<P>);

/// A body under way, as a resource that the proxy holds.
pub struct Body<P> {
    transform: RefCell<Box<dyn Transform>>,
    plugin: PhantomData<P>,
}

const UNCONFIGURED: &str = "the proxy called a hook before `configure` succeeded";

// === impl Exports ===

impl<P: Instance> lifecycle::Guest for Exports<P> {
    fn describe() -> lifecycle::About {
        lifecycle::About {
            name: P::NAME.into(),
            version: P::VERSION.into(),
            summary: P::SUMMARY.into(),
            config_schema: schema::document::<P::Config>(),
        }
    }

    fn configure(text: String) -> Result<(), String> {
        let plugin = config::configure::<P>(&text).map_err(Error::into_contract)?;
        P::cell().with(|cell| {
            cell.set(plugin).map_err(|_| "`configure` was called twice on one instance".to_owned())
        })
    }
}

impl<P: Instance> request_hook::Guest for Exports<P> {
    fn on_request(request: http::Request) -> Result<request_hook::Verdict, String> {
        P::cell().with(|cell| {
            let plugin = cell.get().ok_or(UNCONFIGURED)?;
            match plugin.on_request(&mut Request::from_handle(request))? {
                Verdict::Forward => Ok(request_hook::Verdict::Forward),
                Verdict::Respond(reply) => Ok(request_hook::Verdict::Respond(reply.into())),
            }
        })
    }
}

impl<P: Instance> response_hook::Guest for Exports<P> {
    fn on_response(request: http::Request, response: http::Response) -> Result<(), String> {
        P::cell().with(|cell| {
            let plugin = cell.get().ok_or(UNCONFIGURED)?;
            let request = Request::from_handle(request);
            plugin.on_response(&request, &mut Response::from_handle(response))?;
            Ok(())
        })
    }
}

impl<P: Instance> request_body_hook::Guest for Exports<P> {
    type Transform = Body<P>;
}

impl<P: Instance> request_body_hook::GuestTransform for Body<P> {
    fn open(request: http::Request) -> Option<request_body_hook::Transform> {
        let transform =
            P::cell().with(|cell| cell.get()?.on_request_body(&Request::from_handle(request)))?;
        Some(request_body_hook::Transform::new(Self::new(transform)))
    }

    fn push(&self, chunk: Vec<u8>) -> Result<Vec<u8>, String> {
        Ok(self.transform.borrow_mut().push(chunk)?)
    }

    fn finish(&self) -> Result<Vec<u8>, String> {
        Ok(self.transform.borrow_mut().finish()?)
    }
}

impl<P: Instance> response_body_hook::Guest for Exports<P> {
    type Transform = Body<P>;
}

impl<P: Instance> response_body_hook::GuestTransform for Body<P> {
    fn open(
        request: http::Request,
        response: http::Response,
    ) -> Option<response_body_hook::Transform> {
        let transform = P::cell().with(|cell| {
            let request = Request::from_handle(request);
            cell.get()?.on_response_body(&request, &Response::from_handle(response))
        })?;
        Some(response_body_hook::Transform::new(Self::new(transform)))
    }

    fn push(&self, chunk: Vec<u8>) -> Result<Vec<u8>, String> {
        Ok(self.transform.borrow_mut().push(chunk)?)
    }

    fn finish(&self) -> Result<Vec<u8>, String> {
        Ok(self.transform.borrow_mut().finish()?)
    }
}

impl<P: Instance> completion_hook::Guest for Exports<P> {
    fn on_complete(request: http::Request, summary: completion_hook::Summary) {
        P::cell().with(|cell| {
            if let Some(plugin) = cell.get() {
                plugin.on_complete(&Request::from_handle(request), &summary);
            }
        });
    }
}

// === impl Body ===

impl<P> Body<P> {
    fn new(transform: Box<dyn Transform>) -> Self {
        Self { transform: RefCell::new(transform), plugin: PhantomData }
    }
}
