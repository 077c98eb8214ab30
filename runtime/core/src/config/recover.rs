//! What can be read of a text that is not TOML throughout.
//!
//! In: a text with syntax errors. Out: its tables without the statements that are wrong, one error
//! for each of these, and what was left out. Never: takes what an unclosed bracket swallowed for
//! more errors.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::syntax;

/// A text, mended.
#[derive(Default)]
pub(super) struct Recovered {
    pub parts: Vec<Part>,
    pub errors: Vec<NotToml>,
    /// Around which table, and which of its lines are not in any part.
    pub lost: Vec<(Range<usize>, Range<usize>)>,
}

/// What is wrong, and where.
pub(super) struct NotToml {
    pub bytes: Range<usize>,
    pub message: String,
    /// Where the same is for the first time.
    pub first: Option<usize>,
}

/// A table with its header, valid TOML.
pub(super) struct Part {
    pub text: String,
    /// Where it stands in the whole text.
    pub base: usize,
}

/// Errors in one table; what follows is left out.
const MAX_ERRORS: usize = 20;

pub(super) fn recover(text: &str) -> Recovered {
    let mut out = Recovered::default();
    let mut headers = HashMap::new();
    let starts = part_starts(text);
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    for (start, end) in starts.iter().copied().zip(ends) {
        let part = text.get(start..end).unwrap_or_default();
        let header = part.lines().next().unwrap_or_default().trim();
        let once = header.starts_with('[') && !header.starts_with("[[");
        let first = if once { headers.insert(header, start) } else { None };
        if let Some(first) = first {
            headers.insert(header, first);
            out.errors.push(NotToml {
                bytes: start..start + header.len(),
                message: syntax::DUPLICATE.to_owned(),
                first: Some(first),
            });
            out.lost.push((start..end, start..end));
        } else {
            out.mend(part, start);
        }
    }
    out
}

impl Recovered {
    /// Blanks out one wrong statement after the other.
    fn mend(&mut self, part: &str, base: usize) {
        let whole = base..base + part.len();
        let mut text = part.to_owned();
        let mut last = None;
        let mut looked_at = 0;
        while looked_at < MAX_ERRORS {
            looked_at += 1;
            let (root, errors) = DeTable::parse_recoverable(&text);
            let start = |error: &toml::de::Error| error.span().map_or(0, |span| span.start);
            let Some(error) = errors.iter().min_by_key(|error| start(error)) else {
                self.parts.push(Part { text, base });
                return;
            };
            let span = where_it_is(&text, error);
            let at = span.start;
            // What an unclosed string hides comes up again and again at the same place.
            if last.is_none_or(|last| at > last) {
                let twice = error.message() == syntax::DUPLICATE;
                let first = twice.then(|| syntax::first_of(&text, 0, &span)).flatten();
                self.errors.push(NotToml {
                    bytes: base + span.start..base + span.end,
                    message: error.message().to_owned(),
                    first: first.map(|at| base + at),
                });
            }
            last = last.max(Some(at));
            let wrong = statement(&text, at, root.get_ref());
            let header = text.starts_with('[') && wrong.start == 0;
            if header || wrong.is_empty() {
                break;
            }
            self.lost.push((whole.clone(), base + wrong.start..base + wrong.end));
            let lines = text.get(wrong.clone()).unwrap_or_default();
            let blank: String = lines
                .chars()
                .map(|c| if c == '\n' { "\n".to_owned() } else { " ".repeat(c.len_utf8()) })
                .collect();
            text.replace_range(wrong, &blank);
        }
        if looked_at == MAX_ERRORS {
            let rest = base + last.unwrap_or_default();
            let message = syntax::TOO_MUCH.to_owned();
            self.errors.push(NotToml { bytes: rest..rest, message, first: None });
        }
        self.lost.push((whole.clone(), whole));
    }
}

