//! Names with `_` or `.`, which CGI, WSGI and others cannot tell from those with `-`.
//!
//! In: the fields of a request, and what its chain sets or checks. Out: the same without each name
//! that an endpoint could take for one of these, or for one of the proxy's own. Never: drops another:
//! metadata of gRPC and of object stores is full of them.

use http::{HeaderMap, HeaderName};

/// Longer names are never looked for.
const MAX_LENGTH: usize = 128;

/// The proxy's own: what it writes, or decides by, and what plugins check that are told nothing else.
const OWN: [&str; 22] = [
    "accept",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "early-data",
    "expect",
    "forwarded",
    "host",
    "keep-alive",
    "max-forwards",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-api-key",
    "x-real-ip",
    "x-request-id",
];
const OWN_PREFIXES: [&str; 2] = ["x-forwarded", "proxy-"];

/// What a chain sets or checks beyond the proxy's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Guarded(Vec<Box<str>>);

impl Guarded {
    /// Of names as they are written.
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Guarded {
        let names = names.into_iter().filter_map(|name| canonical(name.as_ref()));
        let mut names: Vec<Box<str>> = names.map(String::into_boxed_str).collect();
        names.sort_unstable();
        names.dedup();
        Guarded(names)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a name, with `-` for each `_` and `.`, is one of these.
    pub fn holds(&self, canonical: &str) -> bool {
        self.0.binary_search_by(|name| (**name).cmp(canonical)).is_ok()
    }
}

/// Takes out of a request what could be mistaken, or with no list every ambiguous name. Gives what
/// was taken.
pub fn strip(headers: &mut HeaderMap, guarded: Option<&Guarded>) -> Vec<HeaderName> {
    let goes = |name: &&HeaderName| {
        is_ambiguous(name.as_str().as_bytes())
            && guarded.is_none_or(|guarded| match canonical(name.as_str()) {
                None => true,
                Some(name) => is_own(&name) || guarded.holds(&name),
            })
    };
    let names: Vec<HeaderName> = headers.keys().filter(goes).cloned().collect();
    for name in &names {
        headers.remove(name);
    }
    names
}

/// Takes out of a request each ambiguous name beside the one that it could be taken for: whoever
/// wrote that, the client or a plugin, an endpoint must not see two. Gives what was taken.
pub fn strip_twins(headers: &mut HeaderMap) -> Vec<HeaderName> {
    let goes = |name: &&HeaderName| {
        is_ambiguous(name.as_str().as_bytes())
            && canonical(name.as_str()).is_some_and(|name| headers.contains_key(&*name))
    };
    let names: Vec<HeaderName> = headers.keys().filter(goes).cloned().collect();
    for name in &names {
        headers.remove(name);
    }
    names
}

/// As those read a name that cannot tell: `None` for one that is too long to matter.
pub fn canonical(name: &str) -> Option<String> {
    let name = Some(name).filter(|name| name.len() <= MAX_LENGTH)?;
    Some(name.to_ascii_lowercase().replace(['_', '.'], "-"))
}

pub fn is_own(canonical: &str) -> bool {
    OWN.contains(&canonical) || OWN_PREFIXES.iter().any(|prefix| canonical.starts_with(prefix))
}

/// Whether a name holds `_` or `.`; eight bytes at a time.
#[inline]
pub fn is_ambiguous(name: &[u8]) -> bool {
    match (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        (Some(first), Some(last)) if name.len() <= 16 => {
            word_is_ambiguous(first) | word_is_ambiguous(last)
        }
        (Some(_), Some(last)) => {
            let (words, _) = name.as_chunks::<8>();
            words.iter().fold(word_is_ambiguous(last), |any, word| any | word_is_ambiguous(word))
        }
        _ => name.iter().any(|byte| matches!(byte, b'_' | b'.')),
    }
}

/// Whether one of eight bytes is `_` or `.` (the zero-byte test of Hacker's Delight, 6-1).
#[inline]
fn word_is_ambiguous(word: &[u8; 8]) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = u64::from_ne_bytes(*word);
    let has = |byte: u8| {
        let zero = word ^ (ONES * u64::from(byte));
        zero.wrapping_sub(ONES) & !zero & HIGH
    };
    has(b'_') | has(b'.') != 0
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn left(names: &[&'static str], guarded: Option<&Guarded>) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(*name, HeaderValue::from_static("1"));
        }
        strip(&mut headers, guarded);
        headers.keys().map(|name| name.as_str().to_owned()).collect()
    }

    #[test]
    fn what_could_be_mistaken_goes_and_the_rest_stays() {
        let guarded = Guarded::new(["X-User", "x_team.id", "realm"]);
        for (name, stays) in [
            ("api_key", true),
            ("x-amz-meta-a_b", true),
            ("trace_proto.bin", true),
            ("realm_", true),
            ("x-user", true),
            ("x_user", false),
            ("x.user", false),
            ("x-team_id", false),
            ("x_forwarded_for", false),
            ("x_forwarded", false),
            ("x.forwardedfor", false),
            ("x-forwarded_whatever", false),
            ("x.real.ip", false),
            ("content_length", false),
            ("proxy_authorization", false),
            ("transfer_encoding", false),
        ] {
            assert_eq!(left(&[name], Some(&guarded)).len(), usize::from(stays), "{name}");
            let ambiguous = is_ambiguous(name.as_bytes());
            assert_eq!(left(&[name], None).len(), usize::from(!ambiguous), "{name}");
        }
    }

    #[test]
    fn of_twins_the_clear_one_stays() {
        let mut headers = HeaderMap::new();
        for name in ["x-user", "x_user", "x.user", "x_team", "api_key"] {
            headers.append(name, HeaderValue::from_static("1"));
        }
        assert_eq!(strip_twins(&mut headers).len(), 2);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["api_key", "x-user", "x_team"]);
    }

    #[test]
    fn a_name_that_is_too_long_to_be_compared_goes() {
        let name: &'static str = Box::leak("a_".repeat(100).into_boxed_str());
        assert!(left(&[name], Some(&Guarded::default())).is_empty());
    }
}
