//! The paths that endpoints may read in an ambiguous one.
//!
//! In: a path as it was received, and as it is forwarded. Out: every path that an endpoint may take
//! it for, spelled as routes are. Never: guesses which endpoint it is: whatever order they decode,
//! cut, merge and resolve in, and whichever of these they leave, is one reading; a path with more
//! readings than are worth looking at has none.

use super::{decode, decode_some, hex};
use crate::http::path::{CLASS, DOT, PLAIN, is_unreserved, push_escape};

/// Most readings of one path. Honest paths have two or three.
const MOST: usize = 64;
/// Longest path that is read: keys of object stores have 1,024 bytes, three times that encoded.
const LONGEST: usize = 4096;
/// How often an endpoint decodes.
const DECODES: u8 = 2;

/// One reading, on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Reading {
    text: Vec<u8>,
    /// How often it was decoded.
    decodes: u8,
}

/// Whatever endpoints may take a path for, in the form in which routes match; never forwarded.
/// `None`: too many to tell.
///
/// Their habits are applied in every order, and escapes decoded at most twice.
pub fn readings(received: &str, forwarded: &str) -> Option<Vec<String>> {
    if received.len().max(forwarded.len()) > LONGEST {
        return None;
    }
    let mut found: Vec<Reading> = Vec::new();
    let add = |found: &mut Vec<Reading>, new: Reading| {
        let known = |old: &Reading| old.text == new.text && old.decodes <= new.decodes;
        if !found.iter().any(known) {
            found.push(new);
        }
        found.len() <= MOST
    };
    for path in [forwarded, received] {
        add(&mut found, Reading { text: path.into(), decodes: 0 });
    }
    let mut at = 0;
    while let Some(Reading { text, decodes }) = found.get(at).cloned() {
        at += 1;
        let changed = HABITS.iter().map(|habit| (habit(&text), decodes));
        let decoded = DECODERS.iter().map(|decoder| (decoder(&text), decodes + 1));
        for (text, decodes) in changed.chain(decoded.filter(|_| decodes < DECODES)) {
            if !add(&mut found, Reading { text, decodes }) {
                return None;
            }
        }
    }
    Some(found.iter().map(Reading::spelled).collect())
}

/// What endpoints do to a path.
type Habit = fn(&[u8]) -> Vec<u8>;

/// All of it, besides decoding.
const HABITS: [Habit; 8] = [
    without_parameters,
    without_empty_segments,
    without_dot_segments,
    without_authority,
    with_slashes,
    cut,
    trimmed,
    shortest,
];

/// Everything at once, or all but separators: these stay data for some.
const DECODERS: [Habit; 2] = [decode, decode_names];

impl Reading {
    /// As a route's path is spelled.
    fn spelled(&self) -> String {
        let mut out = Vec::with_capacity(self.text.len() + 8);
        let mut rest = &self.text[..];
        if rest.first() != Some(&b'/') {
            out.push(b'/');
        }
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match (byte, after) {
                (b'%', [high, low, after @ ..]) if self.decodes == 0 => {
                    let escaped = hex(*high).zip(hex(*low)).map(|(high, low)| high << 4 | low);
                    match escaped {
                        Some(byte) if is_unreserved(byte) => out.push(byte),
                        Some(byte) => push_escape(byte, &mut out),
                        None => out.extend_from_slice(&[b'%', *high, *low]),
                    }
                    rest = after;
                }
                _ if matches!(CLASS[byte as usize], PLAIN | DOT) => out.push(byte),
                _ => push_escape(byte, &mut out),
            }
        }
        // Plain characters and escapes are ASCII.
        String::from_utf8(out).unwrap_or_default()
    }
}

/// Servlet containers cut `;…` off each segment.
fn without_parameters(path: &[u8]) -> Vec<u8> {
    let names = path
        .split(|byte| *byte == b'/')
        .map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default());
    names.collect::<Vec<_>>().join(&b'/')
}

/// Many merge slashes.
fn without_empty_segments(path: &[u8]) -> Vec<u8> {
    let mut out = path.to_vec();
    out.dedup_by(|next, byte| (*next, *byte) == (b'/', b'/'));
    out
}

/// RFC 3986, 5.2.4; above the root is the root.
fn without_dot_segments(path: &[u8]) -> Vec<u8> {
    let mut segments: Vec<&[u8]> = Vec::new();
    let mut is_folder = false;
    for segment in path.strip_prefix(b"/").unwrap_or(path).split(|byte| *byte == b'/') {
        is_folder = matches!(segment, b"." | b"..");
        match segment {
            b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    if is_folder {
        segments.push(b"");
    }
    [b"/", &segments.join(&b'/')[..]].concat()
}

/// Some take what `//` begins for a URL without its scheme.
fn without_authority(path: &[u8]) -> Vec<u8> {
    let path_of = |rest: &[u8]| {
        let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
        rest.get(end..).unwrap_or_default().to_vec()
    };
    path.strip_prefix(b"//").map_or_else(|| path.to_vec(), path_of)
}

/// Windows has two separators.
fn with_slashes(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

/// The query, the fragment, and what C and others take for the end.
fn cut(path: &[u8]) -> Vec<u8> {
    let ends = |byte: &u8| matches!(byte, b'?' | b'#' | 0x00..=0x1f | 0x7f);
    path.split(ends).next().unwrap_or_default().to_vec()
}

/// Others leave control characters out, as browsers do with line ends.
fn trimmed(path: &[u8]) -> Vec<u8> {
    path.iter().copied().filter(|byte| !byte.is_ascii_control()).collect()
}

/// Two, three or four bytes of overlong UTF-8 as the ASCII character that lenient decoders make of them.
fn shortest(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (0xc0 | 0xc1, [low @ 0x80..=0xbf, after @ ..]) => {
                out.push((byte & 1) << 6 | (low & 0x3f));
                rest = after;
            }
            (0xe0, [middle @ (0x80 | 0x81), low @ 0x80..=0xbf, after @ ..]) => {
                out.push((middle & 1) << 6 | (low & 0x3f));
                rest = after;
            }
            (0xf0, [0x80, middle @ (0x80 | 0x81), low @ 0x80..=0xbf, after @ ..]) => {
                out.push((middle & 1) << 6 | (low & 0x3f));
                rest = after;
            }
            _ => out.push(byte),
        }
    }
    out
}

/// Every escape but those of separators.
fn decode_names(path: &[u8]) -> Vec<u8> {
    decode_some(path, |byte| !matches!(byte, b'/' | b'\\'))
}

#[cfg(test)]
mod tests;
