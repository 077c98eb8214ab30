//! The line that a problem is about, as it may be shown.
//!
//! In: texts as they were read, and the tree of what is in them. Out: a line with the bytes to
//! mark. Never: shows a value of a table that is not Weir's own (a plugin's `config`, a matched
//! header) beside the one that is wrong, a comment, or what [may not be told](super::told); of a line
//! that is not TOML it shows the keys.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::keys::{self, Key, Kind};
use super::place::{Place, Span};
use super::problem::{Excerpt, Problem};
use super::report::Texts;
use super::secret::{is_template, sounds_secret};
use super::told;
use super::torn;
use super::tree::{Node, Table, Value};

/// What excerpts are taken from.
#[derive(Clone, Default)]
pub(crate) struct Excerpts {
    texts: Texts,
    /// Every value that is no table and no list, and keys that are secrets, in order.
    values: BTreeMap<Arc<str>, Vec<(Span, Shown)>>,
}

/// When a value is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Always,
    /// Where it is what is wrong.
    Alone,
    Never,
}

/// A line longer than this is not written by hand; in bytes.
const MAX_LINE: usize = 1 << 10;

// === impl Excerpts ===

impl Excerpts {
    pub fn new(texts: Texts, root: &Node) -> Excerpts {
        let mut excerpts = Excerpts { texts, values: BTreeMap::new() };
        if let Some(table) = root.as_table() {
            excerpts.table(table, keys::ROOT);
        }
        excerpts.values.values_mut().for_each(|spans| spans.sort());
        excerpts
    }

    /// Gives a problem the line that it is about.
    pub fn add_to(&self, problem: &mut Problem) {
        let Place::At { file, span, .. } = &problem.place else { return };
        let Some(text) = self.texts.get(file) else { return };
        let whole = *span == Span { start: 0, end: 0 };
        let Some((start, line)) = line_at(text, span.start).filter(|_| !whole) else { return };
        // What is wrong must be in sight, and the rest of it need not.
        let line = line.get(..line.floor_char_boundary(MAX_LINE)).unwrap_or_default();
        if span.start > start + line.len() {
            return;
        }
        let mut shown: Vec<(usize, char)> =
            line.char_indices().map(|(at, c)| (start + at, c)).collect();
        let mut comment = None;
        let mut hide = |bytes: Range<usize>| mask(&mut shown, &bytes);
        if problem.path.is_empty() {
            let values = torn::values(text.get(..start).unwrap_or_default(), line);
            values.into_iter().for_each(|value| hide(start + value.start..start + value.end));
        } else {
            let values = self.values_of(file, start..start + line.len());
            comment = comment_of(line, start, values);
            let hidden = |(value, shown): &&(Span, Shown)| match shown {
                Shown::Always => false,
                Shown::Alone => value != span || problem.secret,
                Shown::Never => true,
            };
            values.iter().filter(hidden).for_each(|(value, _)| hide(value.start..value.end));
            if problem.secret {
                hide(span.start..span.end);
            }
            let secrets = told::secrets(line).into_iter();
            secrets.for_each(|secret| hide(start + secret.start..start + secret.end));
        }
        if let Some(comment) = comment {
            shown.truncate(shown.partition_point(|(at, _)| *at < start + comment));
            while shown.pop_if(|(_, c)| c.is_whitespace()).is_some() {}
        }
        let until = |byte: usize| {
            shown.iter().take_while(|(at, _)| *at < byte).map(|(_, c)| c.len_utf8()).sum::<usize>()
        };
        let mark = until(span.start)..until(span.end.max(span.start));
        problem.excerpt = Some(Excerpt { mark, line: shown.iter().map(|(_, c)| c).collect() });
    }

    /// The values of which something stands between two bytes.
    fn values_of(&self, file: &Arc<str>, bytes: Range<usize>) -> &[(Span, Shown)] {
        let all = self.values.get(file).map_or(&[][..], Vec::as_slice);
        let from = all.partition_point(|(value, _)| value.end <= bytes.start);
        let to = all.partition_point(|(value, _)| value.start < bytes.end);
        all.get(from..to).unwrap_or_default()
    }

