//! What is wrong with a configuration, and where.
//!
//! In: reasons of serde and of the reader. Out: a path and a text.
//! Never: formats a float, which would bring 15 KB into every guest.

use std::fmt::{self, Write};

use serde::de::{self, Unexpected};

/// Why a text is not the configuration: a path into it and a reason.
#[derive(Debug)]
pub struct JsonError {
    path: String,
    message: String,
}

// === impl JsonError ===

impl JsonError {
    pub(super) fn new(message: String) -> Self {
        Self { path: String::new(), message }
    }

    /// A number that a visitor does not take.
    #[cold]
    #[inline(never)]
    pub(super) fn wrong(number: &str, expected: &dyn de::Expected) -> Self {
        Self::new(format!("{number} is no {expected}"))
    }

    /// The same, seen from one level further out.
    #[cold]
    #[inline(never)]
    pub(super) fn inside(mut self, step: &str) -> Self {
        let dot = !self.path.is_empty() && !self.path.starts_with('[');
        let mut path = String::from(step);
        path.push_str(if dot { "." } else { "" });
        path.push_str(&self.path);
        self.path = path;
        self
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            f.write_str(&self.path)?;
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for JsonError {}

impl de::Error for JsonError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let mut text = String::new();
        let _ = write!(text, "{message}");
        Self { path: String::new(), message: text }
    }

    // serde's own text would bring the formatting of floats into every guest.
    #[cold]
    #[inline(never)]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("{} is no {expected}", describe(&found)))
    }

    #[cold]
    #[inline(never)]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        match found {
            Unexpected::Str(text) => Self::custom(format_args!("`{text}` is no {expected}")),
            Unexpected::Unsigned(number) => Self::custom(format_args!("{number} is no {expected}")),
            Unexpected::Signed(number) => Self::custom(format_args!("{number} is no {expected}")),
            _ => Self::invalid_type(found, expected),
        }
    }
}

fn describe(found: &Unexpected<'_>) -> &'static str {
    match found {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) => "an integer",
        Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) => "a text",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map => "a table",
        _ => "this",
    }
}
