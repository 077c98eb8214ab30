//! Smooth weighted round robin, as nginx does it.
//!
//! In: weights, and which indices are allowed now. Out: indices so that each comes up in proportion
//! to its weight and the heavy ones are spread out (5, 1, 1 gives `a a b a c a a`, not `a a a a a b c`).
//! Never: starves one that comes back; its credit was kept, not grown, while it was out.
//!
//! Each choice gives every allowed index its weight in credit, takes the one with the most, and
//! takes the sum of the weights from it. Where all weights are equal that is the same as turning
//! round, which costs one step instead of one for each index.

/// The state of the turns.
#[derive(Debug, Clone)]
pub struct RoundRobin {
    /// 0 is never chosen.
    weights: Box<[u32]>,
    /// For unequal weights.
    credit: Box<[i64]>,
    /// For equal weights: whose turn is next.
    next: usize,
    pub(super) equal: bool,
}

impl RoundRobin {
    /// Weights of 0 get nothing. `start`: how many turns are thought to be over.
    pub fn new(weights: &[u32], start: usize) -> Self {
        let equal = weights.windows(2).all(|pair| pair[0] == pair[1]);
        let mut turns = RoundRobin {
            weights: weights.into(),
            credit: vec![0; weights.len()].into(),
            next: start.checked_rem(weights.len()).unwrap_or(0),
            equal,
        };
        if !equal {
            // The turns repeat after the sum of the weights; a few suffice to spread workers.
            for _ in 0..start % (2 * weights.len()) {
                turns.pick(|_| true);
            }
        }
        turns
    }

    /// The next among those allowed; `None` if none is, or all have weight 0.
    pub fn pick(&mut self, allowed: impl Fn(usize) -> bool) -> Option<usize> {
        self.choose(|index, _| allowed(index))
    }

    /// As [`RoundRobin::pick`], for those whose judgement needs the weight.
    pub(super) fn choose(&mut self, allowed: impl Fn(usize, u32) -> bool) -> Option<usize> {
        if self.equal { self.turn(allowed) } else { self.smooth(allowed) }
    }

    pub(super) fn len(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn weight(&self, index: usize) -> u32 {
        self.weights.get(index).copied().unwrap_or(0)
    }

    fn turn(&mut self, allowed: impl Fn(usize, u32) -> bool) -> Option<usize> {
        let weight = self.weight(0);
        if weight == 0 {
            return None;
        }
        let count = self.len();
        let index = (self.next..count).chain(0..self.next).find(|at| allowed(*at, weight))?;
        self.next = if index + 1 == count { 0 } else { index + 1 };
        Some(index)
    }

    fn smooth(&mut self, allowed: impl Fn(usize, u32) -> bool) -> Option<usize> {
        let mut total = 0;
        let mut best: Option<(usize, i64)> = None;
        for (index, (weight, credit)) in self.weights.iter().zip(&mut self.credit).enumerate() {
            if *weight == 0 || !allowed(index, *weight) {
                continue;
            }
            *credit += i64::from(*weight);
            total += i64::from(*weight);
            if best.is_none_or(|(_, most)| *credit > most) {
                best = Some((index, *credit));
            }
        }
        let (index, _) = best?;
        if let Some(credit) = self.credit.get_mut(index) {
            *credit -= total;
        }
        Some(index)
    }
}
