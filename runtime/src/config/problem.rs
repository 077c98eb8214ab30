//! What is wrong with a configuration, and where.
//!
//! In: what the stages of [`super::load`] find. Out: [`Problems`], sorted by place, one thought a
//! line, each with a hint. Never: stops at the first, or quotes a value that came from `${…}`.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::stamp::{Sources, Stamp};

/// Where a key or a value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a file or a named text; line and column count characters from 1.
    At { file: Arc<str>, line: usize, column: usize },
    /// A file or directory as a whole.
    Whole(Arc<str>),
    /// An override: `WEIR__LISTENERS__WEB__BIND`.
    Variable(Arc<str>),
}

/// Finds the place of a byte in a text.
pub(crate) struct Lines<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    /// Where each line starts.
    starts: Vec<usize>,
}

/// One problem, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    /// The key concerned, `routes.api.match.host`; empty where there is none.
    pub path: String,
    pub message: String,
    /// What to do next, where that can be said.
    pub hint: Option<String>,
}

/// Everything that is wrong; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

/// Why a text is not what its key wants; the reader adds place and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub message: String,
    pub hint: Option<String>,
}

/// Collects while a configuration is read.
#[derive(Debug, Default)]
pub(crate) struct Report {
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    sources: RefCell<Sources>,
}

// === impl Problems ===

impl Problems {
    /// Sorted by place; `None` where there is nothing.
    pub fn of(mut problems: Vec<Problem>) -> Option<Problems> {
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        (!problems.is_empty()).then_some(Problems(problems))
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems(vec![problem])
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
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
        Problem { place, path: path.into(), message: message.into(), hint: None }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
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
        write!(f, "{place}: {}: {message}", self.label)?;
        match hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

// === impl Place ===

impl Place {
    /// The folder that relative paths written here start from; `None` for an override.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Place::At { file, .. } => Path::new(file.as_ref()).parent(),
            Place::Whole(_) | Place::Variable(_) => None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::At { file, line, column } => write!(f, "{file}:{line}:{column}"),
            Place::Whole(file) => f.write_str(file),
            Place::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

// === impl Lines ===

impl<'a> Lines<'a> {
    pub fn new(file: &'a Arc<str>, text: &'a str) -> Lines<'a> {
        let ends = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Lines { file, text, starts: std::iter::once(0).chain(ends).collect() }
    }

    /// The place of byte `offset`; beyond the end it is the end's.
    pub fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..).unwrap_or_default().char_indices();
        let column = before.take_while(|(at, _)| start + at < offset).count() + 1;
        Place::At { file: self.file.clone(), line, column }
    }
}

// === impl Fault ===

impl Fault {
    pub fn new(message: impl Into<String>) -> Fault {
        Fault { message: message.into(), hint: None }
    }

    pub fn hint(message: impl Into<String>, hint: impl Into<String>) -> Fault {
        Fault { message: message.into(), hint: Some(hint.into()) }
    }
}

// === impl Report ===

impl Report {
    pub fn problem(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub fn warning(&self, problem: Problem) {
        self.warnings.borrow_mut().push(problem);
    }

    /// A file that is going to be read, or that would be if it were there. To be called before it
    /// is read: a change from then on makes it another file.
    pub fn source(&self, path: PathBuf) {
        self.sources.borrow_mut().entry(path).or_insert_with_key(|path| Stamp::of(path));
    }

    /// Problems, warnings (sorted by place) and sources.
    pub fn finish(self) -> (Option<Problems>, Vec<Problem>, Sources) {
        let mut warnings = self.warnings.into_inner();
        warnings.sort_by(|a, b| a.place.cmp(&b.place));
        (Problems::of(self.problems.into_inner()), warnings, self.sources.into_inner())
    }
}

/// The name among `known` that `written` was most likely meant to be.
pub(crate) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let fold = |s: &str| s.to_ascii_lowercase().replace('-', "_");
    let written = fold(written);
    let bound = (written.chars().count() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|name| (distance(&written, &fold(name)), name))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut left = None;
    for (i, c) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, d) in b.iter().enumerate() {
            let mut cost = (last[j] + usize::from(c != *d)).min(last[j + 1] + 1).min(row[j] + 1);
            if j > 0 && left == Some(*d) && c == b[j - 1] {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
        left = Some(c);
    }
    last[b.len()]
}
