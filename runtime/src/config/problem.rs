//! What is wrong with a configuration.
//!
//! In: what the stages of [`super::read()`] find. Out: [`Problems`], sorted by place: one line each
//! for logs and machines, and what a person is shown of it. Never: stops at the first, or quotes a
//! value that came from `${…}`.

use std::fmt;

use super::excerpt::Excerpt;
use super::place::Place;

/// One problem. Its `Display` is one line: `file:line:column: error: message; hint: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    /// The key concerned, `routes.api.match.host`; empty where there is none.
    pub path: String,
    pub message: String,
    /// What to do next, where that can be said.
    pub hint: Option<String>,
    /// The line it is about, for people; none where there is none, or it may hold a secret.
    pub excerpt: Option<Excerpt>,
    /// The value at its place is a secret.
    pub(crate) secret: bool,
}

/// Everything that is wrong, never nothing; and what deserves a look besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

/// Why a text is not what its key wants; the reader adds place and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub message: String,
    pub hint: Option<String>,
    /// The text is a secret, which the message does not tell.
    pub secret: bool,
}

// === impl Problems ===

impl Problems {
    /// Sorted by place; `None` where there is no problem.
    pub fn of(mut problems: Vec<Problem>, mut warnings: Vec<Problem>) -> Option<Problems> {
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        warnings.sort_by(|a, b| a.place.cmp(&b.place));
        (!problems.is_empty()).then_some(Problems { problems, warnings })
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.problems.iter()
    }

    /// What deserves a look and stops nothing.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    pub fn len(&self) -> usize {
        self.problems.len()
    }

    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems { problems: vec![problem], warnings: Vec::new() }
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.problems.into_iter()
    }
}

impl fmt::Display for Problems {
    /// Without the warnings.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

// === impl Problem ===

impl Problem {
    pub fn new(place: Place, path: impl Into<String>, message: impl Into<String>) -> Problem {
        let (hint, excerpt) = (None, None);
        Problem { place, path: path.into(), message: message.into(), hint, excerpt, secret: false }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// A fault of the value at a path: the message is put behind the path.
    pub(crate) fn of(fault: Fault, place: Place, path: &str) -> Problem {
        let Fault { message, hint, secret } = fault;
        let message = format!("{path}: {message}");
        Problem { hint, secret, ..Problem::new(place, path, message) }
    }

    /// As it is printed where it does not stop anything.
    pub fn as_warning(&self) -> impl fmt::Display + '_ {
        Labelled { problem: self, label: "warning" }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Labelled { problem: self, label: "error" }.fmt(f)
    }
}

struct Labelled<'a> {
    problem: &'a Problem,
    label: &'static str,
}

impl fmt::Display for Labelled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { place, message, hint, .. } = self.problem;
        write!(f, "{place}: {}: {}", self.label, OneLine(message))?;
        match hint {
            Some(hint) => write!(f, "; hint: {}", OneLine(hint)),
            None => Ok(()),
        }
    }
}

/// A text that may be a plugin's own, without line ends and what else moves a terminal's cursor.
struct OneLine<'a>(&'a str);

impl fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

// === impl Fault ===

impl Fault {
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { message: message.into(), hint: None, secret: false }
    }

    pub fn hint(message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault { hint: Some(hint.into()), ..Fault::new(message) }
    }

    /// The text is a secret: nobody shows it.
    pub fn secret(self) -> Fault {
        Fault { secret: true, ..self }
    }
}
