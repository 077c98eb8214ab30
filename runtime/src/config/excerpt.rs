//! The line that a problem is about, as it may be shown.
//!
//! In: texts as they were read, and the tree of what is in them. Out: a line with the bytes to
//! mark. Never: shows a value of a table that is not Weir's own (a plugin's `config`, a matched
//! header) beside the one that is wrong: it may be a secret.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::keys::{self, Key, Kind};
use super::masked::sounds_secret;
use super::place::{Place, Span};
use super::problem::Problem;
use super::report::Texts;
use super::tree::{Node, Table, Value};

/// A line, and what of it is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    pub line: String,
    /// Bytes of `line`; empty for a place between two characters.
    pub mark: Range<usize>,
}

/// What excerpts are taken from.
#[derive(Clone, Default)]
pub(crate) struct Excerpts {
    texts: Texts,
    /// Values of tables that are not Weir's own, in order.
    foreign: BTreeMap<Arc<str>, Vec<Span>>,
}

/// A line longer than this is not written by hand.
const MAX_LINE: usize = 16 << 10;

// === impl Excerpts ===

impl Excerpts {
    pub fn new(texts: Texts, root: &Node) -> Excerpts {
        let mut excerpts = Excerpts { texts, foreign: BTreeMap::new() };
        if let Some(table) = root.as_table() {
            excerpts.table(table, keys::ROOT);
        }
        excerpts.foreign.values_mut().for_each(|spans| spans.sort());
        excerpts
    }

    /// Gives a problem the line that it is about.
    pub fn add_to(&self, problem: &mut Problem) {
        let Place::At { file, span, .. } = &problem.place else { return };
        let Some(text) = self.texts.get(file) else { return };
        let whole = *span == Span { start: 0, end: 0 };
        let Some((start, line)) = line_at(text, span.start).filter(|_| !whole) else { return };
        let no_toml = problem.path.is_empty();
        if line.len() > MAX_LINE || (no_toml && !may_be_shown(text, start, line)) {
            return;
        }
        let mut shown: Vec<(usize, char)> =
            line.char_indices().map(|(at, c)| (start + at, c)).collect();
        let foreign = self.foreign.get(file).map_or(&[][..], Vec::as_slice);
        let here = foreign.partition_point(|value| value.end <= start);
        let here = foreign.iter().skip(here).take_while(|value| value.start < start + line.len());
        here.filter(|value| *value != span).for_each(|value| mask(&mut shown, value));
        if problem.secret {
            mask(&mut shown, span);
        }
        if no_toml && !is_own(text, start, line) {
            values(line).for_each(|(from, to)| {
                mask(&mut shown, &Span { start: start + from, end: start + to });
            });
        }
        let until = |byte: usize| {
            shown.iter().take_while(|(at, _)| *at < byte).map(|(_, c)| c.len_utf8()).sum::<usize>()
        };
        let mark = until(span.start)..until(span.end.max(span.start));
        problem.excerpt = Some(Excerpt { mark, line: shown.iter().map(|(_, c)| c).collect() });
    }

    fn table(&mut self, table: &Table, keys: &[Key]) {
        for (name, entry) in table {
            let kind = keys.iter().find(|key| key.name == name).map_or(&Kind::Any, |key| &key.kind);
            self.node(&entry.node, kind);
        }
    }

    fn node(&mut self, node: &Node, kind: &Kind) {
        match (&node.value, kind) {
            (Value::Table(table), Kind::Table(keys)) => self.table(table, keys),
            (Value::Table(table), Kind::Named(keys)) => {
                table.values().for_each(|entry| self.node(&entry.node, &Kind::Table(keys)));
            }
            (Value::Table(_) | Value::Array(_), Kind::TextOr(kind)) => self.node(node, kind),
            (Value::Table(table), _) => {
                table.values().for_each(|entry| self.node(&entry.node, &Kind::Any));
            }
            (Value::Array(items), Kind::List(kind)) => {
                items.iter().for_each(|item| self.node(item, kind));
            }
            (Value::Array(items), _) => items.iter().for_each(|item| self.node(item, &Kind::Any)),
            (_, Kind::Any) => {
                if let Place::At { file, span, .. } = &node.place {
                    self.foreign.entry(file.clone()).or_default().push(*span);
                }
            }
            _ => {}
        }
    }
}

