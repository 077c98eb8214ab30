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
        if !query.split(|byte| *byte == b'&').any(|pair| self.has(pair)) {
            return Cow::Borrowed(target);
        }
        let mut out = before.to_vec();
        for (at, pair) in query.split(|byte| *byte == b'&').enumerate() {
            if at > 0 {
                out.push(b'&');
            }
            match self.has(pair) {
                true => {
                    out.extend_from_slice(split(pair).0);
                    out.push(b'=');
                    out.extend_from_slice(MASK);
                }
                false => out.extend_from_slice(pair),
            }
        }
        Cow::Owned(out)
    }

    /// The same of what is written as a target, once it is written.
    pub fn shown<'a, T: fmt::Display>(&'a self, target: &'a T) -> Shown<'a, T> {
        Shown(self, target)
    }

    /// Whether a pair holds a credential: one that is empty holds none.
    fn has(&self, pair: &[u8]) -> bool {
        let (name, value) = split(pair);
        let name = decode(name);
        !value.is_empty() && self.0.iter().any(|concealed| concealed.as_bytes() == &*name)
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
