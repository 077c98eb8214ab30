//! What the stages of [`super::load`] find, collected.
//!
//! In: problems, warnings, sources, and what could not be read. Out: as many as are told, sorted by
//! place. Never: takes a problem for one of its own that only follows from another; costs more for each
//! the more there are.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::contents::Contents;
use super::nearest::nearest;
use super::path::last_step;
use super::place::Place;
use super::problem::{Problem, told_of};
use super::stamp::Sources;
use super::tree::Lost;

/// Problems that are kept, and warnings, as they are found; the rest is counted.
const MAX_KEPT: usize = 1000;
/// Names that unknown ones are compared with, all together, to find what was meant.
const MAX_COMPARED: usize = 200_000;

/// Collects while a configuration is read.
#[derive(Debug, Default)]
pub(crate) struct Report {
    problems: RefCell<Kept>,
    warnings: RefCell<Kept>,
    /// The path of every problem.
    wrong: RefCell<BTreeSet<String>>,
    sources: RefCell<Sources>,
    contents: Contents,
    texts: RefCell<Texts>,
    lost: RefCell<AllLost>,
    compared: Cell<usize>,
}

/// The first that were found.
#[derive(Debug, Default)]
struct Kept {
    first: Vec<Problem>,
    more: usize,
}

/// Every text that was read, by its name in messages.
pub(crate) type Texts = BTreeMap<Arc<str>, Arc<str>>;

/// All of it.
#[derive(Debug, Default)]
struct AllLost {
    any: bool,
    /// There is a file among it.
    file: bool,
    /// What may be a name in it.
    words: HashSet<String>,
    /// Where each table starts that something of was lost, and ends.
    tables: BTreeMap<(Arc<str>, usize), usize>,
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
        if !problem.path.is_empty() {
            self.wrong.borrow_mut().insert(problem.path.clone());
        }
        self.problems.borrow_mut().push(problem);
    }

    pub fn warning(&self, problem: Problem) {
        self.warnings.borrow_mut().push(problem);
    }

    /// Whether one more warning would only be counted.
    pub fn has_many_warnings(&self) -> bool {
        self.warnings.borrow().first.len() >= MAX_KEPT
    }

    /// The name that was most likely meant; none where too many were compared already.
    pub fn nearest<'a>(
        &self,
        written: &str,
        known: impl ExactSizeIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let compared = self.compared.get().saturating_add(known.len().max(1));
        self.compared.set(compared);
        if compared > MAX_COMPARED { None } else { nearest(written, known) }
    }

    /// Whether what was meant by every unknown name was looked for.
    pub fn compared_all(&self) -> bool {
        self.compared.get() <= MAX_COMPARED
    }

    /// A file that is going to be read, or that would be if it were there. To be called before it
    /// is read: a change from then on makes it another file.
    pub fn source(&self, path: PathBuf) {
        self.sources.borrow_mut().entry(path).or_insert_with_key(|path| self.contents.stamp(path));
    }

    /// Whether a file is one of those that were read so far, by whatever name.
    pub fn is_source(&self, path: &Path) -> bool {
        let Ok(path) = path.canonicalize() else { return false };
        let sources = self.sources.borrow();
        sources.keys().any(|source| source.canonicalize().is_ok_and(|source| source == path))
    }

    /// The files of this reading.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    pub fn text(&self, file: &Arc<str>, text: &str) {
        self.texts.borrow_mut().insert(file.clone(), text.into());
    }

    pub fn lost(&self, lost: Lost) {
        let mut all = self.lost.borrow_mut();
        all.any = true;
        match lost {
            Lost::All => all.file = true,
            Lost::Part { file, table, words } => {
                let word = |c: char| !may_be_named(c);
                for word in words.split(word).filter(|word| !word.is_empty()) {
                    // `upstreams.users` may be a name, and is the path of one.
                    all.words.extend([word.to_owned()]);
                    all.words.extend(word.split('.').map(str::to_owned));
                }
                let end = all.tables.entry((file, table.start)).or_default();
                *end = table.end.max(*end);
            }
        }
    }

    /// Whether anything could not be read.
    pub fn has_lost(&self) -> bool {
        self.lost.borrow().any
    }

    /// Whether something of this name may stand in what could not be read.
    pub fn may_have_lost(&self, name: &str) -> bool {
        let lost = self.lost.borrow();
        // A name that no name may be is not looked for.
        lost.any && (lost.file || lost.words.contains(name) || !name.chars().all(may_be_named))
    }

    /// Whether keys of this table may stand in what could not be read.
    pub fn may_have_lost_of(&self, path: &str, place: &Place) -> bool {
        let inside = || {
            let Place::At { file, span, .. } = place else { return false };
            let lost = self.lost.borrow();
            // Tables of one file lie behind each other.
            let before = lost.tables.range(..=(file.clone(), span.start)).next_back();
            before.is_some_and(|((other, _), end)| other == file && span.start < *end)
        };
        match last_step(path) {
            Some(name) => self.may_have_lost(&name) || inside(),
            None => self.has_lost(),
        }
    }

    /// Whether something is wrong with the value at this path, or inside of it.
    pub fn is_wrong(&self, path: &str) -> bool {
        let wrong = self.wrong.borrow();
        let inside = |start: String| {
            let first = wrong.range(start.clone()..).next();
            first.is_some_and(|first| first.starts_with(&start))
        };
        wrong.contains(path) || inside(format!("{path}.")) || inside(format!("{path}["))
    }

    pub fn finish(self) -> Collected {
        let told = |kept: Kept, what| told_of(kept.first, kept.more, what);
        Collected {
            problems: told(self.problems.into_inner(), "problem"),
            warnings: told(self.warnings.into_inner(), "warning"),
            sources: self.sources.into_inner(),
            contents: self.contents,
            texts: self.texts.into_inner(),
        }
    }
}

// === impl Kept ===

impl Kept {
    fn push(&mut self, problem: Problem) {
        match self.first.len() < MAX_KEPT {
            true => self.first.push(problem),
            false => self.more += problem.counts,
        }
    }
}

fn may_be_named(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}
