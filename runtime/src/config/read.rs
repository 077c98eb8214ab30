//! Typed readers over the tree.
//!
//! In: nodes and the definitions of [`super::keys`]. Out: values, or `None` with a problem
//! reported: reading goes on, so that one run finds everything. Never: knows what a value is for.

use std::time::Duration;

use super::keys::{Key, Kind};
use super::places::join;
use super::problem::{Fault, Place, Problem, Report, nearest};
use super::scalar::{self, show_duration, show_size};
use super::tree::{Node, Table, Value};

/// A table whose keys are defined.
pub(crate) struct TableReader<'a> {
    pub place: &'a Place,
    pub path: String,
    table: &'a Table,
    keys: &'static [Key],
    /// Keys that an unknown one was most likely meant to be: nobody need hear that they are missing.
    misspelled: Vec<&'static str>,
    report: &'a Report,
}

/// A value, the path that leads to it and the kind it should be of.
pub(crate) struct Field<'a> {
    pub node: &'a Node,
    pub path: String,
    kind: &'static Kind,
    says: &'static str,
    report: &'a Report,
}

/// An entry of a table whose keys are the user's.
pub(crate) struct Named<'a, T> {
    pub name: &'a str,
    /// Where the name stands.
    pub key: &'a Place,
    pub value: T,
}

// === impl TableReader ===

impl<'a> TableReader<'a> {
    /// Reports keys that are not defined.
    pub fn new(
        node: &'a Node,
        table: &'a Table,
        path: String,
        keys: &'static [Key],
        report: &'a Report,
    ) -> TableReader<'a> {
        let misspelled = Vec::new();
        let mut reader = TableReader { place: &node.place, path, table, keys, misspelled, report };
        for (name, entry) in table {
            if !keys.iter().any(|key| key.name == name) {
                let meant = nearest(name, keys.iter().map(|key| key.name));
                reader.unknown(name, &entry.key, meant);
                reader.misspelled.extend(meant);
            }
        }
        reader
    }

    fn unknown(&self, name: &str, place: &Place, meant: Option<&str>) {
        let within = |key: &&Key| match &key.kind {
            Kind::Table(keys) | Kind::TextOr(Kind::Table(keys)) => {
                keys.iter().any(|key| key.name == name)
            }
            _ => false,
        };
        let hint = if let Some(meant) = meant {
            format!("did you mean {meant:?}?")
        } else if let Some(key) = self.keys.iter().find(within) {
            format!("it belongs in [{}]", join(&self.path, key.name))
        } else {
            let known: Vec<&str> = self.keys.iter().map(|key| key.name).collect();
            format!("known here: {}", known.join(", "))
        };
        let message = match self.path.as_str() {
            "" => format!("unknown key {name:?}"),
            path => format!("unknown key {name:?} in {}", bracketed(path)),
        };
        self.report
            .problem(Problem::new(place.clone(), join(&self.path, name), message).with_hint(hint));
    }

    pub fn field(&self, name: &str) -> Option<Field<'a>> {
        let key = self.keys.iter().find(|key| key.name == name);
        debug_assert!(key.is_some(), "{name} is not defined in {}", self.path);
        let node = &self.table.get(name)?.node;
        let (path, report) = (join(&self.path, name), self.report);
        let Key { kind, says, .. } = key?;
        Some(Field { node, path, kind, says, report })
    }

    /// As [`Self::field`]; absence is a problem.
    pub fn required(&self, name: &str) -> Option<Field<'a>> {
        let field = self.field(name);
        if field.is_none() && !self.is_misspelled(name) {
            let says = self.keys.iter().find(|key| key.name == name).map_or("", |key| key.says);
            self.problem(Fault::hint(
                format!("{} has no {name:?}", bracketed(&self.path)),
                says.trim_end_matches("; required"),
            ));
        }
        field
    }

    pub fn is_misspelled(&self, name: &str) -> bool {
        self.misspelled.contains(&name)
    }

    /// A problem of the table as a whole; the message names it.
    pub fn problem(&self, fault: Fault) {
        let Fault { message, hint } = fault;
        self.report.problem(Problem {
            place: self.place.clone(),
            path: self.path.clone(),
            message,
            hint,
        });
    }

    pub fn parsed<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, Fault>) -> Option<T> {
        self.field(name)?.parsed(parse)
    }

    pub fn flag(&self, name: &str) -> Option<bool> {
        self.field(name)?.flag()
    }

    /// Within the bounds of its definition, which must fit `T`.
    pub fn integer<T: TryFrom<i64>>(&self, name: &str) -> Option<T> {
        T::try_from(self.field(name)?.integer()?).ok()
    }

    pub fn duration(&self, name: &str) -> Option<Duration> {
        self.field(name)?.duration()
    }

    pub fn size<T: TryFrom<u64>>(&self, name: &str) -> Option<T> {
        T::try_from(self.field(name)?.size()?).ok()
    }

    pub fn one_of(&self, name: &str) -> Option<&'static str> {
        self.field(name)?.one_of()
    }

    pub fn list(&self, name: &str) -> Option<Vec<Field<'a>>> {
        self.field(name)?.list()
    }

    pub fn table(&self, name: &str) -> Option<TableReader<'a>> {
        self.field(name)?.table()
    }

    /// The tables of a section, sorted by name.
    pub fn named(&self, name: &str) -> Vec<Named<'a, TableReader<'a>>> {
        let Some(section) = self.field(name) else { return Vec::new() };
        let Kind::Named(keys) = section.kind else { return Vec::new() };
        let Some(table) = section.as_table() else { return Vec::new() };
        let mut out = Vec::new();
        for (name, entry) in table {
            let path = join(&section.path, name);
            check_name(name, &entry.key, &path, self.report);
            let (node, report) = (&entry.node, self.report);
            let field = Field { node, path, kind: &Kind::Map(&Kind::Any), says: "", report };
            if let Some(table) = field.as_table() {
                let value = TableReader::new(node, table, field.path, keys, report);
                out.push(Named { name, key: &entry.key, value });
            }
        }
        out
    }
}

