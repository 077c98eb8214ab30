//! The filter chain: the ordered plugins of a route.
//!
//! In: an exchange, the members of its chain, and what answers behind them. Out: an outcome on the way
//! down, the changed response on the way back. Never: knows of Wasm, sockets or upstreams.

mod exchange;
mod middleware;
mod run;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;

use crate::config::OnFailure;
use crate::http::ambiguous::Guarded;

pub use exchange::*;
pub use middleware::*;
pub use run::*;

/// The plugins of a route in order, with a list for each phase made beforehand, so that a plugin
/// without a hook costs nothing in that phase.
#[derive(Clone, Default)]
pub struct Chain {
    members: Vec<Rc<dyn Middleware>>,
    request: Vec<usize>,
    response: Vec<usize>,
    request_body: Vec<usize>,
    response_body: Vec<usize>,
    /// `None`: nothing.
    guarded: Option<Arc<Guarded>>,
}

/// The members of a chain that are told how an exchange went, with their places: all of the chain
/// that anybody needs once the response's head is out.
#[derive(Clone, Default)]
pub struct Completions(Vec<(usize, Rc<dyn Middleware>)>);

/// The part of the chain that a request reached: places below this one see its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reached(usize);

/// Transforms in the order in which a body passes them.
pub type Transforms = Vec<Box<dyn Transform>>;

impl Chain {
    pub fn new(members: Vec<Rc<dyn Middleware>>) -> Self {
        let with = |has: fn(Hooks) -> bool| -> Vec<usize> {
            (0..members.len()).filter(|at| has(members[*at].hooks())).collect()
        };
        Chain {
            request: with(|hooks| hooks.request),
            response: with(|hooks| hooks.response),
            request_body: with(|hooks| hooks.request_body),
            response_body: with(|hooks| hooks.response_body),
            guarded: guarded(members.iter().flat_map(|member| member.fields())),
            members,
        }
    }

    /// The same for requests that were chosen, here or for another chain, by these fields.
    pub fn chosen_by(mut self, names: &[Box<str>]) -> Self {
        let own = self.members.iter().flat_map(|member| member.fields());
        self.guarded = guarded(own.chain(names));
        self
    }

    /// The fields that its plugins, and the choice of it, are about.
    pub fn guarded(&self) -> Option<&Arc<Guarded>> {
        self.guarded.as_ref()
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Every place: what a request reaches that is forwarded.
    pub fn whole(&self) -> Reached {
        Reached(self.members.len())
    }

    /// Whether [`Chain::run`] asks nobody but the terminal.
    pub fn asks_nobody(&self) -> bool {
        self.request.is_empty()
    }

    /// Whether [`Chain::run_back`] asks nobody.
    pub fn adds_nothing(&self) -> bool {
        self.response.is_empty() && self.response_body.is_empty()
    }

    /// Asks each plugin in order, until one replies or fails.
    async fn on_request(
        &self,
        mut exchange: Box<Exchange>,
    ) -> (Box<Exchange>, ControlFlow<Outcome>, Reached) {
        for &at in &self.request {
            let member = &self.members[at];
            exchange.peer_error = None;
            let (back, result) = member.on_request(exchange).resolve().await;
            exchange = back;
            tracing::debug!(
                target: "weir::proxy", request = %exchange.id, plugin = &**member.name(),
                verdict = ?result.as_ref().map(Verdict::name).map_err(|failure| failure.reason),
                "request hook"
            );
            match result {
                Ok(Verdict::Forward) => {}
                Ok(Verdict::Respond(reply)) => {
                    let plugin = member.name().clone();
                    let replied = ControlFlow::Break(Outcome::Replied { plugin, reply });
                    return (exchange, replied, Reached(at + 1));
                }
                Err(failure)
                    if member.on_failure() == OnFailure::Skip && !failure.is_too_late() => {}
                Err(failure) => {
                    // It did not see the request through: its own response hook is not due.
                    let failed = ControlFlow::Break(Outcome::Failed(failure));
                    return (exchange, failed, Reached(at));
                }
            }
        }
        (exchange, ControlFlow::Continue(()), self.whole())
    }

    /// Shows the response to the plugins that the request reached, in reverse. The first failure
    /// of a plugin that rejects is returned; the plugins before it still see the response.
    async fn on_response(
        &self,
        mut exchange: Box<Exchange>,
        reached: Reached,
    ) -> (Box<Exchange>, Option<Box<Failure>>) {
        let mut failed = None;
        for &at in self.response.iter().rev().skip_while(|at| **at >= reached.0) {
            let member = &self.members[at];
            let (back, result) = member.on_response(exchange).resolve().await;
            exchange = back;
            tracing::debug!(
                target: "weir::proxy", request = %exchange.id, plugin = &**member.name(),
                failed = result.as_ref().err().map(|failure| failure.reason), "response hook"
            );
            if let Err(failure) = result
                && member.on_failure() == OnFailure::Reject
            {
                failed = failed.or(Some(failure));
            }
        }
        (exchange, failed)
    }

    /// The plugins that rewrite this request's body, in order.
    async fn request_transforms(
        &self,
        mut exchange: Box<Exchange>,
    ) -> (Box<Exchange>, Result<Transforms, Box<Failure>>) {
        let mut transforms = Transforms::new();
        for &at in &self.request_body {
            let member = &self.members[at];
            let (back, result) = member.open_request_transform(exchange).resolve().await;
            exchange = back;
            match result {
                Ok(transform) => transforms.extend(transform),
                Err(failure)
                    if member.on_failure() == OnFailure::Skip && !failure.is_too_late() => {}
                Err(failure) => return (exchange, Err(failure)),
            }
        }
        (exchange, Ok(transforms))
    }

    /// The plugins that rewrite this response's body, in reverse.
    async fn response_transforms(
        &self,
        mut exchange: Box<Exchange>,
        reached: Reached,
    ) -> (Box<Exchange>, Result<Transforms, Box<Failure>>) {
        let mut transforms = Transforms::new();
        for &at in self.response_body.iter().rev().skip_while(|at| **at >= reached.0) {
            let member = &self.members[at];
            let (back, result) = member.open_response_transform(exchange).resolve().await;
            exchange = back;
            match result {
                Ok(transform) => transforms.extend(transform),
                Err(_) if member.on_failure() == OnFailure::Skip => {}
                Err(failure) => return (exchange, Err(failure)),
            }
        }
        (exchange, Ok(transforms))
    }

    /// The members with a completion hook.
    pub fn completions(&self) -> Completions {
        let all = self.members.iter().enumerate();
        let told = all.filter(|(_, member)| member.hooks().completion);
        Completions(told.map(|(at, member)| (at, member.clone())).collect())
    }
}

impl Completions {
    /// Whether [`Completions::on_complete`] calls nobody.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells the plugins that the request reached how it went. Failures have been logged.
    pub async fn on_complete(
        &self,
        mut exchange: Box<Exchange>,
        reached: Reached,
        summary: &Summary,
    ) -> Box<Exchange> {
        for (_, member) in self.0.iter().take_while(|(at, _)| *at < reached.0) {
            exchange = member.on_complete(exchange, summary).resolve().await.0;
        }
        exchange
    }
}

fn guarded<'a>(names: impl Iterator<Item = &'a Box<str>>) -> Option<Arc<Guarded>> {
    let guarded = Guarded::new(names);
    (!guarded.is_empty()).then(|| guarded.into())
}
