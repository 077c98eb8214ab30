//! Elements of `Forwarded` and nodes of both lists (RFC 7239, sections 4 and 6).
//!
//! In: field values of a trusted proxy, which may still hold what its clients wrote. Out: addresses,
//! or `None` for what cannot be read; and elements for the next hop. Never: guesses at a broken
//! value.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What an element says, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Element {
    /// `for`; port 0 where none is written. `None`: it is missing, hidden or broken.
    pub(super) node: Option<(IpAddr, u16)>,
    /// `proto`.
    pub(super) https: Option<bool>,
    /// `host`.
    pub(super) host: Option<Vec<u8>>,
}

/// The elements of a line, left to right, without empty ones (RFC 9110, 5.6.1). `None`: a syntax
/// error, from which on nothing can be told apart.
pub(super) fn elements(line: &[u8]) -> Option<Vec<Element>> {
    split(line, b',')?.into_iter().filter(|text| !text.is_empty()).map(element).collect()
}

/// `None`: syntax.
fn element(text: &[u8]) -> Option<Element> {
    let mut element = Element::default();
    for pair in split(text, b';')?.into_iter().filter(|pair| !pair.is_empty()) {
        let at = memchr::memchr(b'=', pair)?;
        let (name, value) = (&pair[..at], unquote(&pair[at + 1..])?);
        if name.eq_ignore_ascii_case(b"for") {
            element.node = node(&value);
        } else if name.eq_ignore_ascii_case(b"proto") {
            element.https = is_https(&value);
        } else if name.eq_ignore_ascii_case(b"host") {
            element.host = Some(value);
        }
    }
    Some(element)
}

/// Appends an element: a node (`None`: a Unix socket), a scheme, and an authority unless it is
/// empty.
pub(super) fn write(out: &mut Vec<u8>, node: Option<IpAddr>, https: bool, host: &[u8]) {
    write_node(out, node);
    out.extend_from_slice(if https { b";proto=https" } else { b";proto=http" });
    if host.is_empty() {
        return;
    }
    // An authority has no character that would have to be escaped in a quoted string.
    let quote: &[u8] = if host.contains(&b':') { b"\"" } else { b"" };
    for part in [b";host=", quote, host, quote] {
        out.extend_from_slice(part);
    }
}

/// Appends an element that says no more than a node.
pub(super) fn write_node(out: &mut Vec<u8>, node: Option<IpAddr>) {
    let text = match node {
        Some(IpAddr::V4(address)) => format!("for={address}"),
        Some(IpAddr::V6(address)) => format!("for=\"[{address}]\""),
        None => "for=unknown".to_owned(),
    };
    out.extend_from_slice(text.as_bytes());
}

/// An address with or without a port: `1.2.3.4`, `1.2.3.4:5`, `::1`, `[::1]`, `[::1]:5`. An
/// IPv4-mapped IPv6 address is IPv4. `unknown` and `_obfuscated` are none.
pub(super) fn node(text: &[u8]) -> Option<(IpAddr, u16)> {
    let text = std::str::from_utf8(text).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok();
    let (address, port) = match text.parse::<IpAddr>() {
        Ok(address) => (address, 0),
        Err(_) => match text.parse::<SocketAddr>() {
            Ok(socket) => (socket.ip(), socket.port()),
            Err(_) => (IpAddr::V6(bracketed()?), 0),
        },
    };
    Some((address.to_canonical(), port))
}

/// `https` and `wss`, `http` and `ws`; anything else says nothing.
pub(super) fn is_https(proto: &[u8]) -> Option<bool> {
    if proto.eq_ignore_ascii_case(b"https") || proto.eq_ignore_ascii_case(b"wss") {
        Some(true)
    } else if proto.eq_ignore_ascii_case(b"http") || proto.eq_ignore_ascii_case(b"ws") {
        Some(false)
    } else {
        None
    }
}

/// Splits outside of quoted strings. `None`: a string has no end.
fn split(text: &[u8], at: u8) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    let (mut start, mut quoted, mut escaped) = (0, false, false);
    for (place, &byte) in text.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == at && !quoted => {
                parts.push(text[start..place].trim_ascii());
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim_ascii());
    if quoted { None } else { Some(parts) }
}

/// A token as it is, or the text of a quoted string (RFC 9110, 5.6.4).
fn unquote(value: &[u8]) -> Option<Vec<u8>> {
    let Some(inner) = value.strip_prefix(b"\"") else {
        return if value.contains(&b'"') { None } else { Some(value.to_vec()) };
    };
    let mut text = Vec::with_capacity(inner.len());
    let mut rest = inner;
    loop {
        match rest {
            [b'"'] => return Some(text),
            [b'\\', byte, after @ ..] => {
                text.push(*byte);
                rest = after;
            }
            [] | [b'"', ..] => return None,
            [byte, after @ ..] => {
                text.push(*byte);
                rest = after;
            }
        }
    }
}