/// The line in which a byte stands, and where it starts.
fn line_at(text: &str, byte: usize) -> Option<(usize, &str)> {
    let before = text.get(..byte.min(text.len()))?;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next().unwrap_or_default();
    Some((start, line))
}

/// Whether a line that is not TOML may be shown: nobody knows which of its words is a value.
fn may_be_shown(text: &str, start: usize, line: &str) -> bool {
    let key = |line: &str| -> String {
        let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'));
        line[..end.unwrap_or(line.len())].to_owned()
    };
    let line = line.trim_start();
    let before = text.get(..start).unwrap_or_default();
    let header = before.lines().rev().map(str::trim_start).find(|line| line.starts_with('['));
    let table = header.map(|header| key(header.trim_start_matches(['[', ' ', '\t'])));
    let first = key(line);
    let harmless = match table.as_deref() {
        _ if line.starts_with('[') => true,
        // At the root there are sections only; anything else is another kind of file.
        None => ["server", "listeners", "routes", "upstreams"].contains(&first.as_str()),
        Some("plugins") => {
            ["component", "grants", "limits", "on_failure", "isolation"].contains(&first.as_str())
        }
        Some(_) => !first.is_empty() || line.starts_with(['"', '\'', '{', '}', ']']),
    };
    harmless && !line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(sounds_secret)
}

/// Whether all values of a line that is not TOML are Weir's own: nothing that a peer is matched with, no
/// plugin's table, no URL's user.
fn is_own(text: &str, start: usize, line: &str) -> bool {
    const FOREIGN: [&str; 6] = ["config", "cookie", "headers", "match", "plugins", "query"];
    let foreign = |line: &str| {
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        words.any(|word| FOREIGN.contains(&word)) || line.contains('@')
    };
    let before = text.get(..start).unwrap_or_default();
    let header = before.lines().rev().map(str::trim_start).find(|line| line.starts_with('['));
    // A value may have begun in the lines before.
    let begun = before.lines().rev().take_while(|line| !line.trim_start().starts_with('['));
    let keyed = |line: &&str| line.split_once('=').is_some_and(|(key, _)| !key.contains('"'));
    let begun = if keyed(&line) { None } else { begun.into_iter().find(keyed) };
    !foreign(line) && !header.is_some_and(foreign) && !begun.is_some_and(foreign)
}

/// The values of a line that is not TOML, as far as it is: quoted texts and words that no `=` follows.
fn values(line: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = line.get(at..)?;
            let start = at + rest.find(|c: char| c.is_alphanumeric() || matches!(c, '"' | '\''))?;
            let rest = line.get(start..)?;
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            let end = match quote {
                Some(quote) => rest.get(1..)?.find(quote).map(|end| end + 2),
                None => rest.find(|c: char| c.is_whitespace() || "=,[]{}\"'#".contains(c)),
            };
            let end = start + end.unwrap_or(rest.len());
            at = end;
            let is_key = line.get(end..)?.trim_start().starts_with('=');
            if !is_key && !line.trim_start().starts_with('[') {
                return Some((start, end));
            }
        }
    })
}

/// Puts stars over what stands in a span, one for each character: columns stay what they are.
fn mask(shown: &mut [(usize, char)], span: &Span) {
    let from = shown.partition_point(|(at, _)| *at < span.start);
    for (_, c) in shown.iter_mut().skip(from).take_while(|(at, _)| *at < span.end) {
        *c = '*';
    }
}
