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
    /// In order: where each line starts, and some places in long ones.
    known: Vec<Known>,
}

/// A byte, and its line and column.
struct Known {
    byte: usize,
    line: usize,
    column: usize,
}

/// Bytes of a line that columns are counted in: a file may be one line.
const STEP: usize = 512;

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
        let mut known = vec![Known { byte: 0, line: 1, column: 1 }];
        let (mut line, mut column, mut last) = (1, 1, 0);
        for (at, c) in text.char_indices() {
            (line, column) = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
            let byte = at + c.len_utf8();
            if column == 1 || byte - last >= STEP {
                known.push(Known { byte, line, column });
                last = byte;
            }
        }
        Lines { file, text, known }
    }

    /// The place of these bytes; beyond the end it is the end's.
    pub fn place(&self, bytes: Range<usize>) -> Place {
        let before = self.known.partition_point(|known| known.byte <= bytes.start);
        let before = self.known.get(before.saturating_sub(1));
        let (start, line, column) = before.map_or((0, 1, 1), |at| (at.byte, at.line, at.column));
        let between = self.text.get(start..).unwrap_or_default().char_indices();
        let column = column + between.take_while(|(at, _)| start + at < bytes.start).count();
        let span = Span { start: bytes.start, end: bytes.end };
        Place::At { file: self.file.clone(), line, column, span }
    }
}
