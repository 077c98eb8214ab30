//! Query parameters that carry credentials: what they hold is told to nobody who keeps it.
//!
//! In: the names that plugins read credentials from; a target, or a URL, as a log would have it. Out:
//! the same with `***` for what such a parameter holds. Never: copies a text that has none of them.

use std::borrow::Cow;
use std::fmt;

use super::query::{decode, split};

/// What stands in a credential's place.
const MASK: &[u8] = b"***";

/// The parameters of one configuration.
#[derive(Debug, Default)]
pub struct Concealed(Box<[Box<str>]>);

/// A target as it may be told.
pub struct Shown<'a, T>(&'a Concealed, &'a T);

impl Concealed {
    /// Parameters by their decoded names.
    pub fn new(names: impl Iterator<Item = Box<str>>) -> Concealed {
        let mut names: Vec<Box<str>> = names.collect();
        names.sort_unstable();
        names.dedup();
        Concealed(names.into())
    }

    /// A path with its query, or a URL, without what the parameters hold.
    pub fn in_target<'t>(&self, target: &'t [u8]) -> Cow<'t, [u8]> {
        if self.0.is_empty() {
            return Cow::Borrowed(target);
        }
        let Some(query) = memchr::memchr(b'?', target) else { return Cow::Borrowed(target) };
        let (before, query) = target.split_at(query + 1);
        if !query.split(|byte| *byte == b'&').any(|pair| self.credential(pair).is_some()) {
            return Cow::Borrowed(target);
        }
        let mut out = before.to_vec();
        for (at, pair) in query.split(|byte| *byte == b'&').enumerate() {
            if at > 0 {
                out.push(b'&');
            }
            match self.credential(pair).and_then(|from| pair.get(..from)) {
                Some(before) => {
                    out.extend_from_slice(before);
                    out.extend_from_slice(MASK);
                }
                None => out.extend_from_slice(pair),
            }
        }
        Cow::Owned(out)
    }

    /// The same of what is written as a target, once it is written.
    pub fn shown<'a, T: fmt::Display>(&'a self, target: &'a T) -> Shown<'a, T> {
        Shown(self, target)
    }

    /// Where in a pair a credential begins, which is then all of the rest: one that is empty is none.
    /// For some endpoints pairs end at a `;` too.
    fn credential(&self, pair: &[u8]) -> Option<usize> {
        let mut start = 0;
        for part in pair.split(|byte| *byte == b';') {
            let (written, value) = split(part);
            let name = decode(written);
            let known = || self.0.iter().any(|concealed| concealed.as_bytes() == &*name);
            if !value.is_empty() && known() {
                return Some(start + written.len() + 1);
            }
            start += part.len() + 1;
        }
        None
    }
}

impl<T: fmt::Display> fmt::Display for Shown<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown(concealed, target) = self;
        if concealed.0.is_empty() {
            return target.fmt(f);
        }
        let target = target.to_string();
        f.write_str(&String::from_utf8_lossy(&concealed.in_target(target.as_bytes())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_parameter_holds_is_masked() {
        let concealed = Concealed::new(["k", "access token"].map(Box::from).into_iter());
        for (target, expected) in [
            ("/", "/"),
            ("/k=1", "/k=1"),
            ("/?a=1", "/?a=1"),
            ("/?k", "/?k"),
            ("/?k=", "/?k="),
            ("/?k=secret", "/?k=***"),
            ("/?k=secret&k=secret", "/?k=***&k=***"),
            ("/?a=1&k=s&b=2", "/?a=1&k=***&b=2"),
            ("/?%6b=secret", "/?%6b=***"),
            ("/?%6B=a=b?c", "/?%6B=***"),
            ("/?access+token=a&access%20token=b", "/?access+token=***&access%20token=***"),
            ("/?K=1&kk=2", "/?K=1&kk=2"),
            ("/?a=1;k=secret;b&c", "/?a=1;k=***&c"),
            ("/?k=se;cret", "/?k=***"),
            ("https://u.example/a?k=secret", "https://u.example/a?k=***"),
        ] {
            let shown = concealed.in_target(target.as_bytes());
            assert_eq!(String::from_utf8_lossy(&shown), expected, "{target}");
            assert_eq!(concealed.shown(&target).to_string(), expected);
        }
        let nothing = Concealed::default();
        assert!(matches!(nothing.in_target(b"/?k=1"), Cow::Borrowed(b"/?k=1")));
    }
}
