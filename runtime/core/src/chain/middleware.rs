//! What a member of a chain can do.
//!
//! In: an [`Exchange`], by value. Out: the exchange and a verdict, at once or later. Never: knows
//! how the member is made; `wasm` implements the trait with components, tests with plain structs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

use super::exchange::{Exchange, Reply, Summary};
use crate::config::OnFailure;

/// One member of a chain, on one worker.
pub trait Middleware {
    /// The plugin's name in the configuration.
    fn name(&self) -> &Arc<str>;

    /// The hooks it has; no other is ever called.
    fn hooks(&self) -> Hooks;

    /// Names of request fields that it sets or checks, as far as they are known beforehand.
    fn fields(&self) -> &[Box<str>] {
        &[]
    }

    /// What an exchange suffers when a hook fails.
    fn on_failure(&self) -> OnFailure;

    /// The request, on its way to the upstream.
    fn on_request(&self, exchange: Box<Exchange>) -> Step<Verdict>;

    /// The response's head, on its way to the client. `exchange.response` is there.
    fn on_response(&self, exchange: Box<Exchange>) -> Step<()>;

    /// Asks whether this request's body is to be rewritten.
    fn open_request_transform(&self, exchange: Box<Exchange>) -> Step<Option<Box<dyn Transform>>>;

    /// Asks whether this response's body is to be rewritten.
    fn open_response_transform(&self, exchange: Box<Exchange>) -> Step<Option<Box<dyn Transform>>>;

    /// After the last byte.
    fn on_complete(&self, exchange: Box<Exchange>, summary: &Summary) -> Step<()>;

    /// No exchange that begins from now on has it in its chain. Those under way may still call.
    fn retire(&self) {}
}

/// A body being rewritten, chunk by chunk. It is handed on from call to call; dropping it, or a
/// call, gives it up.
pub trait Transform: Send {
    /// What can be sent on after `chunk`, perhaps nothing. After an error it is gone.
    fn push(self: Box<Self>, chunk: Bytes) -> Pushing;
    /// What is left after the last chunk.
    fn finish(self: Box<Self>) -> Finishing;
}

/// A chunk on its way through a transform, which comes back with what can be sent on.
pub type Pushing =
    Pin<Box<dyn Future<Output = Result<(Box<dyn Transform>, Bytes), Box<Failure>>> + Send>>;
/// The last bytes of a transform.
pub type Finishing = Pin<Box<dyn Future<Output = Result<Bytes, Box<Failure>>> + Send>>;

/// The hooks of a middleware.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hooks {
    pub request: bool,
    pub response: bool,
    pub request_body: bool,
    pub response_body: bool,
    pub completion: bool,
}

/// The answer of a request hook.
#[derive(Debug)]
pub enum Verdict {
    Forward,
    Respond(Box<Reply>),
}

/// A hook's result: there already, or coming. The exchange always comes back.
pub enum Step<T> {
    Ready(Box<Exchange>, Result<T, Box<Failure>>),
    Pending(Waiting<T>),
}

/// A hook that waits. It stays on its worker.
pub type Waiting<T> = Pin<Box<dyn Future<Output = (Box<Exchange>, Result<T, Box<Failure>>)>>>;

/// A hook that did not do its work. Whoever makes one has logged and counted it.
#[derive(Debug, Clone)]
pub struct Failure {
    pub plugin: Arc<str>,
    /// `trap`, `deadline`, `memory`, `quota`, `error`, `invalid-reply`, `unavailable`, `busy`,
    /// `timeout`.
    pub reason: &'static str,
    /// One line for the log; never for the client.
    pub detail: String,
}

impl Failure {
    /// The exchange's time is over: nothing more is to be done for it.
    pub fn is_too_late(&self) -> bool {
        self.reason == "timeout"
    }

    /// As many calls of the plugin are under way as may be: the exchange can be tried again.
    pub fn is_busy(&self) -> bool {
        matches!(self.reason, "busy" | "quota")
    }
}

impl Hooks {
    /// The names of those it has, as metrics call them.
    pub fn names(&self) -> Vec<&'static str> {
        let all = [
            (self.request, "request"),
            (self.response, "response"),
            (self.request_body, "request-body"),
            (self.response_body, "response-body"),
            (self.completion, "completion"),
        ];
        all.into_iter().filter_map(|(has, name)| has.then_some(name)).collect()
    }
}

impl Verdict {
    /// For the log.
    pub fn name(&self) -> &'static str {
        match self {
            Verdict::Forward => "forward",
            Verdict::Respond(_) => "respond",
        }
    }
}

impl<T> Step<T> {
    /// Waits for it where it is not there yet.
    pub async fn resolve(self) -> (Box<Exchange>, Result<T, Box<Failure>>) {
        match self {
            Step::Ready(exchange, result) => (exchange, result),
            Step::Pending(future) => future.await,
        }
    }
}
