//! TOML as a tree in which every key and value knows its place.
//!
//! In: the text of one file. Out: a [`Node`], or every syntax error. Never: knows what a key means.

use std::collections::BTreeMap;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::problem::{Lines, Place, Problem};

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

    /// `the integer 5`, `a table`: as messages name what they found.
    pub fn described(&self) -> String {
        match &self.value {
            Value::String(text) => {
                format!("the string {:?}", self.written.as_deref().unwrap_or(text))
            }
            Value::Integer(n) => format!("the integer {n}"),
            Value::Float(n) => format!("the float {n}"),
            Value::Boolean(b) => format!("the boolean {b}"),
            Value::Datetime(d) => format!("the date {d}"),
            Value::Array(_) => "a list".to_owned(),
            Value::Table(_) => "a table".to_owned(),
            Value::Broken => "a broken value".to_owned(),
        }
    }
}

/// Parses one TOML document. Errors are pushed to `problems`; the tree is what could be read.
pub(crate) fn parse(file: &Arc<str>, text: &str, problems: &mut Vec<Problem>) -> Node {
    let (root, errors) = DeTable::parse_recoverable(text);
    let lines = Lines::new(file, text);
    let mut inside_second = None;
    for error in errors {
        let start = error.span().map_or(0, |span| span.start);
        if error.message() == "duplicate key" {
            // A table's second header says it all: its keys need not be listed as well.
            let header = header_before(text, start);
            if inside_second == Some(header) {
                continue;
            }
            inside_second = text[header..].starts_with('[').then_some(header);
        }
        let place = lines.place(start);
        problems.push(Problem::new(place, "", format!("this is not TOML: {}", error.message())));
    }
    let mut builder = Builder { lines, problems, depth: 0 };
    let root = root.into_inner();
    let table = builder.table(root);
    Node::new(Place::At { file: file.clone(), line: 1, column: 1 }, Value::Table(table))
}

/// Parses one TOML value that stands in an environment variable.
pub(crate) fn parse_value(place: &Place, text: &str) -> Option<Node> {
    let value = DeValue::parse(text).ok()?;
    let mut problems = Vec::new();
    let nowhere = Arc::from("");
    let lines = Lines::new(&nowhere, text);
    let mut node = Builder { lines, problems: &mut problems, depth: 0 }
        .value(value.span().start, value.into_inner());
    relocate(&mut node, place);
    problems.is_empty().then_some(node)
}

/// Where the last line that opens a table starts, of those that start before `offset`.
fn header_before(text: &str, offset: usize) -> usize {
    text.get(..offset).and_then(|before| before.rfind("\n[")).map_or(0, |newline| newline + 1)
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
    lines: Lines<'a>,
    problems: &'a mut Vec<Problem>,
    depth: usize,
}

/// Tables and lists within each other; what walks the tree does so on the stack.
const MAX_DEPTH: usize = 64;

impl Builder<'_> {
    fn table(&mut self, table: DeTable<'_>) -> Table {
        let mut built = Table::new();
        for (key, value) in table {
            let place = self.place(key.span().start);
            let node = self.value(value.span().start, value.into_inner());
            built.insert(key.into_inner().into_owned(), Entry { key: place, node });
        }
        built
    }

    fn value(&mut self, offset: usize, value: DeValue<'_>) -> Node {
        let place = self.place(offset);
        if self.depth == MAX_DEPTH {
            let message = format!("more than {MAX_DEPTH} tables and lists within each other");
            return Node::new(place.clone(), self.broken(&place, message));
        }
        self.depth += 1;
        let value = match value {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
                Ok(n) => Value::Integer(n),
                Err(_) => self.broken(&place, format!("the integer {n} does not fit in 64 bits")),
            },
            DeValue::Float(n) => match n.as_str().parse::<f64>() {
                Ok(n) if n.is_finite() => Value::Float(n),
                _ => self.broken(&place, format!("the float {n} is not a finite number")),
            },
            DeValue::Boolean(b) => Value::Boolean(b),
            DeValue::Datetime(d) => Value::Datetime(d.to_string()),
            DeValue::Array(items) => {
                let items = items.into_iter();
                Value::Array(
                    items.map(|item| self.value(item.span().start, item.into_inner())).collect(),
                )
            }
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        self.depth -= 1;
        Node::new(place, value)
    }

    fn broken(&mut self, place: &Place, message: String) -> Value {
        self.problems.push(Problem::new(place.clone(), "", message));
        Value::Broken
    }

    fn place(&self, offset: usize) -> Place {
        self.lines.place(offset)
    }
}
