//! One normalisation of the path, before routing (RFC 3986, section 6.2.2).
//!
//! In: the path of a request target, as received. Out: its normal form, or why it has none (400).
//! The string matched is the string forwarded: router, plugins and endpoint all see what
//! [`normalize`] returns. Never: allocates for a path that is normal already, never looks at the
//! query, never decodes what would change the path's structure.
//!
//! | received | becomes | why |
//! |---|---|---|
//! | `/a/./b`, `/a/../b`, `%2e` as dots | dots resolved | RFC 3986, 5.2.4 |
//! | `/../a` | 400 | nobody honest leaves the root |
//! | `%41`, `%7e` | `A`, `~` | unreserved characters are the same either way |
//! | `%2f`, `%3b` | `%2F`, `%3B` | a reserved character is data when encoded: no separator |
//! | `%5c` | `%5C` | as it is; a raw `\` is 400: some servers take it for `/` |
//! | `..%2f`, `..%5c`, `/..;x/` | 400 | endpoints that decode late would climb behind our match |
//! | `//` | `//` | empty segments are segments; a proxy that merges them changes resources |
//! | `%00`, `%zz`, `%4` | 400 | no server agrees with another on these |
//! | `é`, `"`, `<`, `{` … | percent-encoded | no characters of a path (RFC 3986, 3.3) |
//! | `\|`, `[`, `]` | percent-encoded | the same; browsers send them raw, and some servers refuse that |
//! | control characters | 400 | |

pub mod strict;

use std::borrow::Cow;

use crate::error::Error;

/// Why a path has no normal form. The answer is 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPath {
    /// Neither empty, nor `*`, nor begins with `/`.
    NotAbsolute,
    /// `%` without two hexadecimal digits.
    Escape,
    /// A control character, or `%00`.
    Control,
    /// A raw `\`.
    Backslash,
    /// `..` above the root.
    AboveRoot,
    /// `..` beside an encoded separator, or with parameters (`..;x`).
    HiddenDots,
}

/// The normal form of a path. Borrowed if it is the path itself.
///
/// An empty path becomes `/`; `*` (the asterisk form of `OPTIONS`) stays. Normalising twice is the
/// same as once.
pub fn normalize(path: &str) -> Result<Cow<'_, str>, BadPath> {
    let bytes = path.as_bytes();
    match bytes.first() {
        Some(b'/') => {}
        None => return Ok(Cow::Borrowed("/")),
        Some(b'*') if bytes.len() == 1 => return Ok(Cow::Borrowed(path)),
        Some(_) => return Err(BadPath::NotAbsolute),
    }
    let mut before = b'/';
    for (at, &byte) in bytes.iter().enumerate() {
        // A dot only matters where a segment begins.
        if CLASS[byte as usize] != PLAIN && (byte != b'.' || before == b'/') {
            return rebuild(bytes, at).map(Cow::Owned);
        }
        before = byte;
    }
    Ok(Cow::Borrowed(path))
}

impl BadPath {
    /// What the client is told.
    pub fn as_str(self) -> &'static str {
        match self {
            BadPath::NotAbsolute => "the request target's path does not begin with \"/\"",
            BadPath::Escape => "the path holds a \"%\" without two hexadecimal digits",
            BadPath::Control => "the path holds a control character",
            BadPath::Backslash => "the path holds a \"\\\"; write it as \"%5C\"",
            BadPath::AboveRoot => "the path climbs above the root",
            BadPath::HiddenDots => {
                "the path hides \"..\" beside an encoded separator or parameters"
            }
        }
    }
}

impl From<BadPath> for Error {
    fn from(bad: BadPath) -> Error {
        Error::request(400, bad.as_str())
    }
}

/// Characters of a path that stay, but for the dot.
const PLAIN: u8 = 0;
/// `.`
const DOT: u8 = 1;
/// `%`
const PERCENT: u8 = 2;
/// No character of a path: percent-encoded.
const ENCODE: u8 = 3;
/// Refused.
const REFUSE: u8 = 4;

