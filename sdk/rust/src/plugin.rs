//! What a plugin is: a configuration, and the hooks it has.
//!
//! In: the author's `impl Plugin`. Out: what the exports (and the fake proxy of the tests) call.
//! Never: calls the host.

use serde::de::DeserializeOwned;

pub use crate::bindings::completion_hook::exports::weir::plugin::completion_hook::Summary;
use crate::{Request, Response, Result, Schema, Verdict};

/// A plugin. Put [`#[weir_sdk::plugin]`](macro@crate::plugin) on the `impl` block: it exports the
/// hooks that are written there, and only these are called.
///
/// One value serves many exchanges, one call at a time, and an exchange's hooks may be served by
/// different values: what must survive from one hook to the next goes into an
/// [attribute](Request::set_attribute).
pub trait Plugin: Sized + 'static {
    /// The plugin's configuration: mark it with [`#[weir_sdk::config]`](macro@crate::config).
    /// [`NoConfig`](crate::NoConfig) where there is none.
    type Config: DeserializeOwned + Schema;

    /// Makes the plugin, once for each instance and before its first hook. Do here what can be
    /// done once: parse, compile, prepare. Nothing of the proxy may be called but clock and
    /// randomness.
    ///
    /// An error refuses the operator's whole configuration, with its text beside the place.
    fn configure(config: Self::Config) -> Result<Self>;

    /// The request's head is there; called in order of the chain, before the upstream is chosen.
    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        let _ = request;
        Ok(Verdict::Forward)
    }

    /// The response's head is there; called in reverse order of the chain, for every plugin whose
    /// place the request reached. The request is read-only by now.
    ///
    /// Also for what the proxy refuses before it asks any plugin, such as a path that is not strict:
    /// `on_request` was not called then, no plugin has set an attribute, and of the request there are
    /// method, target, client and the fields `host`, `accept`, `content-type`, `origin`, `referer` and
    /// `user-agent`. After an error such a refusal goes out as it was.
    fn on_response(&self, request: &Request, response: &mut Response) -> Result {
        let _ = (request, response);
        Ok(())
    }

    /// Rewrites the request's body as it streams. `None` leaves this body alone: its bytes then
    /// never enter the sandbox.
    fn on_request_body(&self, request: &Request) -> Option<Box<dyn Transform>> {
        let _ = request;
        None
    }

    /// Rewrites the response's body as it streams; called after every `on_response`. `None` leaves
    /// this body alone.
    fn on_response_body(
        &self,
        request: &Request,
        response: &Response,
    ) -> Option<Box<dyn Transform>> {
        let _ = (request, response);
        None
    }

    /// The exchange is over: the last byte was sent, or it was given up. Never delays the client.
    fn on_complete(&self, request: &Request, summary: &Summary) {
        let _ = (request, summary);
    }
}

/// A body on its way. The body is sent on without a `content-length`.
pub trait Transform: 'static {
    /// Takes a chunk of what arrived, at most 64 KiB, or what the transform before it gave; gives
    /// what can be sent on by now, perhaps nothing.
    fn push(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>>;

    /// After the last chunk: what is left to send.
    fn finish(&mut self) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }
}
