//! Load-balancing policies: which endpoint of an upstream gets the next request.
//!
//! In: weights, once; then, for each request, what is known of every endpoint and which of them were
//! tried already. Out: an index. Never: counts requests, knows an address, or asks for the time;
//! who sends the request keeps the counts.
//!
//! A balancer belongs to one worker. Workers begin at different places (`start`), so that the first
//! requests of all of them do not meet at one endpoint.
//!
//! When health says that *all* endpoints are out, it is more likely wrong than right (a broken check,
//! a network partition of our own), and refusing everything could not be worse: the choice is then
//! among all of them (*fail open*). When some are usable but all of those were tried for this
//! request, there is no further choice: an endpoint known to be out is no better answer.

mod least_request;
mod round_robin;

use crate::config::Balance;

pub use self::least_request::LeastRequest;
pub use self::round_robin::RoundRobin;

/// One worker's state of the policy of one upstream.
#[derive(Debug, Clone)]
pub enum Balancer {
    RoundRobin(RoundRobin),
    LeastRequest(LeastRequest),
}

/// What a choice depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointState {
    /// Neither health nor a breaker has taken it out.
    pub usable: bool,
    /// Requests that were sent and have no complete response yet.
    pub in_flight: u32,
}

/// The endpoints that failed for one request. Room for as many as one request may try.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tried {
    endpoints: [u32; Tried::MOST],
    count: usize,
}

impl Balancer {
    /// For endpoints with these weights (1 to 1,000). `start` is any number that differs between
    /// workers, such as the worker's.
    pub fn new(policy: Balance, weights: &[u32], start: usize) -> Self {
        let round_robin = RoundRobin::new(weights, start);
        match policy {
            Balance::RoundRobin => Balancer::RoundRobin(round_robin),
            Balance::LeastRequest => Balancer::LeastRequest(LeastRequest::new(round_robin)),
        }
    }

    /// The endpoint for the next request; `None` if there is none, or none left to try.
    ///
    /// `state` is asked at most a few times for each index below the number of weights.
    pub fn pick(&mut self, tried: &Tried, state: impl Fn(usize) -> EndpointState) -> Option<usize> {
        let choice = self.among(&state, |index| state(index).usable && !tried.contains(index));
        if choice.is_some() || (0..self.len()).any(|index| state(index).usable) {
            return choice;
        }
        self.among(&state, |index| !tried.contains(index))
    }

    /// Endpoints it chooses from.
    pub fn len(&self) -> usize {
        match self {
            Balancer::RoundRobin(policy) => policy.len(),
            Balancer::LeastRequest(policy) => policy.len(),
        }
    }

    /// Whether there is no endpoint.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn among(
        &mut self,
        state: impl Fn(usize) -> EndpointState,
        allowed: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        match self {
            Balancer::RoundRobin(policy) => policy.pick(allowed),
            Balancer::LeastRequest(policy) => policy.pick(allowed, |index| state(index).in_flight),
        }
    }
}

impl Tried {
    /// More attempts than this are not told apart: the request has failed often enough.
    pub const MOST: usize = 8;

    /// Adds an endpoint. `false`: there is no more room, so do not try again.
    pub fn insert(&mut self, index: usize) -> bool {
        let Ok(index) = u32::try_from(index) else { return false };
        match self.endpoints.get_mut(self.count) {
            Some(place) => {
                *place = index;
                self.count += 1;
                true
            }
            None => false,
        }
    }

    /// Whether an endpoint was tried.
    pub fn contains(&self, index: usize) -> bool {
        self.endpoints.iter().take(self.count).any(|tried| *tried as usize == index)
    }
}

#[cfg(test)]
mod tests;
