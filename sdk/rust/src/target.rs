//! Path and query of a request, taken apart.
//!
//! In: the string the proxy forwards. Out: slices of it, and decoded parameters.
//! Never: normalises the path; the proxy did, and what it matched is what it forwards.

use std::borrow::Cow;

/// Path and query of a request, as one host call gives them.
///
/// ```
/// use weir_sdk::Target;
/// let target = Target::new("/search?q=a%20b&q=c+d&flag");
/// assert_eq!(target.path(), "/search");
/// assert_eq!(target.query(), Some("q=a%20b&q=c+d&flag"));
/// assert_eq!(target.parameter("q").as_deref(), Some("a b"));
/// assert_eq!(target.parameter("flag").as_deref(), Some(""));
/// assert_eq!(Target::new("/?%71x=a&%71=b").parameter("q").as_deref(), Some("b"));
/// assert_eq!(target.parameters().count(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    text: String,
    question: Option<usize>,
}

/// The bytes of a text with `%XX` resolved.
struct Decoded<'a> {
    rest: &'a [u8],
    plus_is_space: bool,
}

// === impl Target ===

impl Target {
    /// Takes `path?query` apart.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let question = text.find('?');
        Self { text, question }
    }

    /// The whole, as it is forwarded.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The path, without the query, not decoded.
    pub fn path(&self) -> &str {
        match self.question {
            Some(at) => &self.text[..at],
            None => &self.text,
        }
    }

    /// The query without its question mark, not decoded; `None` where there is none.
    pub fn query(&self) -> Option<&str> {
        self.question.map(|at| &self.text[at + 1..])
    }

    /// First value of a query parameter, decoded. Empty for a name without `=`.
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        let found = self.pairs().find(|pair| !pair.is_empty() && is_named(pair, name))?;
        Some(decode(value(found), true))
    }

    /// Every query parameter in order, decoded as `application/x-www-form-urlencoded`: `+` is a
    /// space, and bytes that are no UTF-8 become U+FFFD.
    pub fn parameters(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        self.pairs().filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        })
    }

    /// The values of a parameter as any upstream may find them, decoded: some take `;` for a
    /// separator, as HTML 4 told them to (B.2.2), and would believe what stands behind one.
    ///
    /// ```
    /// let target = weir_sdk::Target::new("/?k=1;k=2&a=;k=3&b;c");
    /// assert_eq!(target.values_however_separated("k"), ["1;k=2", "2", "3"]);
    /// assert_eq!(weir_sdk::Target::new("/?k;a=1").values_however_separated("k"), [""]);
    /// ```
    pub fn values_however_separated(&self, name: &str) -> Vec<Cow<'_, str>> {
        let values = self.pairs().flat_map(|pair| {
            // The first piece is the pair itself, unless that has its `=` in a later one.
            let others = pieces(pair, b';').enumerate().filter(move |(at, piece)| {
                *at > 0 || piece.len() < pair.len() && !piece.contains('=')
            });
            std::iter::once(pair).chain(others.map(|(_, piece)| piece))
        });
        values.filter(|pair| is_named(pair, name)).map(|pair| decode(value(pair), true)).collect()
    }

    /// The whole without the query parameters of this name, be they separated by `&` or by `;`;
    /// `None` where there is none to take out. What stays is not decoded and encoded again.
    ///
    /// ```
    /// let target = weir_sdk::Target::new("/a?k=1&b=%20&k=2");
    /// assert_eq!(target.without("k").as_deref(), Some("/a?b=%20"));
    /// assert_eq!(target.without("c"), None);
    /// let target = weir_sdk::Target::new("/a?k=1;b=2&c=3;k=4;d=5");
    /// assert_eq!(target.without("k").as_deref(), Some("/a?c=3;d=5"));
    /// let target = weir_sdk::Target::new("/a?k;k=1&b=2&k;c=3");
    /// assert_eq!(target.without("k").as_deref(), Some("/a?b=2&c=3"));
    /// ```
    pub fn without(&self, name: &str) -> Option<String> {
        let named = |pair: &&str| is_named(pair, name);
        if !self.pairs().flat_map(|pair| pieces(pair, b';')).any(|pair| named(&pair)) {
            return None;
        }
        let mut out = String::with_capacity(self.text.len());
        out.push_str(self.path());
        let mut first = true;
        for pair in self.pairs().filter(|pair| !named(pair)) {
            let mut mark = '&';
            for piece in pieces(pair, b';').filter(|piece| !named(piece)) {
                out.push(if std::mem::take(&mut first) { '?' } else { mark });
                out.push_str(piece);
                mark = ';';
            }
        }
        Some(out)
    }

    /// What stands between two `&`, not decoded.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &str> {
        pieces(self.query().unwrap_or_default(), b'&')
    }

    /// The whole with those pairs only; `None` where all of them stay.
    pub(crate) fn with_pairs(&self, stays: impl Fn(&str) -> bool) -> Option<String> {
        if self.pairs().all(&stays) {
            return None;
        }
        let rest: Vec<&str> = self.pairs().filter(|pair| stays(pair)).collect();
        Some(match rest.as_slice() {
            [] => self.path().into(),
            rest => [self.path(), "?", &rest.join("&")].concat(),
        })
    }

    /// The whole, without a copy.
    pub fn into_string(self) -> String {
        self.text
    }
}

// === impl Decoded ===

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (byte, after) = match self.rest {
            [] => return None,
            [b'%', high, low, after @ ..]
                if let (Some(high), Some(low)) = (hex(*high), hex(*low)) =>
            {
                (high << 4 | low, after)
            }
            [b'+', after @ ..] if self.plus_is_space => (b' ', after),
            [byte, after @ ..] => (*byte, after),
        };
        self.rest = after;
        Some(byte)
    }
}

fn is_named(pair: &str, name: &str) -> bool {
    decodes_to(pieces(pair, b'=').next().unwrap_or_default(), name)
}

fn value(pair: &str) -> &str {
    pair.split_once('=').map_or("", |(_, value)| value)
}

/// Resolves `%XX`, and `+` where `plus_is_space`. A `%` without two hex digits stays as it is.
pub fn decode(text: &str, plus_is_space: bool) -> Cow<'_, str> {
    if !text.bytes().any(|byte| byte == b'%' || (plus_is_space && byte == b'+')) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    out.extend(Decoded { rest: text.as_bytes(), plus_is_space });
    Cow::Owned(match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// Whether a name of a query is this one, once it is [decoded](decode). Without a copy: a client may send
/// thousands of them.
pub(crate) fn decodes_to(text: &str, name: &str) -> bool {
    Decoded { rest: text.as_bytes(), plus_is_space: true }.eq(name.bytes())
}

/// What stands between marks of ASCII. `str::split` is made for longer pieces than a client may send
/// thousands of.
pub(crate) fn pieces(text: &str, mark: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some(at) = text.bytes().position(|byte| byte == mark) else { return Some(text) };
        rest = text.get(at + 1..);
        text.get(..at)
    })
}

/// Escapes everything but the unreserved characters (RFC 3986, 2.3) as `%XX`, which is right in a
/// path segment, and in a name or value of a query.
pub fn encode(text: &str) -> Cow<'_, str> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if plain(byte) {
            out.push(byte.into());
        } else {
            out.push('%');
            out.push(DIGITS[usize::from(byte >> 4)].into());
            out.push(DIGITS[usize::from(byte & 15)].into());
        }
    }
    Cow::Owned(out)
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
