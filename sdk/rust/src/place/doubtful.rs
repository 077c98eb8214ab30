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

use crate::target::{decodes_to, hex, pieces};

/// A name, character by character, as whoever decodes most does it.
#[derive(Clone)]
struct Decoded<'a>(&'a [u8]);

/// What stands at one place of a name.
enum Piece {
    Byte(u8),
    /// Behind `%u`.
    Char(char),
}

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
    // The whole is a piece of its own where nothing separates it.
    let others = pieces(pair, b';').filter(|piece| piece.len() < pair.len());
    std::iter::once(pair).chain(others).any(|pair| {
        let key = pieces(pair, b'=').next().unwrap_or_default();
        key.len() < pair.len() && is_alike(key.as_bytes(), name) && !decodes_to(key, name)
    })
}

/// What separates cookies for one reader or another, but for the semicolon: a comma, and white space as
/// wide as Latin-1 has it.
fn is_mark(byte: u8) -> bool {
    matches!(byte, b',' | b' ' | b'\t'..=b'\r' | 0x1c..=0x1f | 0x85 | 0xa0)
}

/// Whether a name may be read as the other. In one pass and without a copy: a client may send thousands
/// of them.
fn is_alike(key: &[u8], name: &str) -> bool {
    // As nearly all are: nothing in it that any reader drops or decodes.
    let is_taken_as_it_is = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    if key.iter().all(is_taken_as_it_is) {
        let key = key.iter().map(|byte| fold(char::from(*byte)));
        return key.eq(name.chars().map(fold));
    }
    let is_dropped =
        |c: char| c.is_whitespace() || c.is_control() || matches!(c, '\u{feff}' | '\u{fffd}');
    let mut key = Decoded(key).skip_while(|c| is_dropped(*c) || "[]?\"'=".contains(*c));
    if !name.chars().all(|wanted| key.next().is_some_and(|c| fold(c) == fold(wanted))) {
        return false;
    }
    // Behind it, nothing that stays before what ends a name for one reader or another.
    let ends = |c: char| matches!(c, '\0' | '[' | ']');
    let behind = key.find(|c| ends(*c) || !(is_dropped(*c) || matches!(c, '"' | '\'')));
    behind.is_none_or(ends)
}

/// Without regard to case and to what PHP takes for a `_`.
fn fold(c: char) -> char {
    match c {
        '.' | ' ' | '[' => '_',
        // All that have an ASCII letter in another case.
        '\u{130}' | '\u{131}' => 'i',
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, digit| Some(sum << 4 | u32::from(hex(*digit)?)))
}

// === impl Decoded ===

impl Decoded<'_> {
    /// The next byte, or character; a `%` before no digits is none.
    fn piece(&mut self) -> Option<Piece> {
        loop {
            let (piece, after) = match self.0 {
                [] => return None,
                [b'%', b'u' | b'U', a, b, c, d, after @ ..]
                    if let Some(unit) = number(&[*a, *b, *c, *d]) =>
                {
                    let c = char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER);
                    (Some(Piece::Char(c)), after)
                }
                [b'%', a, b, after @ ..] if let Some(byte) = number(&[*a, *b]) => {
                    (Some(Piece::Byte(byte as u8)), after)
                }
                [b'%', after @ ..] => (None, after),
                [b'+', after @ ..] => (Some(Piece::Byte(b' ')), after),
                [byte, after @ ..] => (Some(Piece::Byte(*byte)), after),
            };
            self.0 = after;
            if piece.is_some() {
                return piece;
            }
        }
    }

    /// The character of several bytes that begins with this one.
    fn wide(&mut self, first: u8) -> Option<char> {
        let mut bytes = [first, 0, 0, 0];
        let length = match first {
            0xc2..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf4 => 4,
            _ => return None,
        };
        for place in bytes.iter_mut().take(length).skip(1) {
            let Some(Piece::Byte(byte)) = self.piece() else { return None };
            *place = byte;
        }
        std::str::from_utf8(bytes.get(..length)?).ok()?.chars().next()
    }
}

/// What is no UTF-8 is U+FFFD, byte by byte.
impl Iterator for Decoded<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        let first = match self.piece()? {
            Piece::Char(c) => return Some(c),
            Piece::Byte(byte) if byte.is_ascii() => return Some(byte.into()),
            Piece::Byte(byte) => byte,
        };
        let mut ahead = self.clone();
        let Some(c) = ahead.wide(first) else { return Some(char::REPLACEMENT_CHARACTER) };
        *self = ahead;
        Some(c)
    }
}
