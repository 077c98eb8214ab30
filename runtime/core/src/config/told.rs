//! What of a user's text may be told: in a message, a hint, or the line that is shown.
//!
//! In: values as they were read, and texts that may quote some. Out: whether they may be quoted, and
//! them without what may not. Never: tells what came from the environment, a key in the place of its
//! path, or who a URL is asked for as; knows what a key means.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::secret::{MASK, looks_secret};

/// How PEM begins (RFC 7468, 2).
const PEM: &str = "-----BEGIN";
/// Characters of the shortest key in base64: 32 bytes of Ed25519's, and a head.
const LONG: usize = 40;
/// Characters from which on a mixed word is no name.
const MIXED: usize = 12;

/// Whether a text is or has a secret, by its form: nothing that a key of Weir's own takes has several
/// lines, or a colon and an `@`.
pub(super) fn holds_secret(text: &str) -> bool {
    let user = text.find(':').zip(text.rfind('@')).is_some_and(|(colon, at)| colon < at);
    user || is_contents(text) || is_der(text) || looks_secret(text)
}

/// Whether a text may be DER without the lines that PEM has around it: a SEQUENCE (X.690, 8.9) in
/// base64, which every certificate and key is. A path may look like it.
pub(super) fn is_der(text: &str) -> bool {
    let text = text.trim();
    // Or the end of it: of a path neither is likely.
    let whole = matches!(text.as_bytes(), [b'M', b'A'..=b'I', ..]) || text.ends_with('=');
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte);
    let others = text.bytes().filter(|byte| !base64(*byte)).count();
    // Some of it may have been lost on the way.
    whole && text.len() >= LONG && others * 10 <= text.len()
}

/// Whether a text can be the name of a key of Weir's own, and is no secret by its form.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    text.bytes().all(plain) && !holds_secret(text)
}

/// Whether nobody would give such a name to anything: small letters and capitals mixed, and digits
/// where it is short.
pub(super) fn is_random(word: &str) -> bool {
    let any = |kind: fn(&u8) -> bool| word.bytes().any(|byte| kind(&byte));
    any(u8::is_ascii_lowercase)
        && any(u8::is_ascii_uppercase)
        && (word.len() >= 2 * MIXED || word.len() >= MIXED && any(u8::is_ascii_digit))
}

/// Whether a text is no value but what should be in a file of its own.
pub(super) fn is_contents(text: &str) -> bool {
    text.contains(['\n', '\r']) || text.contains(PEM)
}

/// `${NAME:-default}` without its default, which may be a secret as any value may.
pub(super) fn as_written(text: &str) -> Cow<'_, str> {
    if !text.contains(":-") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(":-") {
        out.extend([before, ":-", MASK]);
        rest = behind.find('}').and_then(|end| behind.get(end..)).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A text that may quote anything, a key for one, without what has the form of a secret.
pub(super) fn words(text: &str) -> Cow<'_, str> {
    let quoted = without(text, quoted(text));
    match without(&quoted, secrets(&quoted)) {
        Cow::Owned(words) => Cow::Owned(words),
        Cow::Borrowed(_) => quoted,
    }
}

fn without(text: &str, secrets: Vec<Range<usize>>) -> Cow<'_, str> {
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for Range { start, end } in secrets {
        out.push_str(text.get(at..start).unwrap_or_default());
        out.push_str(MASK);
        at = end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(out)
}

/// Where in a text something is quoted that is a secret by its form. In order.
fn quoted(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let (mut open, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match (open, c) {
            (None, '"') => open = Some(at + 1),
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(start), '"') => {
                if text.get(start..at).is_some_and(holds_secret) {
                    out.push(start..at);
                }
                open = None;
            }
            _ => {}
        }
    }
    out
}

/// Where in a text the user information of URLs is (RFC 3986, 3.2.1), and PEM. In order.
pub(super) fn secrets(text: &str) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut at = 0;
    let pem = pem(text).unwrap_or(text.len());
    while let Some(found) = text.get(at..pem).and_then(|rest| rest.find("://")) {
        let start = at + found + 3;
        let rest = text.get(start..pem).unwrap_or_default();
        let end =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ','));
        at = start + end.unwrap_or(rest.len());
        let url = text.get(start..at).unwrap_or_default();
        if let Some(end) = user_of(url) {
            out.push(start..start + end);
        }
    }
    if pem < text.len() {
        out.push(pem..text.len());
    }
    out
}

/// Where a PEM block begins of which more is told than its label.
fn pem(text: &str) -> Option<usize> {
    text.match_indices(PEM).map(|(at, _)| at).find(|at| {
        let label = text.get(at + PEM.len()..).unwrap_or_default();
        let Some((_, behind)) = label.split_once("-----") else { return true };
        // A line's end, as it is or escaped.
        let body = behind.trim_start().trim_start_matches(['\\', 'r', 'n']);
        body.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/'))
    })
}

/// Whether some characters of a text stand in others' words in the same order: these may quote it.
pub(super) fn may_quote(words: &str, text: &str) -> bool {
    const ALIKE: usize = 4;
    let (words, text) = (words.as_bytes(), text.as_bytes());
    let some: HashSet<&[u8]> = words.windows(ALIKE).collect();
    text.windows(ALIKE).any(|part| some.contains(part))
}

/// Where the user information ends of what stands behind `://`. A password may have a slash in it, and
/// so may a path have an `@`: `http://h:80/@scope` names nobody.
pub(super) fn user_of(url: &str) -> Option<usize> {
    let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some(at) = authority.rfind('@') {
        return Some(at);
    }
    let (_, behind) = authority.split_once(':')?;
    let at = url.rfind('@')?;
    let is_port = behind.bytes().all(|byte| byte.is_ascii_digit());
    let is_scope = url.get(..at).is_some_and(|before| before.ends_with('/'));
    (!is_port || !is_scope).then_some(at)
}
