//! Fewest requests in flight for its weight; ties in turn.
//!
//! In: weights, who is allowed, how many requests each has in flight. Out: an index. Never: divides;
//! `a/x < b/y` is asked as `a·y < b·x`.

use super::RoundRobin;

/// The turns among those that are equally busy.
#[derive(Debug, Clone)]
pub struct LeastRequest {
    ties: RoundRobin,
}

impl LeastRequest {
    pub(super) fn new(ties: RoundRobin) -> Self {
        LeastRequest { ties }
    }

    pub(super) fn len(&self) -> usize {
        self.ties.len()
    }

    /// The least busy among those allowed; among equals by weighted turns, so that an idle upstream
    /// is used by weight too.
    pub fn pick(
        &mut self,
        allowed: impl Fn(usize) -> bool,
        in_flight: impl Fn(usize) -> u32,
    ) -> Option<usize> {
        // Requests in flight and weight of the least busy one.
        let mut least: Option<(u64, u64)> = None;
        for index in 0..self.len() {
            let weight = u64::from(self.ties.weight(index));
            if weight == 0 || !allowed(index) {
                continue;
            }
            let busy = u64::from(in_flight(index));
            if least.is_none_or(|(least, its)| busy * its < least * weight) {
                least = Some((busy, weight));
            }
        }
        let (least, its) = least?;
        self.ties.choose(|index, weight| {
            allowed(index) && u64::from(in_flight(index)) * its == least * u64::from(weight)
        })
    }
}
