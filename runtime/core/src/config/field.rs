//! Reading a single value.
//!
//! In: a node and the [`Kind`] it should be of. Out: the value, or `None` with a problem reported.
//! Never: quotes a value that [may not be told](super::told).

use std::time::Duration;

use weir_units as units;

use super::keys::Kind;
use super::mismatch::{self, Wanted};
use super::place::Place;
use super::problem::{Fault, Problem};
use super::report::Report;
use super::scalar;
use super::told;
use super::tree::{Node, Table, Value};

/// A value, the path that leads to it and the kind it should be of.
pub(crate) struct Field<'a> {
    pub node: &'a Node,
    pub path: String,
    pub kind: &'static Kind,
    /// What the definition says of it.
    pub says: &'static str,
    /// It stands under a name of the user's choice that secrets go by.
    pub secret: bool,
    pub report: &'a Report,
}

// === impl Field ===

impl<'a> Field<'a> {
    /// A problem with this value: the message is put behind the path.
    pub fn problem(&self, fault: Fault) {
        // What a parser says may quote the text.
        let invalid = |message: String| Fault::hint(message, self.wanted());
        match &self.node.written {
            _ if self.secret || self.node.is_secret() => {
                let quotes = |words: &String| match &self.node.value {
                    Value::String(text) => told::may_quote(words, text),
                    _ => true,
                };
                let Fault { message, hint, secret } = fault;
                let message = match secret {
                    true => message,
                    false => "this value is not valid here".to_owned(),
                };
                let hint = hint.filter(|hint| !quotes(hint)).unwrap_or_else(|| self.wanted());
                self.plain_problem(Fault::hint(message, hint).secret());
            }
            None => self.plain_problem(fault),
            Some(written) => {
                let written = told::as_written(written);
                self.plain_problem(invalid(format!(
                    "what {written:?} stands for is not valid here"
                )));
            }
        }
    }

    /// What the definition says, as a hint.
    fn wanted(&self) -> String {
        let says = self.says.trim_end_matches("; required");
        match (Wanted::from(self.kind), self.range()) {
            (Wanted::Text | Wanted::Anything, _) => format!("what is wanted: {says}"),
            (wanted, None) => format!("what is wanted: {wanted}: {says}"),
            (wanted, Some(range)) => format!("what is wanted: {wanted}, {range}: {says}"),
        }
    }

    /// `1 to 65535`
    fn range(&self) -> Option<String> {
        match self.kind {
            Kind::Integer(min, max) => Some(format!("{min} to {max}")),
            Kind::Duration(min, max) => {
                let show = |value: &Duration| units::duration::show(*value).to_string();
                Some(format!("{} to {}", show(min), show(max)))
            }
            Kind::Size(min, max) => {
                let show = |value: &u64| units::size::show(*value).to_string();
                Some(format!("{} to {}", show(min), show(max)))
            }
            _ => None,
        }
    }

    /// As [`Self::problem`], for messages that never quote the value.
    pub fn plain_problem(&self, fault: Fault) {
        self.problem_at(&self.node.place, fault);
    }

    /// A path made from this value, for messages: as written, if there was `${…}` in it.
    pub fn shown_path(&self, path: &std::path::Path) -> String {
        self.node.shown_path(path)
    }

    /// Something that deserves a look and stops nothing.
    pub fn warning(&self, fault: Fault) {
        self.report.warning(Problem::of(fault, self.node.place.clone(), &self.path));
    }

    /// A problem with the key that this value stands under.
    pub fn problem_at(&self, key: &Place, fault: Fault) {
        let hint = fault.hint.or_else(|| Some(self.wanted()));
        let fault = Fault { hint, ..fault };
        self.report.problem(Problem::of(fault, key.clone(), &self.path));
    }

    pub fn is_empty_list(&self) -> bool {
        matches!(&self.node.value, Value::Array(items) if items.is_empty())
    }

    fn wrong_type(&self) {
        if let Some(fault) = mismatch::fault(self.kind, self.node, self.secret) {
            self.plain_problem(fault);
        }
    }

