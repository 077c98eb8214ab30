//! Prefixes of paths, and what a rewritten path has to look like.
//!
//! In: a path in its normal form. Out: another. Never: allocates to take a prefix off.

use std::borrow::Cow;

use weir_sdk::serde::de::{Deserialize, Deserializer, Error as _};
use weir_sdk::{Error, Schema};

/// A prefix of whole segments: `/a/b`, without a slash at its end.
pub struct Prefix(String);

// === impl Prefix ===

impl Prefix {
    /// The path without the prefix, always with a slash first; `None` if it does not begin so.
    pub fn strip<'p>(&self, path: &'p str) -> Option<&'p str> {
        let rest = path.strip_prefix(self.0.as_str())?;
        if rest.is_empty() {
            return Some("/");
        }
        // Two slashes first would read as a host to an upstream.
        rest.starts_with('/').then(|| one_slash(rest))
    }

    /// The path with the prefix before it.
    pub fn before(&self, path: &str) -> String {
        [self.0.as_str(), path].concat()
    }
}

impl<'de> Deserialize<'de> for Prefix {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        let prefix = text.trim_end_matches('/');
        let wrong = !text.starts_with('/')
            || text.starts_with("//")
            || text.contains('?')
            || !is_target(&text)
            || climbs(&text);
        if wrong || prefix.is_empty() {
            let help = match text.starts_with('/') {
                true => "a path without a query, dot segments or what is not ASCII: \"/api/v1\"",
                false => "one slash first: \"/api/v1\"",
            };
            let error = Error::new(format!("`{text}` is no prefix of a path")).help(help);
            return Err(D::Error::custom(error));
        }
        Ok(Self(prefix.into()))
    }
}

impl Schema for Prefix {
    fn members(out: &mut String) {
        out.push_str(r#""type":"string","title":"a prefix of a path, such as \"/api/v1\"","pattern":"^/[^?#]+$""#);
    }
}

/// Whether a text can stand in path and query as it is.
pub fn is_target(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}

/// Whether a path has dot segments.
pub fn climbs(path: &str) -> bool {
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// The path with exactly one slash first.
pub fn rooted(path: Cow<'_, str>) -> Cow<'_, str> {
    if path.starts_with('/') && !path.starts_with("//") {
        return path;
    }
    Cow::Owned(["/", path.trim_start_matches('/')].concat())
}

/// What follows `target` from where its path has `end` as its end: the same end with the query.
pub fn with_rest<'t>(target: &'t str, path: &str, end: &str) -> Option<&'t str> {
    let rest = target.get(path.len().checked_sub(end.len())?..)?;
    rest.starts_with(end).then_some(rest)
}

fn one_slash(path: &str) -> &str {
    let slashes = path.len() - path.trim_start_matches('/').len();
    &path[slashes - 1..]
}