/// Names go into metrics, logs and headers: short, and without anything to escape.
fn check_name(name: &str, place: &Place, path: &str, report: &Report) {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if name.is_empty() || name.len() > 64 || !name.bytes().all(legal) {
        let message =
            format!("{name:?} is not a name: 1 to 64 letters, digits, \"-\", \"_\" or \".\"");
        report.problem(Problem::new(place.clone(), path, message).with_hint("rename it"));
    }
}

fn bracketed(path: &str) -> String {
    if path.contains('[') { path.to_owned() } else { format!("[{path}]") }
}

// === impl Field ===

impl<'a> Field<'a> {
    /// A problem with this value: the message is put behind the path.
    pub fn problem(&self, fault: Fault) {
        match &self.node.written {
            None => self.plain_problem(fault),
            // What a parser says may quote the text, and this one is a secret.
            Some(written) => self.plain_problem(Fault::hint(
                format!("what {written:?} stands for is not valid here"),
                format!("what is wanted: {}", self.says.trim_end_matches("; required")),
            )),
        }
    }

    /// As [`Self::problem`], for messages that never quote the value.
    pub fn plain_problem(&self, fault: Fault) {
        self.problem_at(&self.node.place, fault);
    }

    /// A path made from this value, for messages: as written, if there was `${…}` in it.
    pub fn shown_path(&self, path: &std::path::Path) -> String {
        self.node.written.as_deref().map_or_else(|| path.display().to_string(), str::to_owned)
    }

    /// Something that deserves a look and stops nothing.
    pub fn warning(&self, fault: Fault) {
        let Fault { message, hint } = fault;
        self.report.warning(Problem {
            place: self.node.place.clone(),
            path: self.path.clone(),
            message: format!("{}: {message}", self.path),
            hint,
        });
    }

    /// A problem with the key that this value stands under.
    pub fn problem_at(&self, key: &Place, fault: Fault) {
        let Fault { message, hint } = fault;
        let message = format!("{}: {message}", self.path);
        self.report.problem(Problem { place: key.clone(), path: self.path.clone(), message, hint });
    }

