//! What the stages of [`super::load`] find, collected.
//!
//! In: problems, warnings, sources, and what could not be read. Out: all of them, sorted by place.
//! Never: takes a problem for one of its own that only follows from another.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::contents::Contents;
use super::place::{Place, Span};
use super::places::last_step;
use super::problem::Problem;
use super::stamp::Sources;

/// Collects while a configuration is read.
#[derive(Debug, Default)]
pub(crate) struct Report {
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Problem>>,
    sources: RefCell<Sources>,
    contents: Contents,
    texts: RefCell<Texts>,
    lost: RefCell<Vec<Lost>>,
}

/// Every text that was read, by its name in messages.
pub(crate) type Texts = BTreeMap<Arc<str>, Arc<str>>;

/// Something that was written and could not be read, and what it may have said is not missing.
#[derive(Debug)]
pub(crate) enum Lost {
    /// A part of a text: the table around it, and its own words.
    Part { file: Arc<str>, table: Span, words: String },
    /// A file.
    All,
}

/// What was collected.
pub(crate) struct Collected {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    pub sources: Sources,
    pub contents: Contents,
    pub texts: Texts,
}

// === impl Report ===

impl Report {
    pub fn new(contents: Contents) -> Report {
        Report { contents, ..Report::default() }
    }

    pub fn problem(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub fn warning(&self, problem: Problem) {
        self.warnings.borrow_mut().push(problem);
    }

    /// A file that is going to be read, or that would be if it were there. To be called before it
    /// is read: a change from then on makes it another file.
    pub fn source(&self, path: PathBuf) {
        self.sources.borrow_mut().entry(path).or_insert_with_key(|path| self.contents.stamp(path));
    }

    /// The files of this reading.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    pub fn text(&self, file: &Arc<str>, text: &str) {
        self.texts.borrow_mut().insert(file.clone(), text.into());
    }

    pub fn lost(&self, lost: Lost) {
        self.lost.borrow_mut().push(lost);
    }

    /// Whether anything could not be read.
    pub fn has_lost(&self) -> bool {
        !self.lost.borrow().is_empty()
    }

    /// Whether something of this name may stand in what could not be read.
    pub fn may_have_lost(&self, name: &str) -> bool {
        self.lost.borrow().iter().any(|lost| match lost {
            Lost::Part { words, .. } => words.contains(name),
            Lost::All => true,
        })
    }

    /// Whether keys of this table may stand in what could not be read.
    pub fn may_have_lost_of(&self, path: &str, place: &Place) -> bool {
        let inside = |lost: &Lost| match (lost, place) {
            (Lost::Part { file, table, .. }, Place::At { file: here, span, .. }) => {
                file == here && (table.start..table.end).contains(&span.start)
            }
            _ => false,
        };
        match last_step(path) {
            Some(name) => self.may_have_lost(&name) || self.lost.borrow().iter().any(inside),
            None => self.has_lost(),
        }
    }

    /// Whether something is wrong with the value at this path, or inside of it.
    pub fn is_wrong(&self, path: &str) -> bool {
        let within = |problem: &Problem| {
            let rest = problem.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.problems.borrow().iter().any(within)
    }

    pub fn finish(self) -> Collected {
        let sorted = |mut problems: Vec<Problem>| {
            problems.sort_by(|a, b| a.place.cmp(&b.place));
            problems
        };
        Collected {
            problems: sorted(self.problems.into_inner()),
            warnings: sorted(self.warnings.into_inner()),
            sources: self.sources.into_inner(),
            contents: self.contents,
            texts: self.texts.into_inner(),
        }
    }
}
