//! Lines that are not TOML: nobody knows which of their words is a value, and whose.
//!
//! In: such a line, and the text before it. Out: what of it is not shown: all but keys, brackets and
//! the heads of tables. Never: guesses what a line is inside of, beyond a text that is open.

use std::ops::Range;

use super::keys::{self, Key, Kind};
use super::told;

/// The sections that a table's head begins with.
const SECTIONS: [&str; 5] = ["server", "listeners", "plugins", "routes", "upstreams"];
/// What is longer is a value that an `=` stands in.
const MAX_KEY: usize = 64;

/// What of a line is no key, in order.
pub(super) fn values(before: &str, line: &str) -> Vec<Range<usize>> {
    if inside_text(before) {
        return std::iter::once(0..line.len()).collect();
    }
    if is_head(line) {
        return Vec::new();
    }
    let mut out = Vec::new();
    let (mut at, mut first, mut begins) = (0, true, true);
    // Inline tables that are open, and whether one may be opened here.
    let (mut depth, mut opens) = (0_usize, true);
    // What follows a comma may be the rest of a text.
    let mut own = false;
    while let Some(rest) = line.get(at..).filter(|rest| !rest.is_empty()) {
        let c = rest.chars().next().unwrap_or_default();
        let is_word = !c.is_whitespace() && !"=[]{},".contains(c);
        if !is_word {
            match c {
                '{' if opens => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            begins = match c {
                '{' => opens,
                ',' => true,
                c => begins && c.is_whitespace(),
            };
            own = c == ',' && depth == 0 || own && c.is_whitespace();
            opens = matches!(c, '=' | '[' | ',') || opens && c.is_whitespace();
            first &= c.is_whitespace();
            at += c.len_utf8();
            continue;
        }
        let word = word(rest);
        if !((first || begins) && is_key(word, rest.get(word.len()..).unwrap_or_default(), own)) {
            out.push(at..at + word.len());
        }
        (first, begins, opens, own) = (false, false, false, false);
        at += word.len();
    }
    out
}

/// Up to what ends a key or a value: quoted parts whole, a comment to its end.
fn word(rest: &str) -> &str {
    if rest.starts_with('#') {
        return rest;
    }
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in rest.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"'), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, c) if c.is_whitespace() || "=[]{},#".contains(c) => {
                return rest.get(..at).unwrap_or(rest);
            }
            (None, _) => {}
        }
    }
    rest
}

/// Whether a word where a key may be is one, by what follows it; `own`: only Weir's own are.
fn is_key(word: &str, behind: &str, own: bool) -> bool {
    let Some(value) = behind.trim_start().strip_prefix('=') else { return false };
    let known = word.split('.').all(is_known);
    let quoted = |c: char| matches!(c, '"' | '\'');
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.\"'".contains(c);
    // The end of base64 is no key: there is a value behind one.
    let assigns = !value.starts_with('=')
        && !value.trim_start().is_empty()
        && !value.trim_start().starts_with([',', ']', '}', '#']);
    let closed = !word.starts_with(quoted) || word.len() > 1 && word.ends_with(quoted);
    let named = closed && word.len() <= MAX_KEY && word.chars().all(plain);
    known || !own && assigns && named && !told::holds_secret(word) && !told::is_random(word)
}

fn is_known(name: &str) -> bool {
    fn within(keys: &[Key], name: &str) -> bool {
        keys.iter().any(|key| key.name == name || below(&key.kind, name))
    }
    fn below(kind: &Kind, name: &str) -> bool {
        match kind {
            Kind::Table(keys) | Kind::Named(keys) => within(keys, name),
            Kind::List(kind) | Kind::Map(kind) | Kind::TextOr(kind) => below(kind, name),
            _ => false,
        }
    }
    within(keys::ROOT, name)
}

/// Whether a line is the head of a table, perhaps without its end; not a list in a list.
fn is_head(line: &str) -> bool {
    let Some(name) = line.trim().strip_prefix('[') else { return false };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let section = name.split('.').next().unwrap_or_default().trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.\"' ".contains(c);
    SECTIONS.contains(&section) && name.chars().all(plain)
}

/// Whether a text over several lines is open where another one ends.
fn inside_text(before: &str) -> bool {
    let mut open = None;
    let mut rest = before;
    loop {
        let next = match open {
            Some(quotes) => rest.find(quotes).map(|at| (at, quotes)),
            None => {
                let first = |quotes: &'static str| rest.find(quotes).map(|at| (at, quotes));
                first("\"\"\"").into_iter().chain(first("'''")).min()
            }
        };
        let Some((at, quotes)) = next else { return open.is_some() };
        open = if open.is_some() { None } else { Some(quotes) };
        rest = rest.get(at + quotes.len()..).unwrap_or_default();
    }
}
