//! The calls to others that an instance makes: by whom they are made, and what came of them.
//!
//! In: who makes calls for the worker that the instance is lent on, and answers. Out: an answer by its number.
//! Never: keeps one beyond the hook that asked for it, or lets a hook see another's.

use std::sync::Arc;
use std::time::Instant;

use http::response;
use wasmtime::{Error, Result};
use weir_bounds::outbound::MAX_CALLS;
use weir_core::clock;
use weir_core::http::{Body, Client};
use weir_core::outbound::Outbound;
use weir_core::quota::Held;

/// Of one instance.
#[derive(Debug, Default)]
pub struct Calls {
    /// While the instance is lent, and for which client.
    by: Option<(Arc<dyn Outbound>, Arc<Client>)>,
    answers: Vec<Answered>,
    /// How many were made in the hook under way.
    made: usize,
    /// The number of the first answer: those of hooks before have others.
    first: u32,
    /// When the hook under way made its first.
    since: Option<Instant>,
}

/// What came of a call.
#[derive(Debug)]
pub struct Answered {
    pub head: response::Parts,
    pub body: Arc<Vec<u8>>,
    /// Of the head, and the body as it was put back for whoever would send it on: both on the plugin's account.
    pub _held: (Held, Body),
}

impl Calls {
    /// From now on somebody makes calls, in this client's share of connections and of the quota.
    pub fn lend(&mut self, by: Arc<dyn Outbound>, client: Arc<Client>) {
        self.by = Some((by, client));
    }

    /// A hook is over.
    pub fn end(&mut self) {
        let answered = u32::try_from(self.answers.len()).unwrap_or(u32::MAX);
        self.first = self.first.wrapping_add(answered);
        self.answers.clear();
        self.made = 0;
        self.since = None;
    }

    /// Who makes so many calls, for whom, and when the hook made its first.
    ///
    /// # Errors
    /// Where that is nobody, as before the first hook, or they are too many.
    pub fn begin(&mut self, many: usize) -> Result<(Arc<dyn Outbound>, Arc<Client>, Instant)> {
        let Some((by, client)) = &self.by else {
            return Err(Error::msg("`outbound.send` outside of a hook"));
        };
        self.made = self.made.saturating_add(many);
        if self.made > MAX_CALLS {
            return Err(Error::msg(format!("a hook makes at most {MAX_CALLS} calls")));
        }
        let since = *self.since.get_or_insert_with(clock::now);
        Ok((by.clone(), client.clone(), since))
    }

    /// Keeps an answer. Gives its number.
    pub fn keep(&mut self, answered: Answered) -> u32 {
        self.answers.push(answered);
        let last = u32::try_from(self.answers.len() - 1).unwrap_or(u32::MAX);
        self.first.wrapping_add(last)
    }

    /// An answer by its number.
    ///
    /// # Errors
    /// Where the hook under way has none of it.
    pub fn answer(&self, number: u32) -> Result<&Answered> {
        let at = number.wrapping_sub(self.first) as usize;
        let found = self.answers.get(at);
        found.ok_or_else(|| Error::msg(format!("this hook has no answer to a call {number}")))
    }
}