    pub fn is_empty_list(&self) -> bool {
        matches!(&self.node.value, Value::Array(items) if items.is_empty())
    }

    fn wrong_type(&self) {
        if matches!(self.node.value, Value::Broken) {
            return;
        }
        let quotes = |text: &str| format!("put it in quotes: {text:?}");
        let hint = match (self.kind, &self.node.value) {
            (Kind::Duration(..), Value::Integer(n)) => {
                Some(format!("with a unit: \"{n}s\" or \"{n}ms\""))
            }
            (Kind::Size(..), Value::Integer(n)) => Some(format!("with a unit: \"{n}B\"")),
            (Kind::Text | Kind::TextOr(_) | Kind::OneOf(_), Value::Integer(n)) => {
                Some(quotes(&n.to_string()))
            }
            (Kind::Text | Kind::TextOr(_) | Kind::OneOf(_), Value::Float(n)) => {
                Some(quotes(&n.to_string()))
            }
            (Kind::Text, Value::Boolean(b)) => Some(quotes(&b.to_string())),
            (Kind::Integer(..), Value::String(text)) if text.parse::<i64>().is_ok() => {
                Some("write it without quotes".to_owned())
            }
            (Kind::Flag, Value::String(text)) if matches!(text.as_str(), "true" | "false") => {
                Some("write it without quotes".to_owned())
            }
            (Kind::List(Kind::Text | Kind::TextOr(_)), Value::String(_)) => {
                Some("put it in brackets: [\"…\"]".to_owned())
            }
            _ => None,
        };
        let message = format!(
            "{}: expected {}, found {}",
            self.path,
            expected(self.kind),
            self.node.described()
        );
        self.report.problem(Problem {
            place: self.node.place.clone(),
            path: self.path.clone(),
            message,
            hint,
        });
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
            let (min, max) = (show_duration(*min), show_duration(*max));
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
            let (min, max) = (show_size(*min), show_size(*max));
            Err(Fault::new(format!("{text:?} is out of range: {min} to {max}")))
        })
    }

    pub fn one_of(&self) -> Option<&'static str> {
        let Kind::OneOf(choices) = self.kind else { return None };
        self.parsed(|text| {
            if let Some(choice) = choices.iter().find(|choice| **choice == text) {
                return Ok(*choice);
            }
            let hint = match nearest(text, choices.iter().copied()) {
                Some(choice) => format!("did you mean {choice:?}?"),
                None => format!("write {}", expected(self.kind)),
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
            report: self.report,
        };
        Some(items.iter().enumerate().map(item).collect())
    }

    pub fn table(&self) -> Option<TableReader<'a>> {
        let Kind::Table(keys) = self.kind else { return None };
        let table = self.as_table()?;
        Some(TableReader::new(self.node, table, self.path.clone(), keys, self.report))
    }

    /// Values of one kind under keys of the user's choice.
    pub fn entries(&self) -> Vec<Named<'a, Field<'a>>> {
        let Kind::Map(kind) = self.kind else { return Vec::new() };
        let Some(table) = self.as_table() else { return Vec::new() };
        let entry = |(name, entry): (&'a String, &'a super::tree::Entry)| {
            let path = join(&self.path, name);
            let (says, report) = (self.says, self.report);
            let value = Field { node: &entry.node, path, kind, says, report };
            Named { name: name.as_str(), key: &entry.key, value }
        };
        table.iter().map(entry).collect()
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

fn expected(kind: &Kind) -> String {
    match kind {
        Kind::Text => "a string".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Integer(..) => "a whole number".to_owned(),
        Kind::Duration(..) => "a duration such as \"10s\"".to_owned(),
        Kind::Size(..) => "a size such as \"64KiB\"".to_owned(),
        Kind::OneOf(choices) => {
            choices.iter().map(|choice| format!("{choice:?}")).collect::<Vec<_>>().join(" or ")
        }
        Kind::List(_) => "a list".to_owned(),
        Kind::Table(_) | Kind::Named(_) | Kind::Map(_) => "a table".to_owned(),
        Kind::TextOr(kind) => format!("a string or {}", expected(kind)),
        Kind::Any => "a value".to_owned(),
    }
}
