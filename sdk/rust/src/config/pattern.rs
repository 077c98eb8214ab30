//! Regular expressions as the configuration writes them. Needs the feature `regex`.
//!
//! In: patterns of the configuration. Out: the same, compiled, and what a search with them costs. Never:
//! in a set, a search that could take longer than a part of a hook's deadline.

use std::borrow::Cow;
use std::ops::Deref;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer};

use crate::{Error, Schema};

/// A regular expression in a configuration, in the syntax of the crate `regex-lite`: Perl's
/// without look-around and back-references. Matching takes linear time. Not anchored: write `^`
/// and `$` where they are meant.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

/// Several regular expressions, one of which a text has to match as a whole.
///
/// As with a [`Substitution`](crate::Substitution), what a text may cost is settled with the
/// configuration: longer texts than the set is for match nothing, and patterns that could take too long
/// together for the longest are an error.
///
/// ```
/// let mut origins = weir_sdk::PatternSet::for_texts_of(512);
/// origins.add("https://[a-z]+\\.example")?;
/// origins.add("null")?;
/// assert!(origins.is_match("https://a.example"));
/// assert!(!origins.is_match("https://a.example.test"));
/// # Ok::<(), weir_sdk::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PatternSet {
    all: Vec<Regex>,
    /// The longest text, in bytes.
    longest: usize,
    /// What a search with all of them costs for a byte.
    cost: usize,
}

/// What the searches of one text may cost together: bytes searched, times bytes of the program, a little
/// more with each group. At most 1.3 ns each, where the program is letters beside each other that are
/// all alive (`(?:a|a|…)*b`), so less than a third of the 50 ms that a hook has by default:
/// `cargo bench --bench pattern` prints it for the worst shapes.
pub(super) const MAX_COST: usize = 11 << 20;
/// So many groups cost as much as the program itself: each thread of a search copies what it knows of
/// them.
const GROUPS: usize = 32;
const POINTERS: usize = size_of::<usize>() / 4;

// === impl Pattern ===

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        let regex = Regex::new(&text).map_err(|error| {
            serde::de::Error::custom(format_args!("`{text}` is no regular expression: {error}"))
        })?;
        Ok(Self(regex))
    }
}

impl Schema for Pattern {
    fn members(out: &mut String) {
        out.push_str(r#""type":"string","format":"weir-regex""#);
    }
}

impl Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        &self.0
    }
}

// === impl PatternSet ===

impl PatternSet {
    /// None yet, for texts of at most so many bytes.
    pub fn for_texts_of(longest: usize) -> Self {
        Self { all: Vec::new(), longest: longest.max(1), cost: 0 }
    }

    /// Adds one, anchored at both ends.
    ///
    /// # Errors
    /// It is no regular expression, or too large together with those before it.
    pub fn add(&mut self, pattern: &str) -> Result<(), Error> {
        let broken = |error: regex_lite::Error| {
            Error::new(format!("`{pattern}` is no regular expression: {error}"))
        };
        // By itself first: a parenthesis too many would close the one around it.
        Regex::new(pattern).map_err(broken)?;
        let whole = Regex::new(&format!("^(?:{pattern})$")).map_err(broken)?;
        let cost = cost(&whole, MAX_COST / self.longest - self.cost).ok_or_else(|| {
            let together = if self.all.is_empty() { "" } else { ", together with those before it" };
            let longest = self.longest;
            // Without the pattern, which is large indeed.
            let error = format!(
                "the pattern is too large{together}: a text of {longest} bytes would take too long"
            );
            Error::new(error).help("repeat less in it")
        })?;
        self.cost += cost;
        self.all.push(whole);
        Ok(())
    }

    /// Whether it has no pattern.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether one of them matches the whole text.
    pub fn is_match(&self, text: &str) -> bool {
        text.len() <= self.longest && self.all.iter().any(|pattern| pattern.is_match(text))
    }
}

/// What a search costs for a byte: the size of the program, in bytes of a guest's memory, which only its
/// builder knows, and of what is noted of each group. `None` where that is more than `most`.
pub(super) fn cost(pattern: &Regex, most: usize) -> Option<usize> {
    // Pointers are larger elsewhere.
    let fits = |size: usize| {
        RegexBuilder::new(pattern.as_str()).size_limit(size * POINTERS).build().is_ok()
    };
    let (mut below, mut size) = (0, 64);
    while !fits(size) {
        if size > most {
            return None;
        }
        (below, size) = (size, size * 2);
    }
    for _ in 0..6 {
        let middle = below.midpoint(size);
        if fits(middle) { size = middle } else { below = middle }
    }
    let cost = size * (GROUPS + pattern.captures_len() - 1) / GROUPS;
    Some(cost).filter(|cost| *cost <= most)
}
