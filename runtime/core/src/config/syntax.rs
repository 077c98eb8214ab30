//! What to write where a text is not TOML.
//!
//! In: what the parser says, and where. Out: a problem with a hint. Never: quotes the text.

use std::ops::Range;

use super::place::Place;
use super::problem::Problem;

/// As the parser says it.
pub(super) const DUPLICATE: &str = "duplicate key";
pub(super) const TOO_MUCH: &str =
    "too much is wrong in this table: the rest of it was not looked at";

/// What the parser says begins with, and what is to be done. The first that fits.
const HINTS: [(&str, &str); 31] = [
    (TOO_MUCH, "mend what is told of it first"),
    ("string values must be quoted", "put it in quotes: \"…\""),
    ("invalid basic string", "end it with \" on the same line; a \\ in it is written \\\\"),
    ("invalid literal string", "end it with ' on the same line"),
    ("invalid multi-line", "end it with as many quotes as it begins with"),
    ("missing escaped value", "a \\ is written \\\\, or the text in 'single quotes'"),
    ("too few unicode", "write \\u and four digits, or \\U and eight"),
    ("unclosed array", "end it with ]"),
    ("unclosed inline table", "end it with }"),
    ("unclosed table", "end it with ]"),
    ("missing comma between array", "put a comma between two values"),
    ("missing comma between key", "put a comma between two keys of { … }"),
    ("extra comma", "take one comma out"),
    ("extra `=`", "take one = out"),
    ("extra assignment", "put each key on a line of its own"),
    ("unexpected `=` in array", "a list has values only: [\"a\", \"b\"]"),
    ("key with no value", "write KEY = VALUE"),
    ("missing value", "write a value behind the =; an empty text is \"\""),
    ("missing assignment", "write KEY = VALUE"),
    ("missing key", "write KEY = VALUE"),
    ("unquoted keys cannot be empty", "write KEY = VALUE, or [NAME]"),
    ("invalid unquoted key", "put a key with other characters than A-Z a-z 0-9 _ - in quotes"),
    ("keys cannot be multi-line", "write a key on one line"),
    ("unexpected key or value", "put each key on a line of its own, and each value behind an ="),
    ("unexpected leading zero", "write it without the zero in front, or in quotes"),
    ("redundant", "write digits only, or put it in quotes"),
    ("`_` may only go", "write it without _"),
    ("integers with a radix", "write it without a sign"),
    ("carriage return", "end lines with a line feed, or with both"),
    ("invalid comment character", "take control characters out of it"),
    ("cannot recurse", "nothing that is read here is as deep: take some out"),
];
const OTHERWISE: &str =
    "write KEY = VALUE, texts in quotes, and [SECTION.NAME] above a table's keys";

/// Something that is not TOML; of a key that is there twice, where it is for the first time.
pub(super) fn problem(place: Place, message: &str, first: Option<&Place>) -> Problem {
    let problem = Problem::new(place, "", format!("this is not TOML: {message}"));
    let hint = match (message, first) {
        (DUPLICATE, Some(first)) => {
            format!("the first one is at {first}: keep one of them, or rename this one")
        }
        (DUPLICATE, None) => "keep one of them, or rename this one".to_owned(),
        _ => {
            let known = HINTS.iter().find(|(begin, _)| message.starts_with(begin));
            known.map_or(OTHERWISE, |(_, hint)| hint).to_owned()
        }
    };
    problem.with_hint(hint)
}

/// Where a key, or the table's head that it stands in, is for the first time: before these bytes, in
/// the table that begins at `table`.
pub(super) fn first_of(text: &str, table: usize, bytes: &Range<usize>) -> Option<usize> {
    let key = text.get(bytes.clone())?.trim();
    let line = text.get(..bytes.start)?.rfind('\n').map_or(0, |newline| newline + 1);
    if text.get(line..)?.trim_start().starts_with('[') {
        let head = text.get(line..)?.lines().next()?.trim();
        let before = text.get(..line)?;
        return lines(before, 0).find(|(_, found)| found.trim() == head).map(|(at, _)| at);
    }
    let named = |found: &str| {
        let rest = found.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.']))
    };
    let above = lines(text.get(..line)?, table).find(|(_, found)| named(found));
    let (at, found) = match above {
        Some(above) => above,
        None => {
            // In an inline table: behind its brace or a comma.
            let here = text.get(line..bytes.start)?;
            let mut parts = here.match_indices(['{', ',']).map(|(at, _)| at + 1);
            let at = parts.find(|at| here.get(*at..).is_some_and(named))?;
            (line + at, here.get(at..)?)
        }
    };
    Some(at + found.len() - found.trim_start().len())
}

/// Lines from a byte on, and where each starts.
fn lines(text: &str, from: usize) -> impl Iterator<Item = (usize, &str)> {
    let mut at = from;
    text.get(from..).unwrap_or_default().split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line)
    })
}
