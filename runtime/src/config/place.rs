//! Where something stands.
//!
//! In: a text and a byte of it. Out: a [`Place`] that people can look up. Never: holds the text.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Where a key or a value stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In a file or a named text; line and column count characters from 1.
    At { file: Arc<str>, line: usize, column: usize, span: Span },
    /// A file or directory as a whole.
    Whole(Arc<str>),
    /// An override: `WEIR__LISTENERS__WEB__BIND`.
    Variable(Arc<str>),
}

/// Bytes of a text, from the first to behind the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

/// Finds the places of bytes in a text.
pub(crate) struct Lines<'a> {
    file: &'a Arc<str>,
    text: &'a str,
    /// Where each line starts.
    starts: Vec<usize>,
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
            Place::At { file, line, column, .. } => write!(f, "{file}:{line}:{column}"),
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

    /// The place of these bytes; beyond the end it is the end's.
    pub fn place(&self, bytes: Range<usize>) -> Place {
        let line = self.starts.partition_point(|start| *start <= bytes.start);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.text.get(start..).unwrap_or_default().char_indices();
        let column = before.take_while(|(at, _)| start + at < bytes.start).count() + 1;
        let span = Span { start: bytes.start, end: bytes.end };
        Place::At { file: self.file.clone(), line, column, span }
    }
}
