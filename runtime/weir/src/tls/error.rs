//! What is wrong with a certificate, a key or a trust store: which file, what, what to do.
//!
//! In: what reading, parsing or matching them gave. Out: a problem at its place in the `tls` table. Never: shows
//! what is in a key.

use std::fmt;
use std::path::{Path, PathBuf};

/// One problem, told to whoever wrote the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Keys and indices of the value in the `tls` table, `certificates`, `0`, `key`; none for the table
    /// as a whole.
    pub at: Vec<String>,
    /// The file, where there is one.
    pub file: Option<PathBuf>,
    /// What is wrong. Where there is a file it goes on from its name: `holds no certificate`.
    pub what: String,
    /// What to do about it.
    pub hint: String,
}

impl Error {
    pub(crate) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error { at: Vec::new(), file: None, what: what.into(), hint: hint.into() }
    }

    pub(super) fn of(file: &Path, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error { file: Some(file.to_owned()), ..Error::new(what, hint) }
    }

    /// The same, of the value that these lead to.
    pub(super) fn at(self, keys: &[&str]) -> Self {
        Error { at: keys.iter().map(|key| (*key).to_owned()).collect(), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{} ", file.display())?;
        }
        write!(f, "{}; {}", self.what, self.hint)
    }
}

impl std::error::Error for Error {}
