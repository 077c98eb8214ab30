//! Between the exports of a component and the author's [`Plugin`].
//!
//! In: calls of the proxy. Out: calls of the hooks, on the one plugin of this instance.
//! Never: exports anything by itself; `#[plugin]` does, hook by hook.

use std::cell::{Cell, OnceCell};
use std::marker::PhantomData;
use std::thread::LocalKey;

use crate::bindings::completion_hook::exports::weir::plugin::completion_hook;
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

thread_local! {
    /// The body under way, one at a time in an instance.
    static BODY: Cell<Option<Box<dyn Transform>>> = const { Cell::new(None) };
}

const UNCONFIGURED: &str = "the proxy called a hook before `configure` succeeded";
const UNOPENED: &str = "the proxy pushed a body that was not opened";

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
    fn on_request() -> Result<request_hook::Verdict, String> {
        P::cell().with(|cell| {
            let plugin = cell.get().ok_or(UNCONFIGURED)?;
            match plugin.on_request(&mut Request::current())? {
                Verdict::Forward => Ok(request_hook::Verdict::Forward),
                Verdict::Respond(reply) => Ok(request_hook::Verdict::Respond(reply.into())),
            }
        })
    }
}

impl<P: Instance> response_hook::Guest for Exports<P> {
    fn on_response() -> Result<(), String> {
        P::cell().with(|cell| {
            let plugin = cell.get().ok_or(UNCONFIGURED)?;
            plugin.on_response(&Request::current(), &mut Response::current())?;
            Ok(())
        })
    }
}

impl<P: Instance> request_body_hook::Guest for Exports<P> {
    fn open() -> Result<bool, String> {
        P::cell().with(|cell| {
            let plugin = cell.get().ok_or(UNCONFIGURED)?;
            Ok(open(plugin.on_request_body(&Request::current())))
        })
    }

    fn push(chunk: Vec<u8>) -> Result<Vec<u8>, String> {
        push(chunk)
    }

    fn finish() -> Result<Vec<u8>, String> {
        finish()
    }
}

impl<P: Instance> response_body_hook::Guest for Exports<P> {
    fn open() -> Result<bool, String> {
        P::cell().with(|cell| {
            let plugin = cell.get().ok_or(UNCONFIGURED)?;
            Ok(open(plugin.on_response_body(&Request::current(), &Response::current())))
        })
    }

    fn push(chunk: Vec<u8>) -> Result<Vec<u8>, String> {
        push(chunk)
    }

    fn finish() -> Result<Vec<u8>, String> {
        finish()
    }
}

impl<P: Instance> completion_hook::Guest for Exports<P> {
    fn on_complete(summary: completion_hook::Summary) {
        P::cell().with(|cell| {
            if let Some(plugin) = cell.get() {
                plugin.on_complete(&Request::current(), &summary);
            }
        });
    }
}

/// Keeps the transform of the body that begins, in place of one that was left.
fn open(transform: Option<Box<dyn Transform>>) -> bool {
    let is_wanted = transform.is_some();
    BODY.set(transform);
    is_wanted
}

fn push(chunk: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut transform = BODY.take().ok_or(UNOPENED)?;
    let pushed = transform.push(chunk);
    BODY.set(Some(transform));
    Ok(pushed?)
}

fn finish() -> Result<Vec<u8>, String> {
    Ok(BODY.take().ok_or(UNOPENED)?.finish()?)
}
