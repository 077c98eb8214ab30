//! TOML as a tree in which every key and value knows its place.
//!
//! In: the text of one file. Out: a [`Node`] of what can be read, and every syntax error. Never:
//! knows what a key means.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::path;
use super::place::{Lines, Place, Span};
use super::problem::{Fault, MAX_TOLD, Problem};
use super::recover::{NotToml, Part, Recovered, recover};
use super::syntax;
use super::told;

/// A value and where it stands.
#[derive(Clone)]
pub(crate) struct Node {
    pub place: Place,
    pub value: Value,
    /// The text as written, where `${…}` was replaced in it: what messages may show.
    pub written: Option<Box<str>>,
}

#[derive(Clone)]
pub(crate) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
    /// Something was wrong with it and has been reported: readers pass it over.
    Broken,
}

/// Sorted by key.
pub(crate) type Table = BTreeMap<String, Entry>;

#[derive(Clone)]
pub(crate) struct Entry {
    /// Where the key stands.
    pub key: Place,
    pub node: Node,
}

/// What stands in one file.
pub(crate) struct Parsed {
    pub root: Node,
    /// What of the text is not TOML.
    pub problems: Vec<Problem>,
    pub lost: Vec<Lost>,
}

/// Something that was written and could not be read, and what it may have said is not missing.
#[derive(Debug)]
pub(crate) enum Lost {
    /// A part of a text: the table around it, and its own words.
    Part { file: Arc<str>, table: Span, words: String },
    /// A file.
    All,
}

/// Of a text that a message quotes, in characters.
const MAX_SHOWN: usize = 100;

impl Node {
    pub fn new(place: Place, value: Value) -> Node {
        Node { place, value, written: None }
    }

    pub fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// `the integer 5`, `a table`: as messages name what they found; of a secret its kind.
    pub fn described(&self, secret: bool) -> String {
        let kind = match &self.value {
            Value::String(_) => "string",
            Value::Integer(_) => "integer",
            Value::Float(_) => "float",
            Value::Boolean(_) => "boolean",
            Value::Datetime(_) => "date",
            Value::Array(_) => return "a list".to_owned(),
            Value::Table(_) => return "a table".to_owned(),
            Value::Broken => return "a broken value".to_owned(),
        };
        match self.quoted().filter(|_| !secret) {
            None => format!("{} {kind}", if kind == "integer" { "an" } else { "a" }),
            Some(value) => format!("the {kind} {value}"),
        }
    }

    /// Whether nothing of it may be told.
    pub fn is_secret(&self) -> bool {
        let text = match (&self.written, &self.value) {
            (Some(written), _) => Some(&**written),
            (None, Value::String(text)) => Some(text.as_str()),
            _ => None,
        };
        matches!(self.place, Place::Variable(_)) || text.is_some_and(told::holds_secret)
    }

    /// A path made from this value, for messages: as written, if there was `${…}` in it.
    pub fn shown_path(&self, path: &Path) -> String {
        match &self.written {
            _ if self.is_secret() => "the file that is named here".to_owned(),
            Some(written) => told::as_written(written).into_owned(),
            None => path.display().to_string(),
        }
    }

    /// The value alone, as written: `"abc"`, `5`; `None` for tables and lists, and for what may not
    /// be told.
    pub fn quoted(&self) -> Option<String> {
        if self.is_secret() {
            return None;
        }
        match &self.value {
            Value::String(text) => match &self.written {
                Some(written) => Some(shown(&told::as_written(written))),
                None => Some(shown(text)),
            },
            Value::Integer(n) => Some(n.to_string()),
            Value::Float(n) => Some(n.to_string()),
            Value::Boolean(b) => Some(b.to_string()),
            Value::Datetime(d) => Some(d.clone()),
            Value::Array(_) | Value::Table(_) | Value::Broken => None,
        }
    }

    /// Whether something at or below this was wrong and has been reported.
    pub fn is_broken(&self) -> bool {
        match &self.value {
            Value::Broken => true,
            Value::Array(items) => items.iter().any(Node::is_broken),
            Value::Table(table) => table.values().any(|entry| entry.node.is_broken()),
            _ => false,
        }
    }
}

