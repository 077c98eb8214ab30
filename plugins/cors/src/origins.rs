//! Which origins are allowed.
//!
//! In: patterns of the configuration, then `Origin` values as bytes. Out: yes or no.
//! Never: parses an origin per request; a browser writes one in exactly one way. Nor looks at one that is
//! longer than any browser's.

use weir_sdk::{Error, PatternSet, Problems, Result, bail};

/// An entry of `allow_origins`.
#[weir_sdk::config]
#[serde(untagged)]
pub enum Pattern {
    /// An origin, one with a star, or "*".
    Text(String),
    /// A regular expression that the whole origin must match.
    Regex {
        /// The expression, anchored at both ends.
        regex: String,
    },
}

/// The longest origin, in bytes: a host has 253 at most.
const MAX_ORIGIN: usize = 512;

/// The allowed origins.
pub enum Allowed {
    /// `*`.
    Any,
    /// Exactly one.
    One(Vec<u8>),
    /// Several, or patterns: the response depends on the request.
    Some(Matcher),
}

pub struct Matcher {
    /// Sorted.
    exact: Vec<Vec<u8>>,
    starred: Vec<Starred>,
    regexes: PatternSet,
}

/// An origin with one star.
struct Starred {
    prefix: Vec<u8>,
    suffix: Vec<u8>,
    /// What the star may stand for.
    fits: fn(&u8) -> bool,
}

// === impl Allowed ===

impl Allowed {
    pub fn new(patterns: Vec<Pattern>) -> Result<Self> {
        let regexes = PatternSet::for_texts_of(MAX_ORIGIN);
        let mut all = Matcher { exact: Vec::new(), starred: Vec::new(), regexes };
        let alone = patterns.len() == 1;
        let mut problems = Problems::new();
        for (at, pattern) in patterns.into_iter().enumerate() {
            match pattern {
                Pattern::Text(text) if text == "*" => {
                    if alone {
                        return Ok(Self::Any);
                    }
                    let error = "\"*\" allows every origin, so nothing else is needed";
                    problems.add(Error::new(error).help("remove it, or the others").at(at));
                }
                Pattern::Text(text) => {
                    if problems.take(check(&text).map_err(|error| error.at(at))).is_none() {
                        continue;
                    }
                    match text.split_once('*') {
                        Some((prefix, suffix)) => all.starred.push(Starred::new(prefix, suffix)),
                        None => all.exact.push(text.into_bytes()),
                    }
                }
                Pattern::Regex { regex } => {
                    let added = all.regexes.add(&regex);
                    problems.take(added.map_err(|error| error.at("regex").at(at)));
                }
            }
        }
        problems.or(())?;
        all.exact.sort_unstable();
        all.exact.dedup();
        match (all.exact.as_slice(), all.starred.is_empty() && all.regexes.is_empty()) {
            ([], true) => bail!("it is empty, so no page could use the service"),
            ([origin], true) => Ok(Self::One(origin.clone())),
            _ => Ok(Self::Some(all)),
        }
    }

    pub fn allow(&self, origin: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::One(allowed) => allowed == origin,
            Self::Some(matcher) => matcher.matches(origin),
        }
    }
}

// === impl Matcher ===

impl Matcher {
    pub fn matches(&self, origin: &[u8]) -> bool {
        if origin.len() > MAX_ORIGIN {
            return false;
        }
        let exact = || self.exact.binary_search_by(|allowed| allowed.as_slice().cmp(origin));
        exact().is_ok()
            || self.starred.iter().any(|starred| starred.matches(origin))
            || (!self.regexes.is_empty()
                && std::str::from_utf8(origin).is_ok_and(|origin| self.regexes.is_match(origin)))
    }
}

// === impl Starred ===

impl Starred {
    fn new(prefix: &str, suffix: &str) -> Self {
        let port = suffix.is_empty() && prefix.matches(':').count() == 2;
        Self {
            prefix: prefix.into(),
            suffix: suffix.into(),
            fits: if port {
                u8::is_ascii_digit
            } else {
                |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
            },
        }
    }

    fn matches(&self, origin: &[u8]) -> bool {
        origin
            .strip_prefix(self.prefix.as_slice())
            .and_then(|rest| rest.strip_suffix(self.suffix.as_slice()))
            .is_some_and(|middle| !middle.is_empty() && middle.iter().all(self.fits))
    }
}

/// What browsers send is scheme, host, and port where it is not the scheme's own; or `null`.
fn check(text: &str) -> Result {
    let wrong = |why: &str| Error::new(format!("`{text}` is never sent by a browser")).help(why);
    if text == "null" {
        return Ok(());
    }
    if text.len() > MAX_ORIGIN {
        return Err(wrong("a host has 253 bytes at most"));
    }
    let (scheme, authority) = text
        .split_once("://")
        .ok_or_else(|| wrong("write scheme and host, such as \"https://app.example.com\""))?;
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(wrong("scheme and host are lower-case"));
    }
    if authority.contains(['/', '?', '#', '@']) {
        return Err(wrong("nothing stands behind host and port, not even a slash"));
    }
    if !text.is_ascii() || text.bytes().any(|byte| !byte.is_ascii_graphic()) {
        return Err(wrong("a host is ASCII; write others in their xn-- form"));
    }
    if authority.is_empty() || scheme.is_empty() {
        return Err(wrong("scheme and host are both needed"));
    }
    let default = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => "/",
    };
    if authority.ends_with(default) {
        return Err(wrong("the scheme's own port is left out"));
    }
    if scheme.contains('*') || text.matches('*').count() > 1 {
        return Err(wrong("one star is allowed, in host or port; else use { regex = '…' }"));
    }
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    if port.contains('*') && port != "*" {
        return Err(wrong("a star in the port stands for the whole port"));
    }
    // `https://*example.com` would let evil-example.com in.
    if let Some((before, after)) = host.split_once('*')
        && !(before.is_empty() && after.starts_with('.') && after.len() > 1)
    {
        return Err(wrong(
            "a star in the host stands for whole labels, as in \"https://*.example.com\"",
        ));
    }
    Ok(())
}