/// What is missing is missed where the next word stands; it belongs behind the last one.
fn where_it_is(text: &str, error: &toml::de::Error) -> Range<usize> {
    let span = error.span().unwrap_or_default();
    let before = text.get(..span.start).unwrap_or_default();
    let line = before.rfind('\n').map_or(0, |newline| newline + 1);
    let missing = ["missing comma", "unclosed"].iter().any(|it| error.message().starts_with(it));
    match missing && before.get(line..).is_some_and(|before| before.trim().is_empty()) {
        true => before.trim_end().len()..before.trim_end().len(),
        false => span,
    }
}

/// Where tables start: at lines with a header that are not inside of a value.
fn part_starts(text: &str) -> Vec<usize> {
    let (root, errors) = DeTable::parse_recoverable(text);
    let errors: Vec<usize> = errors.iter().filter_map(|e| Some(e.span()?.start)).collect();
    let mut values = Vec::new();
    for value in root.get_ref().values() {
        long_values(text, value.span(), value.get_ref(), &mut values);
    }
    // A string without its end goes on to the text's; brackets without theirs are those of the
    // statement only.
    let errors: BTreeSet<usize> = errors.into_iter().collect();
    values.retain(|(span, string)| *string || errors.range(span.clone()).next().is_none());
    values.sort_by_key(|(span, _)| span.start);
    let mut starts = vec![0];
    let mut values = values.into_iter().peekable();
    // How far those reach that began before.
    let (mut at, mut reach) = (0, 0);
    for line in text.split_inclusive('\n') {
        while let Some((span, _)) = values.next_if(|(span, _)| span.start < at) {
            reach = span.end.max(reach);
        }
        if at > 0 && is_header(line) && at >= reach {
            starts.push(at);
        }
        at += line.len();
    }
    starts
}

/// At the margin any bracket opens a table; further in it may be a list within a list.
fn is_header(line: &str) -> bool {
    let (margin, line) = (line.starts_with('['), line.trim());
    let name = line.trim_start_matches('[').trim_end_matches(']');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_. \"'".contains(c);
    margin
        || line.starts_with('[')
            && line.ends_with(']')
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(plain)
}

/// The values that go over several lines, and whether each is a string.
fn long_values(
    text: &str,
    span: Range<usize>,
    value: &DeValue<'_>,
    out: &mut Vec<(Range<usize>, bool)>,
) {
    let long = text.get(span.clone()).is_some_and(|value| value.contains('\n'));
    match value {
        DeValue::String(_) if long => out.push((span, true)),
        DeValue::Array(items) => {
            items.iter().for_each(|item| long_values(text, item.span(), item.get_ref(), out));
            if long {
                out.push((span, false));
            }
        }
        DeValue::Table(table) => {
            table.values().for_each(|value| long_values(text, value.span(), value.get_ref(), out));
            // A table with a header is a value of no line of its own.
            if long && text.get(span.clone()).is_some_and(|value| value.starts_with('{')) {
                out.push((span, false));
            }
        }
        _ => {}
    }
}

/// The lines of the statement in which an error stands; empty where there is none left.
fn statement(text: &str, at: usize, root: &DeTable<'_>) -> Range<usize> {
    let at = at.min(text.len());
    let before = text.get(..at).unwrap_or_default();
    let mut start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |end| at + end);
    let header_end = match text.starts_with('[') {
        true => text.find('\n').unwrap_or(text.len()),
        false => 0,
    };
    // Down to the table that the header names.
    let mut table = root;
    while let (1, Some((key, value))) = (table.len(), table.iter().next())
        && let (DeValue::Table(inner), true) = (value.get_ref(), key.span().start < header_end)
    {
        table = inner;
    }
    // A value that reaches to the error is wrong from its key on.
    for (key, value) in table.iter() {
        if key.span().start <= at && value.span().end >= start && key.span().start >= header_end {
            let key = text.get(..key.span().start).and_then(|before| before.rfind('\n'));
            start = start.min(key.map_or(0, |newline| newline + 1));
        }
    }
    // Nothing left there: the line before it hides the error.
    while text.get(start..end).is_some_and(|lines| lines.trim().is_empty()) && start > 0 {
        start = text.get(..start - 1).and_then(|text| text.rfind('\n')).map_or(0, |at| at + 1);
    }
    if text.get(start..end).is_none_or(|lines| lines.trim().is_empty()) { 0..0 } else { start..end }
}