/// `pchar` and `/` (RFC 3986, 3.3) are plain.
const CLASS: [u8; 256] = {
    let mut class = [ENCODE; 256];
    let plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_~!$&'()*+,;=:@/";
    let mut at = 0;
    while at < plain.len() {
        class[plain[at] as usize] = PLAIN;
        at += 1;
    }
    let mut control = 0;
    while control < 0x20 {
        class[control] = REFUSE;
        control += 1;
    }
    class[0x7f] = REFUSE;
    class[b'\\' as usize] = REFUSE;
    class[b'.' as usize] = DOT;
    class[b'%' as usize] = PERCENT;
    class
};

/// The slow way: from the first byte that may not stay as it is.
fn rebuild(bytes: &[u8], from: usize) -> Result<String, BadPath> {
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len() + 16);
    // Back to the begin of the segment: what is before has no dots at the begin of a segment.
    let from = bytes[..=from].iter().rposition(|byte| *byte == b'/').unwrap_or(0);
    out.extend_from_slice(&bytes[..from]);
    let mut rest = &bytes[from..];
    while let Some((b'/', after)) = rest.split_first() {
        let end = memchr::memchr(b'/', after).unwrap_or(after.len());
        let (raw, next) = after.split_at(end);
        let start = out.len();
        out.push(b'/');
        segment(raw, &mut out)?;
        match &out[start + 1..] {
            b"." => out.truncate(start),
            b".." => {
                out.truncate(start);
                let parent =
                    out.iter().rposition(|byte| *byte == b'/').ok_or(BadPath::AboveRoot)?;
                out.truncate(parent);
            }
            other if hides_dots(other) => return Err(BadPath::HiddenDots),
            _ => {
                rest = next;
                continue;
            }
        }
        // A path that ends in a dot segment ends in a slash.
        if next.is_empty() {
            out.push(b'/');
        }
        rest = next;
    }
    // Only ASCII was pushed: plain characters, escapes, and what escapes decode to.
    String::from_utf8(out).map_err(|_| BadPath::Escape)
}

/// Appends the normal form of one segment.
fn segment(raw: &[u8], out: &mut Vec<u8>) -> Result<(), BadPath> {
    let mut rest = raw;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match CLASS[byte as usize] {
            PLAIN | DOT => out.push(byte),
            PERCENT => {
                let [high, low, after @ ..] = rest else { return Err(BadPath::Escape) };
                let (Some(high), Some(low)) = (hex(*high), hex(*low)) else {
                    return Err(BadPath::Escape);
                };
                rest = after;
                match high << 4 | low {
                    0 => return Err(BadPath::Control),
                    decoded if is_unreserved(decoded) => out.push(decoded),
                    encoded => push_escape(encoded, out),
                }
            }
            ENCODE => push_escape(byte, out),
            _ if byte == b'\\' => return Err(BadPath::Backslash),
            _ => return Err(BadPath::Control),
        }
    }
    Ok(())
}

/// Whether a normal segment that is no dot segment would be one to an endpoint that decodes
/// `%2F` or `%5C` first, or that cuts parameters off.
fn hides_dots(segment: &[u8]) -> bool {
    if !segment.windows(2).any(|pair| pair == b"..") {
        return false;
    }
    let mut start = 0;
    loop {
        let rest = &segment[start..];
        let end = rest
            .windows(3)
            .position(|three| matches!(three, b"%2F" | b"%5C"))
            .unwrap_or(rest.len());
        let name = rest[..end].split(|byte| *byte == b';').next().unwrap_or_default();
        if name == b".." {
            return true;
        }
        if end == rest.len() {
            return false;
        }
        start += end + 3;
    }
}

/// RFC 3986, 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Appends a byte as an escape.
pub(super) fn push_escape(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend_from_slice(&[b'%', DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize]]);
}

/// The value of a hexadecimal digit.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    (digit as char).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests;
