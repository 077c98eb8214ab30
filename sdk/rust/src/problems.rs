//! What is wrong with a configuration: all of it, each with its place.
//!
//! In: [`Error`]s that say where. Out: one error of them all. Never: ends at the first.

use crate::problem::Problem;
use crate::{Error, Result};

/// Collects what is wrong with a configuration, so that its operator hears of all of it at once.
///
/// ```
/// use weir_sdk::{Error, Problems, Result};
///
/// fn colours(texts: &[&str]) -> Result<Vec<u32>> {
///     let mut problems = Problems::new();
///     let mut all = Vec::new();
///     for (index, text) in texts.iter().enumerate() {
///         let colour = u32::from_str_radix(text, 16).map_err(Error::from);
///         all.extend(problems.take(colour.map_err(|error| error.at(index).help("such as \"ff8800\""))));
///     }
///     problems.or(all)
/// }
/// let error = colours(&["ff8800", "red", "blue"]).unwrap_err();
/// assert!(error.to_string().starts_with("[1]: invalid digit"));
/// assert_eq!(error.to_string().lines().count(), 2);
/// ```
#[derive(Default)]
pub struct Problems(Vec<Problem>);

// === impl Problems ===

impl Problems {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more, or as many as the error is of.
    pub fn add(&mut self, error: Error) {
        self.0.extend(error.into_problems());
    }

    /// The value, or nothing and one more problem.
    pub fn take<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.add(error)).ok()
    }

    /// What was made, if nothing was wrong.
    ///
    /// # Errors
    /// All that was wrong.
    pub fn or<T>(self, made: T) -> Result<T> {
        if self.0.is_empty() { Ok(made) } else { Err(Error::of(self.0)) }
    }

    /// As [`or`](Self::or), for what can only be made where nothing was wrong: `None` without a
    /// problem is a problem as well.
    ///
    /// # Errors
    /// All that was wrong.
    pub fn or_missing<T>(self, made: Option<T>) -> Result<T> {
        let made = self.or(made)?;
        made.ok_or_else(|| Error::new("the configuration cannot be used"))
    }
}
