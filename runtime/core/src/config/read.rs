//! Reading a table whose keys are defined in [`super::keys`].
//!
//! In: a node and the definitions. Out: a [`Field`] for each key that is there, or right away its
//! value; `None` with a problem reported otherwise: reading goes on, so that one run finds
//! everything. Never: knows what a value is for.

use std::time::Duration;

use super::field::Field;
use super::keys::{Key, Kind};
use super::path::join;
use super::place::Place;
use super::problem::{Fault, Problem};
use super::report::Report;
use super::secret::sounds_secret;
use super::told;
use super::tree::{Entry, Node, Table};

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
                let meant = report.nearest(name, keys.iter().map(|key| key.name));
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
        // What is no name may be anything, a line of another file for one.
        let secret = !told::is_name(name);
        let key = if secret { "key".to_owned() } else { format!("key {name:?}") };
        let message = match self.path.as_str() {
            "" => format!("unknown {key}"),
            path => format!("unknown {key} in {}", bracketed(path)),
        };
        let problem = Problem::new(place.clone(), join(&self.path, name), message);
        self.report.problem(Problem { secret, ..problem.with_hint(hint) });
    }

    pub fn field(&self, name: &str) -> Option<Field<'a>> {
        let key = self.keys.iter().find(|key| key.name == name);
        debug_assert!(key.is_some(), "{name} is not defined in {}", self.path);
        let node = &self.table.get(name)?.node;
        let (path, report) = (join(&self.path, name), self.report);
        let Key { kind, says, .. } = key?;
        Some(Field { node, path, kind, says, secret: false, report })
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

    /// Something that the table lacks; the message names it. It may stand in what could not be read.
    pub fn problem(&self, fault: Fault) {
        let Fault { message, hint, .. } = fault;
        if !self.report.may_have_lost_of(&self.path, self.place) {
            let problem = Problem::new(self.place.clone(), self.path.clone(), message);
            self.report.problem(problem.hinted(hint));
        }
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
            let kind = &Kind::Map(&Kind::Any);
            let field = Field { node, path, kind, says: "", secret: false, report };
            if let Some(table) = field.as_table() {
                let value = TableReader::new(node, table, field.path, keys, report);
                out.push(Named { name, key: &entry.key, value });
            }
        }
        out
    }
}

// === impl Field ===

impl<'a> Field<'a> {
    pub fn table(&self) -> Option<TableReader<'a>> {
        let Kind::Table(keys) = self.kind else { return None };
        let table = self.as_table()?;
        Some(TableReader::new(self.node, table, self.path.clone(), keys, self.report))
    }

    /// Values of one kind under keys of the user's choice.
    pub fn entries(&self) -> Vec<Named<'a, Field<'a>>> {
        let Kind::Map(kind) = self.kind else { return Vec::new() };
        let Some(table) = self.as_table() else { return Vec::new() };
        let entry = |(name, entry): (&'a String, &'a Entry)| {
            let path = join(&self.path, name);
            let (says, report) = (self.says, self.report);
            let secret = self.secret || sounds_secret(name);
            let value = Field { node: &entry.node, path, kind, says, secret, report };
            Named { name: name.as_str(), key: &entry.key, value }
        };
        table.iter().map(entry).collect()
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