    fn table(&mut self, table: &Table, keys: &[Key]) {
        for (name, entry) in table {
            let kind = keys.iter().find(|key| key.name == name).map_or(&Kind::Any, |key| &key.kind);
            if told::is_name(name) {
                self.key(name, &entry.key);
            } else {
                self.hide(&entry.key);
            }
            self.node(&entry.node, kind, false);
        }
    }

    /// A key is shown, but for one that is a secret itself.
    fn key(&mut self, name: &str, place: &Place) {
        if told::holds_secret(name) {
            self.hide(place);
        }
    }

    fn hide(&mut self, place: &Place) {
        if let Place::At { file, span, .. } = place {
            self.values.entry(file.clone()).or_default().push((*span, Shown::Never));
        }
    }

    /// `secret`: it stands under a name that secrets go by, in a table that is not Weir's own.
    fn node(&mut self, node: &Node, kind: &Kind, secret: bool) {
        match (&node.value, kind) {
            (Value::Table(table), Kind::Table(keys)) => self.table(table, keys),
            (Value::Table(table), Kind::Named(keys)) => {
                for (name, entry) in table {
                    self.key(name, &entry.key);
                    self.node(&entry.node, &Kind::Table(keys), false);
                }
            }
            (Value::Table(_) | Value::Array(_), Kind::TextOr(kind)) => {
                self.node(node, kind, secret);
            }
            (Value::Table(table), _) => {
                for (name, entry) in table {
                    self.key(name, &entry.key);
                    self.node(&entry.node, &Kind::Any, secret || sounds_secret(name));
                }
            }
            (Value::Array(items), Kind::List(kind)) => {
                items.iter().for_each(|item| self.node(item, kind, secret));
            }
            (Value::Array(items), _) => {
                items.iter().for_each(|item| self.node(item, &Kind::Any, secret));
            }
            _ => {
                if let Place::At { file, span, .. } = &node.place {
                    let shown = shown(node, kind, secret);
                    self.values.entry(file.clone()).or_default().push((*span, shown));
                }
            }
        }
    }
}

fn shown(node: &Node, kind: &Kind, secret: bool) -> Shown {
    let default = node.written.as_ref().is_some_and(|written| written.contains(":-"));
    let named = secret
        && match &node.value {
            // A name makes no secret of what is on or off.
            Value::Boolean(_) => false,
            Value::String(text) => !is_template(text),
            _ => true,
        };
    match kind {
        _ if default || named || node.is_secret() => Shown::Never,
        Kind::Any => Shown::Alone,
        _ => Shown::Always,
    }
}

/// The line in which a byte stands, and where it starts.
fn line_at(text: &str, byte: usize) -> Option<(usize, &str)> {
    let before = text.get(..byte.min(text.len()))?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next().unwrap_or_default();
    Some((start, line))
}

/// Where in a line the comment begins: at a `#` that is in no value and no key.
fn comment_of(line: &str, start: usize, values: &[(Span, Shown)]) -> Option<usize> {
    let mut values = values.iter().peekable();
    let mut quote = None;
    for (at, c) in line.char_indices() {
        while values.next_if(|(value, _)| value.end <= start + at).is_some() {}
        if values.peek().is_some_and(|(value, _)| value.start <= start + at) {
            quote = None;
            continue;
        }
        match (c, quote) {
            ('#', None) => return Some(at),
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

/// Puts stars over what stands between two bytes, one for each character: columns stay what they are.
fn mask(shown: &mut [(usize, char)], bytes: &Range<usize>) {
    let from = shown.partition_point(|(at, _)| *at < bytes.start);
    for (_, c) in shown.iter_mut().skip(from).take_while(|(at, _)| *at < bytes.end) {
        *c = '*';
    }
}
