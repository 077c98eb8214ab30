//! What is found wrong with a text while it is read again and again.
//!
//! In: problems, and the values that are left out because of them. Out: all problems as one error.
//! Never: decides what is left out.

use super::left_out::LeftOut;
use crate::Error;
use crate::problem::Problem;

/// Everything so far.
#[derive(Default)]
pub struct Found {
    pub(super) problems: Vec<Problem>,
    pub(super) left_out: Vec<LeftOut>,
}

// === impl Found ===

impl Found {
    /// Nothing, or an error of all of it.
    #[inline(never)]
    pub fn nothing(self) -> Result<(), Error> {
        if self.problems.is_empty() { Ok(()) } else { Err(Error::of(self.problems)) }
    }

    /// All of it, and what the plugin found wrong with what was read.
    #[cold]
    #[inline(never)]
    pub fn and(self, error: Error) -> Error {
        let Self { mut problems, left_out } = self;
        for mut problem in error.into_problems() {
            problem.pointer = LeftOut::written(&left_out, &problem.pointer);
            // What was left out may be all that it lacks.
            if !left_out.iter().any(|out| out.is_within(&problem.pointer)) {
                problems.push(problem);
            }
        }
        Error::of(problems)
    }
}
