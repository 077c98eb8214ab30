//! A request's way through its chain, and the way of its response back.
//!
//! In: an exchange, and what answers behind the chain. Out: who answered it, or why nobody did; later the
//! response as the plugins left it. Never: makes an answer of an error; whoever called does, before the
//! way back.

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Chain, Exchange, Failure, Reached, Reply, Transforms};
use crate::error::Error;

/// What answers when every plugin said forward.
pub trait Terminal {
    /// Whether it has a use for the request's body; where not, nobody is asked to rewrite it.
    fn takes_body(&self) -> bool;

    /// Answers: the response then stands in the exchange. The request's body is to pass `transforms`.
    ///
    /// Cancel safety: whoever drops the future gives the request up.
    ///
    /// # Errors
    /// Nobody answers.
    fn answer(
        &mut self,
        exchange: &mut Exchange,
        transforms: Transforms,
    ) -> impl Future<Output = Result<(), Box<Error>>>;
}

/// What came of a request.
#[derive(Debug)]
pub enum Outcome {
    /// The terminal answered it.
    Answered,
    /// A plugin replied.
    Replied { plugin: Arc<str>, reply: Box<Reply> },
    /// A plugin failed whose policy is to reject.
    Failed(Box<Failure>),
    /// The terminal has no answer.
    Unanswered(Box<Error>),
}

impl Chain {
    /// The way down: the request hooks in order, until one replies or fails, then the terminal. The
    /// response hooks of whomever it reached are due once there is an answer.
    pub async fn run<T: Terminal>(
        &self,
        exchange: Box<Exchange>,
        terminal: &mut T,
    ) -> (Box<Exchange>, Outcome, Reached) {
        let (mut exchange, asked, reached) = self.on_request(exchange).await;
        if let ControlFlow::Break(outcome) = asked {
            return (exchange, outcome, reached);
        }
        let transforms = if terminal.takes_body() {
            let (back, opened) = self.request_transforms(exchange).await;
            exchange = back;
            match opened {
                Ok(opened) => opened,
                Err(failure) => return (exchange, Outcome::Failed(failure), reached),
            }
        } else {
            Transforms::new()
        };
        let outcome = match terminal.answer(&mut exchange, transforms).await {
            Ok(()) => Outcome::Answered,
            Err(error) => Outcome::Unanswered(error),
        };
        (exchange, outcome, reached)
    }

    /// The way back: the response hooks in reverse, then whoever rewrites the response's body. After the
    /// failure of a plugin that rejects, the answer is to be another one.
    pub async fn run_back(
        &self,
        mut exchange: Box<Exchange>,
        reached: Reached,
    ) -> (Box<Exchange>, Result<Transforms, Box<Failure>>) {
        exchange.limit_response_head();
        let (exchange, failed) = self.on_response(exchange, reached).await;
        match failed {
            None => self.response_transforms(exchange, reached).await,
            Some(failure) => (exchange, Err(failure)),
        }
    }
}
