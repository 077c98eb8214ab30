//! An exchange that somebody else has, while the request waits.
//!
//! In: the exchange and its completion. Out: the same, or where the client goes away meanwhile, word of
//! the request for the log. Never: costs a request that comes to its end anything.

use weir_core::chain::Exchange;

use super::completion::Completion;
use super::heading::{Heading, Told};
use super::wants::Wants;

/// An exchange that waits for its endpoint. Dropped before that is over, it leaves word of the
/// request.
pub struct Underway<'a> {
    pub exchange: &'a mut Exchange,
    pub completion: &'a mut Completion,
    pub wants: &'a mut Wants,
    over: bool,
}

impl<'a> Underway<'a> {
    pub fn new(
        exchange: &'a mut Exchange,
        completion: &'a mut Completion,
        wants: &'a mut Wants,
    ) -> Underway<'a> {
        Underway { exchange, completion, wants, over: false }
    }

    /// The endpoint answered, or none will.
    pub fn over(mut self) {
        self.over = true;
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if !self.over {
            let mut heading = Heading::of(&self.exchange.request);
            heading.client = Some(self.exchange.client.clone());
            heading.attributes = std::mem::take(&mut self.exchange.attributes);
            self.completion.told = Told::heading(heading);
        }
    }
}