    pub fn text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::String(text) => Some(text),
            _ => {
                self.wrong_type();
                None
            }
        }
    }

    pub fn parsed<T>(&self, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        parse(self.text()?).map_err(|fault| self.problem(fault)).ok()
    }

    /// The text, if `${…}` in it was replaced: only so can it stand for a number or a flag.
    fn interpolated(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::String(text) if self.node.written.is_some() => Some(text),
            _ => None,
        }
    }

    pub fn flag(&self) -> Option<bool> {
        match (&self.node.value, self.interpolated().map(str::parse::<bool>)) {
            (Value::Boolean(flag), _) => Some(*flag),
            (_, Some(Ok(flag))) => Some(flag),
            _ => {
                self.wrong_type();
                None
            }
        }
    }

    pub fn integer(&self) -> Option<i64> {
        let n = match (&self.node.value, self.interpolated().map(str::parse::<i64>)) {
            (Value::Integer(n), _) => *n,
            (_, Some(Ok(n))) => n,
            _ => {
                self.wrong_type();
                return None;
            }
        };
        match self.kind {
            Kind::Integer(min, max) if !(min..=max).contains(&&n) => {
                self.problem(Fault::new(format!("{n} is out of range: {min} to {max}")));
                None
            }
            _ => Some(n),
        }
    }

    pub fn duration(&self) -> Option<Duration> {
        let Kind::Duration(min, max) = self.kind else { return None };
        self.parsed(|text| {
            let value = scalar::duration(text)?;
            if (*min..=*max).contains(&value) {
                return Ok(value);
            }
            let (min, max) = (units::duration::show(*min), units::duration::show(*max));
            Err(Fault::new(format!("{text:?} is out of range: {min} to {max}")))
        })
    }

    pub fn size(&self) -> Option<u64> {
        let Kind::Size(min, max) = self.kind else { return None };
        self.parsed(|text| {
            let value = scalar::size(text)?;
            if (*min..=*max).contains(&value) {
                return Ok(value);
            }
            let (min, max) = (units::size::show(*min), units::size::show(*max));
            Err(Fault::new(format!("{text:?} is out of range: {min} to {max}")))
        })
    }

    pub fn one_of(&self) -> Option<&'static str> {
        let Kind::OneOf(choices) = self.kind else { return None };
        self.parsed(|text| {
            if let Some(choice) = choices.iter().find(|choice| **choice == text) {
                return Ok(*choice);
            }
            let hint = match self.report.nearest(text, choices.iter().copied()) {
                Some(choice) => format!("did you mean {choice:?}?"),
                None => format!("write {}", Wanted::from(self.kind)),
            };
            Err(Fault::hint(format!("{text:?} is none of the choices"), hint))
        })
    }

    pub fn list(&self) -> Option<Vec<Field<'a>>> {
        let Kind::List(kind) = self.kind else { return None };
        let Value::Array(items) = &self.node.value else {
            self.wrong_type();
            return None;
        };
        let item = |(i, node): (usize, &'a Node)| Field {
            node,
            path: format!("{}[{i}]", self.path),
            kind,
            says: self.says,
            secret: self.secret,
            report: self.report,
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// Either the string, or this value as what the string is a shorthand of.
    pub fn shorthand(&self) -> Result<&'a str, Option<Field<'a>>> {
        match (&self.node.value, self.kind) {
            (Value::String(text), _) => Ok(text),
            (Value::Table(_), Kind::TextOr(kind @ Kind::Table(_)))
            | (Value::Array(_), Kind::TextOr(kind @ Kind::List(_))) => Err(Some(Field {
                node: self.node,
                path: self.path.clone(),
                kind,
                says: self.says,
                secret: self.secret,
                report: self.report,
            })),
            _ => {
                self.wrong_type();
                Err(None)
            }
        }
    }

    pub fn as_table(&self) -> Option<&'a Table> {
        let table = self.node.as_table();
        if table.is_none() {
            self.wrong_type();
        }
        table
    }
}
