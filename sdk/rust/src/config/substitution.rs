//! Regular expressions and what takes the place of their matches. Needs the feature `regex`.
//!
//! In: a pattern and a replacement of the configuration, then texts of clients. Out: the texts with every
//! match replaced. Never: searches for longer than a part of a hook's deadline.

use regex_lite::Regex;
use serde::{Deserialize, Deserializer};

use super::pattern::{MAX_COST, Pattern, cost};
use crate::{Error, Schema};

/// A regular expression and what takes the place of its matches: `{ pattern, replace }`.
///
/// In `replace`, `$1` and `${name}` are what a group matched, and `$$` is a dollar sign. A group
/// that the pattern lacks is an error of the configuration.
///
/// ```
/// # use weir_sdk::{Substitution, serde_json::{from_value, json}};
/// let config = json!({ "pattern": "^/(?<user>[a-z]+)/(.*)$", "replace": "/$2?u=${user}" });
/// let substitution: Substitution = from_value(config)?;
/// assert_eq!(substitution.apply("/ada/notes")?.as_deref(), Some("/notes?u=ada"));
/// assert_eq!(substitution.apply("/1/notes")?, None);
/// # Ok::<(), weir_sdk::Error>(())
/// ```
///
/// What a client sent can be long, and a search costs its length, times the size of the pattern's
/// program, for each match it finds. So there are bounds, [`MAX_SUBJECT`], [`MAX_MATCHES`] and one on
/// all of it together, within which a hook stays far from its deadline; a pattern for which one search
/// would exceed that is an error of the configuration.
#[derive(Debug, Clone)]
pub struct Substitution {
    pattern: Pattern,
    /// What a search costs for a byte.
    cost: usize,
    parts: Vec<Part>,
}

/// The longest text that a [`Substitution`] is applied to, in bytes.
pub const MAX_SUBJECT: usize = 2048;
/// The most matches that are replaced in one text.
pub const MAX_MATCHES: usize = 128;

/// The largest program, in bytes of a guest's memory.
const MAX_PROGRAM: usize = MAX_COST / MAX_SUBJECT;

/// A text exceeds [`MAX_SUBJECT`], has more than [`MAX_MATCHES`], or would take too long: it was not
/// searched to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLong;

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Group(usize),
}

/// A substitution as it is written.
#[weir_sdk::config]
struct Written {
    /// The regular expression.
    pattern: Pattern,
    /// What takes the place of each match; `$1` or `${name}` is what a group matched.
    replace: String,
}

// === impl Substitution ===

impl Substitution {
    /// The text with every match replaced, or `None` if there is no match.
    ///
    /// # Errors
    /// [`TooLong`]: answer 414 (RFC 9110, 15.5.15) where the text is a path.
    pub fn apply(&self, text: &str) -> Result<Option<String>, TooLong> {
        self.apply_again(text, &mut 0)
    }

    /// The same, where it may be applied to its own result: what all of it costs has one bound.
    /// `spent` begins with 0.
    ///
    /// # Errors
    /// [`TooLong`], as [`Substitution::apply`].
    pub fn apply_again(&self, text: &str, spent: &mut usize) -> Result<Option<String>, TooLong> {
        // A search may go to the end of the text, whatever it finds.
        *spent = spent.saturating_add(self.cost.saturating_mul(text.len()));
        if text.len() > MAX_SUBJECT || *spent > MAX_COST {
            return Err(TooLong);
        }
        let mut out = String::new();
        let mut copied = 0;
        let mut found = 0;
        for groups in self.pattern.captures_iter(text) {
            found += 1;
            if found > MAX_MATCHES {
                return Err(TooLong);
            }
            let Some(whole) = groups.get(0) else { continue };
            out.push_str(&text[copied..whole.start()]);
            copied = whole.end();
            *spent += self.cost * (text.len() - copied);
            if *spent > MAX_COST {
                return Err(TooLong);
            }
            for part in &self.parts {
                match part {
                    Part::Text(text) => out.push_str(text),
                    Part::Group(group) => {
                        out.push_str(groups.get(*group).map_or("", |group| group.as_str()))
                    }
                }
            }
        }
        if found == 0 {
            return Ok(None);
        }
        out.push_str(&text[copied..]);
        Ok(Some(out))
    }

    /// The texts between the groups of the replacement, as configured.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Group(_) => None,
        })
    }
}

impl<'de> Deserialize<'de> for Substitution {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Written { pattern, replace } = Written::deserialize(from)?;
        let parts = parts(&replace, &pattern).map_err(|error| error.at("replace"));
        let parts = parts.map_err(serde::de::Error::custom)?;
        let cost = cost(&pattern, MAX_PROGRAM).ok_or_else(|| {
            let error = Error::new(format!(
                "the pattern `{}` is too large: a path of {MAX_SUBJECT} bytes would take too long; \
                 repeat less in it",
                pattern.as_str()
            ));
            serde::de::Error::custom(error.at("pattern"))
        })?;
        Ok(Self { pattern, cost, parts })
    }
}

impl Schema for Substitution {
    fn members(out: &mut String) {
        Written::members(out);
    }
}

// === impl TooLong ===

impl std::fmt::Display for TooLong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the text is longer than {MAX_SUBJECT} bytes, has more than {MAX_MATCHES} matches, or \
             takes too long to search"
        )
    }
}

impl std::error::Error for TooLong {}

/// Takes a replacement apart. Digits after a `$` are a number, as in nginx: `$1a` is group 1.
fn parts(replace: &str, pattern: &Regex) -> Result<Vec<Part>, Error> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = replace;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            text.push('$');
            rest = after;
            continue;
        }
        let (name, after) = match after.strip_prefix('{') {
            Some(after) => after.split_once('}'),
            None => {
                let number = after.starts_with(|first: char| first.is_ascii_digit());
                let end = after.find(|letter: char| match number {
                    true => !letter.is_ascii_digit(),
                    false => !(letter.is_ascii_alphanumeric() || letter == '_'),
                });
                Some(after.split_at(end.unwrap_or(after.len())))
            }
        }
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| {
            Error::new(format!("a `$` in the replacement `{replace}` names no group"))
                .help("a dollar sign is `$$`")
        })?;
        let group = match name.parse() {
            Ok(number) => (number < pattern.captures_len()).then_some(number),
            Err(_) => pattern.capture_names().position(|known| known == Some(name)),
        };
        let group = group.ok_or_else(|| {
            Error::new(format!(
                "the replacement `{replace}` uses the group `{name}`, which the pattern `{}` lacks",
                pattern.as_str()
            ))
        })?;
        if !text.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut text)));
        }
        parts.push(Part::Group(group));
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}
