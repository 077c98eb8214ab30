//! Regular expressions as the configuration writes them, and what a search of them costs. Needs the
//! feature `regex`.

use std::borrow::Cow;
use std::ops::Deref;

use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer};

use crate::Schema;

/// A regular expression in a configuration, in the syntax of the crate `regex-lite`: Perl's
/// without look-around and back-references. Matching takes linear time. Not anchored: write `^`
/// and `$` where they are meant.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

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