/// In quotes, and its beginning only where it is long.
fn shown(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// Parses one TOML document: what can be read of it, and every syntax error.
pub(crate) fn parse(file: &Arc<str>, text: &str) -> Parsed {
    let (root, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::new(file, text);
    let mut problems = Vec::new();
    let place =
        Place::At { file: file.clone(), line: 1, column: 1, span: Span { start: 0, end: 0 } };
    if errors.iter().any(|error| error.message() != syntax::DUPLICATE) {
        let Recovered { parts, errors, lost } = recover(text);
        let not_toml = |NotToml { bytes, message, first }: NotToml| {
            let first = first.map(|first| lines.place(first..first));
            syntax::problem(lines.place(bytes), &message, first.as_ref())
        };
        problems.extend(errors.into_iter().map(not_toml));
        let mut table = Table::new();
        for Part { text, base } in parts {
            let (part, _) = DeTable::parse_recoverable(&text);
            let mut builder = Builder {
                lines: &lines,
                base,
                problems: &mut problems,
                depth: 0,
                path: String::new(),
            };
            let part = builder.table(part.into_inner());
            join(&mut table, part, &mut problems);
        }
        let words = |bytes: Range<usize>| text.get(bytes).unwrap_or_default().to_owned();
        let lost = lost.into_iter().map(|(table, bytes)| Lost::Part {
            file: file.clone(),
            table: Span { start: table.start, end: table.end },
            words: words(bytes),
        });
        return Parsed {
            root: Node::new(place, Value::Table(table)),
            problems,
            lost: lost.collect(),
        };
    }
    let headers = headers(text);
    let mut inside_second = None;
    for error in errors {
        let span = error.span().unwrap_or_default();
        if problems.len() >= MAX_TOLD {
            problems.push(syntax::problem(lines.place(span), error.message(), None));
            continue;
        }
        // A table's second header says it all: its keys need not be listed as well.
        let before = headers.partition_point(|header| *header < span.start);
        let header = before.checked_sub(1).and_then(|at| headers.get(at)).copied();
        let header = header.unwrap_or_default();
        if inside_second == Some(header) {
            continue;
        }
        let is_header = text.get(header..).is_some_and(|line| line.starts_with('['));
        inside_second = is_header.then_some(header);
        let first = syntax::first_of(text, header, &span).map(|first| lines.place(first..first));
        problems.push(syntax::problem(lines.place(span), error.message(), first.as_ref()));
    }
    let mut builder =
        Builder { lines: &lines, base: 0, problems: &mut problems, depth: 0, path: String::new() };
    let table = builder.table(root.into_inner());
    Parsed { root: Node::new(place, Value::Table(table)), problems, lost: Vec::new() }
}

/// Tables of one document, which may stand in parts of it.
fn join(into: &mut Table, from: Table, problems: &mut Vec<Problem>) {
    for (name, entry) in from {
        match into.get_mut(&name) {
            None => {
                into.insert(name, entry);
            }
            Some(first) => match (&mut first.node.value, entry.node.value) {
                (Value::Table(here), Value::Table(there)) => join(here, there, problems),
                (Value::Array(here), Value::Array(there)) => here.extend(there),
                _ => {
                    let second = syntax::problem(entry.key, syntax::DUPLICATE, Some(&first.key));
                    problems.push(second);
                }
            },
        }
    }
}

/// Parses one TOML value that stands in an environment variable.
pub(crate) fn parse_value(place: &Place, text: &str) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    let mut problems = Vec::new();
    let nowhere = Arc::from("");
    let lines = Lines::new(&nowhere, text);
    let mut node =
        Builder { lines: &lines, base: 0, problems: &mut problems, depth: 0, path: String::new() }
            .value(value.span(), value.into_inner());
    relocate(&mut node, place);
    problems.is_empty().then_some(node)
}

/// Where each line starts that opens a table, in order.
fn headers(text: &str) -> Vec<usize> {
    text.match_indices("\n[").map(|(newline, _)| newline + 1).collect()
}

fn relocate(node: &mut Node, place: &Place) {
    node.place = place.clone();
    match &mut node.value {
        Value::Array(items) => items.iter_mut().for_each(|item| relocate(item, place)),
        Value::Table(table) => {
            for entry in table.values_mut() {
                entry.key = place.clone();
                relocate(&mut entry.node, place);
            }
        }
        _ => {}
    }
}

struct Builder<'a> {
    lines: &'a Lines<'a>,
    /// Where in the text what is built starts.
    base: usize,
    problems: &'a mut Vec<Problem>,
    depth: usize,
    path: String,
}

/// Tables and lists within each other; what walks the tree does so on the stack.
const MAX_DEPTH: usize = 64;

impl Builder<'_> {
    fn table(&mut self, table: DeTable<'_>) -> Table {
        let mut built = Table::new();
        for (key, value) in table {
            let place = self.place(key.span());
            let path = path::join(&self.path, key.get_ref());
            let above = std::mem::replace(&mut self.path, path);
            let node = self.value(value.span(), value.into_inner());
            self.path = above;
            built.insert(key.into_inner().into_owned(), Entry { key: place, node });
        }
        built
    }

    fn value(&mut self, bytes: Range<usize>, value: DeValue<'_>) -> Node {
        let place = self.place(bytes);
        if self.depth == MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} tables and lists within each other");
            let fault = Fault::hint(message, "nothing that is read here is as deep: take some out");
            return Node::new(place.clone(), self.broken(&place, fault));
        }
        self.depth += 1;
        let value = match value {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
                Ok(n) => Value::Integer(n),
                Err(_) => {
                    let hint =
                        "write one from -9223372036854775808 to 9223372036854775807, or a text";
                    self.broken(&place, Fault::hint("this integer does not fit in 64 bits", hint))
                }
            },
            DeValue::Float(n) => match n.as_str().parse::<f64>() {
                Ok(n) if n.is_finite() => Value::Float(n),
                _ => {
                    let hint = "write a number with an end, such as 0.5";
                    self.broken(&place, Fault::hint("this float is not a finite number", hint))
                }
            },
            DeValue::Boolean(b) => Value::Boolean(b),
            DeValue::Datetime(d) => Value::Datetime(d.to_string()),
            DeValue::Array(items) => {
                let items = items.into_iter();
                Value::Array(items.map(|item| self.value(item.span(), item.into_inner())).collect())
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        self.depth -= 1;
        Node::new(place, value)
    }

    fn broken(&mut self, place: &Place, fault: Fault) -> Value {
        self.problems.push(Problem::of(fault, place.clone(), &self.path));
        Value::Broken
    }

    fn place(&self, bytes: Range<usize>) -> Place {
        self.lines.place(self.base + bytes.start..self.base + bytes.end)
    }
}
