//! The paths of one host.
//!
//! In: path matches with their routes' ranks; then a request. Out: the lowest rank that matches.
//! Never: compares a request's path with every prefix.
//!
//! Exact paths and prefixes stand in one sorted list, each linked to the longest other text in the
//! list that it begins with. Every text that a path begins with is then met from the last text that
//! is not greater than the path, by following the links: one binary search finds exact match and
//! prefixes together.

use std::collections::BTreeMap;

use crate::config::{Match, PathMatch, Pattern, TooLong};
use crate::http::path::normalize;

use super::{NONE, Rank, Request, Rule};

/// Ready to be searched.
#[derive(Debug, Default)]
pub(super) struct Paths {
    /// Sorted by text.
    texts: Box<[Text]>,
    regexes: Box<[(Rank, Pattern)]>,
    /// Without a path match.
    any: Box<[Rank]>,
    /// The lowest rank of all: a search that has a lower one need not begin.
    lowest: Rank,
}

#[derive(Debug)]
struct Text {
    text: Box<str>,
    /// The longest other text that this one begins with; its own index if there is none.
    parent: usize,
    /// Ranks of routes that want exactly this, ascending.
    exact: Box<[Rank]>,
    /// Ranks of routes that want what begins with this, ascending.
    prefix: Box<[Rank]>,
}

/// What [`Paths`] is made from. Ranks are added in ascending order.
#[derive(Debug, Default)]
pub(super) struct Builder {
    texts: BTreeMap<Box<str>, (Vec<Rank>, Vec<Rank>)>,
    regexes: Vec<(Rank, Pattern)>,
    any: Vec<Rank>,
    lowest: Option<Rank>,
}

/// A match whose path is in normal form.
pub(super) fn normal(matches: &Match) -> Match {
    let text = |text: &String| match normalize(text) {
        Ok(normal) => normal.into_owned(),
        Err(_) => text.clone(),
    };
    let path = matches.path.as_ref().map(|path| match path {
        PathMatch::Exact(exact) => PathMatch::Exact(text(exact)),
        PathMatch::Below(prefix) => PathMatch::Below(text(prefix)),
        // The root's prefix is kept as an empty text.
        PathMatch::Prefix(prefix) => PathMatch::Prefix(text(prefix).trim_end_matches('/').into()),
        PathMatch::Regex(regex) => PathMatch::Regex(regex.clone()),
    });
    Match { path, ..matches.clone() }
}

impl Builder {
    pub(super) fn add(&mut self, rank: Rank, path: Option<&PathMatch>) {
        self.lowest.get_or_insert(rank);
        match path {
            Some(PathMatch::Exact(text)) => {
                self.texts.entry(text.as_str().into()).or_default().0.push(rank);
            }
            Some(PathMatch::Below(text) | PathMatch::Prefix(text)) => {
                self.texts.entry(text.as_str().into()).or_default().1.push(rank);
            }
            Some(PathMatch::Regex(regex)) => self.regexes.push((rank, regex.clone())),
            None => self.any.push(rank),
        }
    }

    pub(super) fn build(self) -> Paths {
        let mut texts: Vec<Text> = Vec::with_capacity(self.texts.len());
        for (text, (exact, prefix)) in self.texts {
            // Those that this one begins with are the last one or above it.
            let mut parent = texts.len().wrapping_sub(1);
            while let Some(above) = texts.get(parent) {
                if text.starts_with(&*above.text) {
                    break;
                }
                parent = if above.parent == parent { usize::MAX } else { above.parent };
            }
            let parent = if parent < texts.len() { parent } else { texts.len() };
            texts.push(Text { text, parent, exact: exact.into(), prefix: prefix.into() });
        }
        Paths {
            texts: texts.into(),
            regexes: self.regexes.into(),
            any: self.any.into(),
            lowest: self.lowest.unwrap_or(NONE),
        }
    }
}

impl Paths {
    /// The lowest rank below `best` that a request matches, else `best`.
    pub(super) fn find(&self, request: &Request<'_>, rules: &[Rule], mut best: Rank) -> Rank {
        if self.lowest >= best {
            return best;
        }
        let holds = |rank: Rank| rules.get(rank as usize).is_some_and(|rule| rule.holds(request));
        let lower = |ranks: &[Rank], best: &mut Rank| {
            let rivals = ranks.iter().take_while(|rank| **rank < *best);
            if let Some(rank) = rivals.copied().find(|rank| holds(*rank)) {
                *best = rank;
            }
        };
        self.each_text(request.path, |ranks| lower(ranks, &mut best));
        for (rank, regex) in &self.regexes {
            if *rank >= best {
                break;
            }
            let path = request.path.as_bytes();
            if holds(*rank) && regex.takes(path, request.steps, TooLong::Target) {
                best = *rank;
            }
        }
        lower(&self.any, &mut best);
        best
    }

    /// Calls with the ranks of the text that is the path, then of each that it begins with, longest
    /// first.
    fn each_text(&self, path: &str, mut ranks: impl FnMut(&[Rank])) {
        let after = self.texts.partition_point(|text| *text.text <= *path);
        let mut at = after.wrapping_sub(1);
        // Once one text begins the path, those above it do as well.
        let mut begins = false;
        while let Some(text) = self.texts.get(at) {
            begins = begins || path.starts_with(&*text.text);
            if begins {
                if path.len() == text.text.len() {
                    ranks(&text.exact);
                }
                if text.takes(path) {
                    ranks(&text.prefix);
                }
            }
            if text.parent == at {
                return;
            }
            at = text.parent;
        }
    }
}

impl Text {
    /// Whether a path that begins with this text goes on with a new segment, or ends here. A text
    /// that ends in `/` (`/api/*`) takes whatever follows.
    fn takes(&self, path: &str) -> bool {
        self.text.ends_with('/')
            || matches!(path.as_bytes().get(self.text.len()), None | Some(b'/'))
    }
}
