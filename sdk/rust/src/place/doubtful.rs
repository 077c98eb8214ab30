//! What some endpoint takes for a cookie or a parameter of a name although it is not written so: one
//! reading that is wider than each of theirs.
//!
//! In: pairs as they were sent. Out: whether one may be read as what is looked for. Never: says no where
//! a reader below says yes, or looks into a value but for what separates cookies.
//!
//! | reader | what it does | by |
//! |---|---|---|
//! | [PHP] | drops spaces before a name, ends it at NUL and `[`, makes `_` of `.`, space and `[` | `parse_str`, `$_COOKIE` |
//! | [Python] | separates cookies by white space as well as by `;` | `http.cookies` |
//! | [Django], Node.js | drop white space of Unicode around a cookie's name | `strip()`, `trim()` |
//! | [RFC 2109], 4.4 | separates cookies by `,` | old servlets, Rack and Node.js |
//! | [HTML 4], B.2.2 | separates parameters by `;` | old Rack, Python, Perl |
//! | [Rack], [qs] | take brackets off a name: `[jt]`, `jt[]`, `jt[0]` | Rails, Express |
//! | [ASP.NET] | does not mind the case of a name | `Request.Query`, `Request.Cookies` |
//! | [`%uXXXX`][ASP], `%` before no digits | decodes the one, drops the other | ASP.NET, ASP |
//! | [URLSearchParams] | drops a `?` before the first name | endpoints that hand it the query |
//!
//! [PHP]: https://www.php.net/manual/en/language.variables.external.php
//! [Python]: https://docs.python.org/3/library/http.cookies.html
//! [Django]: https://github.com/django/django/blob/main/django/http/cookie.py
//! [RFC 2109]: https://www.rfc-editor.org/rfc/rfc2109#section-4.4
//! [HTML 4]: https://www.w3.org/TR/html401/appendix/notes.html#h-B.2.2
//! [Rack]: https://github.com/rack/rack/blob/main/lib/rack/query_parser.rb
//! [qs]: https://github.com/ljharb/qs#parsing-objects
//! [ASP.NET]: https://learn.microsoft.com/dotnet/api/microsoft.aspnetcore.http.iquerycollection
//! [ASP]: https://learn.microsoft.com/dotnet/api/system.web.httputility.urldecode
//! [URLSearchParams]: https://url.spec.whatwg.org/#dom-urlsearchparams-urlsearchparams

use crate::target::{decode, hex};

/// Whether somebody reads a cookie of this name in what stands between two semicolons, beside the one
/// that RFC 6265 finds there. Quotes hide nothing: who separates by commas does not look for them.
pub(super) fn has_cookie(pair: &[u8], name: &str) -> bool {
    let key = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
    let is_plain = key.trim_ascii() == name.as_bytes();
    if !is_plain && key.len() < pair.len() && is_alike(key, name) {
        return true;
    }
    let words = pair.split(|byte| is_mark(*byte)).filter(|word| !word.is_empty());
    let mut words = words.skip(usize::from(is_plain)).peekable();
    while let Some(word) = words.next() {
        let start = word.iter().position(|byte| *byte != b'=').unwrap_or(word.len());
        let word = word.get(start..).unwrap_or_default();
        let key = word.split(|byte| *byte == b'=').next().unwrap_or_default();
        let has_value =
            key.len() < word.len() || words.peek().is_some_and(|next| next.starts_with(b"="));
        if has_value && is_alike(key, name) {
            return true;
        }
    }
    false
}

/// Whether somebody reads a parameter of this name in what stands between two `&`, beside those that
/// are written so, separated by `&` or `;`.
pub(super) fn has_parameter(pair: &str, name: &str) -> bool {
    std::iter::once(pair).chain(pair.split(';')).any(|pair| {
        pair.split_once('=')
            .is_some_and(|(key, _)| is_alike(key.as_bytes(), name) && decode(key, true) != name)
    })
}

/// What separates cookies for one reader or another, but for the semicolon: a comma, and white space as
/// wide as Latin-1 has it.
fn is_mark(byte: u8) -> bool {
    matches!(byte, b',' | b' ' | b'\t'..=b'\r' | 0x1c..=0x1f | 0x85 | 0xa0)
}

/// Whether a name may be read as the other.
fn is_alike(key: &[u8], name: &str) -> bool {
    // As nearly all are: nothing in it that any reader drops or decodes.
    let is_taken_as_it_is = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    if key.iter().all(is_taken_as_it_is) {
        return key.len() == name.len() && folded(key.iter().map(|b| char::from(*b)), name);
    }
    let key = decoded(key);
    let dropped =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{feff}' | '\u{fffd}');
    let before = |c: char| dropped(c) || "[]?\"'=".contains(c);
    let after = |c: char| dropped(c) || "]\"'".contains(c);
    [&*key, key.split('\0').next().unwrap_or_default()].into_iter().any(|key| {
        let key = key.trim_start_matches(before);
        let base = key.split(['[', ']']).next().unwrap_or_default();
        [key, key.trim_end_matches(after), base, base.trim_end_matches(after)]
            .into_iter()
            .any(|key| folded(key.chars(), name))
    })
}

/// Whether they are the same without regard to case and to what PHP takes for a `_`.
fn folded(key: impl Iterator<Item = char>, name: &str) -> bool {
    let fold = |c: char| match c {
        '.' | ' ' | '[' => '_',
        // All that have an ASCII letter in another case.
        '\u{130}' | '\u{131}' => 'i',
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    };
    key.map(fold).eq(name.chars().map(fold))
}

/// As whoever decodes most does it.
fn decoded(key: &[u8]) -> String {
    let mut out = Vec::with_capacity(key.len());
    let mut rest = key;
    loop {
        rest = match rest {
            [] => break,
            [b'%', b'u' | b'U', a, b, c, d, after @ ..]
                if let Some(unit) = number(&[*a, *b, *c, *d]) =>
            {
                let c = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                after
            }
            [b'%', a, b, after @ ..] if let Some(byte) = number(&[*a, *b]) => {
                out.push(byte as u8);
                after
            }
            [b'%', after @ ..] => after,
            [b'+', after @ ..] => {
                out.push(b' ');
                after
            }
            [byte, after @ ..] => {
                out.push(*byte);
                after
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | u32::from(hex(*digit)?)))
}
