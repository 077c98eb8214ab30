//! What is wrong with a configuration, and where.
//!
//! In: reasons of serde and of the reader. Out: a path and a text.
//! Never: formats a float, which would bring 15 KB into every guest.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Unexpected};

use super::MAX_LEFT_OUT;
use super::found::Found;
use super::left_out::LeftOut;
use crate::problem::{Problem, inside};

/// Why a text is not the configuration: what is wrong with one value of it.
#[derive(Debug)]
pub struct JsonError(Box<Wrong>);

/// Boxed, so that every way out of every reader of a guest stays short.
#[derive(Debug)]
struct Wrong {
    problems: Vec<Problem>,
    /// The innermost value that can be left out: where it stands, and whether in a list.
    value: Option<(usize, bool)>,
    /// The pointer to it.
    pointer: String,
    /// The member that its table lacks.
    missing: Option<&'static str>,
    /// It is no JSON, so nothing else can be read.
    broken: bool,
}

// === impl JsonError ===

impl JsonError {
    #[cold]
    #[inline(never)]
    pub(super) fn new(message: String) -> Self {
        Self::of(vec![Problem::new(message)])
    }

    /// What an error of another type says.
    #[cold]
    #[inline(never)]
    fn told(message: &dyn fmt::Display) -> Self {
        // An error of this crate tells its places so.
        Self::of(Problem::all_of(&format!("{message:#}")))
    }

    /// A name that is none of those that are known.
    #[cold]
    #[inline(never)]
    fn unknown(kind: &str, name: &str, known: &[&str]) -> Self {
        let known = fmt::from_fn(|f| {
            let (first, between) = match known {
                [] => return write!(f, "there are no {kind}s"),
                [_] | [_, _] => ("expected ", " or "),
                _ => ("expected one of ", ", "),
            };
            known.iter().enumerate().try_for_each(|(at, name)| {
                write!(f, "{}`{name}`", if at == 0 { first } else { between })
            })
        });
        Self::new(format!("unknown {kind} `{name}`, {known}"))
    }

    #[cold]
    #[inline(never)]
    fn of(problems: Vec<Problem>) -> Self {
        let (value, pointer, missing, broken) = (None, String::new(), None, false);
        Self(Box::new(Wrong { problems, value, pointer, missing, broken }))
    }

    /// No JSON.
    pub(super) fn broken(message: String) -> Self {
        let mut error = Self::new(message);
        error.0.broken = true;
        error
    }

    /// A number that a visitor does not take.
    #[cold]
    #[inline(never)]
    pub(super) fn wrong(number: &str, expected: &dyn de::Expected) -> Self {
        Self::new(format!("{number} is no {expected}"))
    }

    /// The same, seen from one level further out; with the value of that level, if it can be left
    /// out.
    #[cold]
    #[inline(never)]
    pub(super) fn inside(mut self, step: &str, value: Option<(usize, bool)>) -> Self {
        let wrong = &mut *self.0;
        wrong.value = wrong.value.or(value);
        // Down to the value that is left out.
        if wrong.value.is_some() {
            inside(&mut wrong.pointer, step);
        }
        wrong.problems.iter_mut().for_each(|problem| inside(&mut problem.pointer, step));
        self
    }

    /// The same, unless the table lacks only what was left out of it.
    #[cold]
    #[inline(never)]
    pub(super) fn unless_lost(mut self, lost: &[Cow<'_, str>]) -> Self {
        let missing = self.0.missing.take();
        if missing.is_some_and(|name| lost.iter().any(|lost| lost == name)) {
            self.0.problems.clear();
        }
        self
    }

    /// Tells what is wrong, and what to leave out because of it. False where nothing else can be
    /// found.
    pub(super) fn leave_out(self, found: &mut Found) -> bool {
        let Wrong { mut problems, value, pointer, broken, .. } = *self.0;
        found.problems.append(&mut problems);
        let value = value.filter(|_| !broken && found.left_out.len() < MAX_LEFT_OUT);
        found.left_out.extend(value.map(|(at, in_list)| LeftOut { at, in_list, pointer }));
        value.is_some()
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.problems.iter().try_for_each(|problem| problem.show(f))
    }
}

impl std::error::Error for JsonError {}

impl de::Error for JsonError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::told(&message)
    }

    #[cold]
    #[inline(never)]
    fn missing_field(field: &'static str) -> Self {
        let mut error = Self::new(format!("missing field `{field}`"));
        error.0.missing = Some(field);
        error
    }

    // The texts of serde, which need not be looked through for places.

    #[cold]
    #[inline(never)]
    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("duplicate field `{field}`"))
    }

    #[cold]
    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::unknown("field", field, known)
    }

    #[cold]
    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::unknown("variant", variant, known)
    }

    #[cold]
    #[inline(never)]
    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        Self::new(format!("invalid length {length}, expected {expected}"))
    }

    // serde's own texts would bring the formatting of floats into every guest.

    #[cold]
    #[inline(never)]
    fn invalid_type(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!("{} is no {expected}", describe(&found)))
    }

    #[cold]
    #[inline(never)]
    fn invalid_value(found: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        match found {
            Unexpected::Str(text) => Self::new(format!("`{text}` is no {expected}")),
            Unexpected::Unsigned(number) => Self::new(format!("{number} is no {expected}")),
            Unexpected::Signed(number) => Self::new(format!("{number} is no {expected}")),
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
