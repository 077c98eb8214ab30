//! Which authority a request names (RFC 9112, section 3.2; RFC 9113, section 8.3.1).
//!
//! In: a request's head as hyper gives it: origin or absolute form with `Host` (HTTP/1), or an
//! absolute URI made of the pseudo-fields (HTTP/2). Out: one [`Target`] for routing and one `Host`
//! value to forward, or why the request is refused (400). Never: guesses between two answers, and
//! never allocates for a name that is written in lower case and already stands in `Host`.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Version};

use crate::error::Error;

/// The authority of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// As it is forwarded in `Host`: as received, with its port. Empty only for an HTTP/1.0 request
    /// that names none.
    pub authority: &'a str,
    /// For routing: lower case, no port, no final dot; an IPv6 address keeps its brackets.
    pub host: Cow<'a, str>,
    /// 1 to 65535, where it is written.
    pub port: Option<u16>,
    /// The `Host` field, where it is the authority.
    pub field: Option<&'a HeaderValue>,
}

/// Why a request names no usable authority. The answer is 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadHost {
    /// HTTP/1.1 without `Host`, or HTTP/2 without `:authority` and `Host`.
    Missing,
    /// More than one `Host` field.
    Several,
    /// `:authority` and `Host` differ.
    Differ,
    /// `user@host`.
    Userinfo,
    /// An absolute form that is neither `http` nor `https`.
    Scheme,
    /// No name before the port.
    Empty,
    /// More than [`MAX_AUTHORITY`] bytes.
    TooLong,
    /// A character or an empty label that no host name has.
    Name,
    /// `[…]` that is no IPv6 address.
    Ipv6,
    /// Not a number from 1 to 65535.
    Port,
}

/// The authority that a request's head names.
///
/// The absolute form wins over `Host`, which HTTP/1.1 wants all the same; in HTTP/2 the two must be
/// equal but for case. Names that are no DNS names (sub-delims and escapes, which RFC 3986 would
/// allow in a `reg-name`) are refused: a `,` or `%` in a host is an attack on the next parser.
pub fn target(parts: &Parts) -> Result<Target<'_>, BadHost> {
    let field = host_field(&parts.headers)?;
    let is_h1 = parts.version < Version::HTTP_2;
    let authority = match parts.uri.authority() {
        Some(authority) => {
            let usable = match parts.uri.scheme_str() {
                Some(scheme) => matches!(scheme, "http" | "https"),
                None => parts.method == Method::CONNECT,
            };
            if !usable {
                return Err(BadHost::Scheme);
            }
            match field {
                None if parts.version == Version::HTTP_11 => return Err(BadHost::Missing),
                Some(host)
                    if !is_h1
                        && !host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
                {
                    return Err(BadHost::Differ);
                }
                _ => authority.as_str(),
            }
        }
        None => match field {
            // Non-ASCII bytes are no host name either way.
            Some(host) => {
                let authority = host.to_str().map_err(|_| BadHost::Name)?;
                return Ok(Target { field, ..Target::parse(authority)? });
            }
            None if parts.version <= Version::HTTP_10 => {
                let host = Cow::Borrowed("");
                return Ok(Target { authority: "", host, port: None, field: None });
            }
            None => return Err(BadHost::Missing),
        },
    };
    Target::parse(authority)
}

impl<'a> Target<'a> {
    /// Takes `host[:port]` apart.
    pub fn parse(authority: &'a str) -> Result<Self, BadHost> {
        let bytes = authority.as_bytes();
        if bytes.len() > MAX_AUTHORITY {
            return Err(BadHost::TooLong);
        }
        let (end, lower) =
            if bytes.first() == Some(&b'[') { ipv6(authority)? } else { name(bytes)? };
        let port = port(&bytes[end..]).map_err(|bad| match bytes.contains(&b'@') {
            // `user:password@host`
            true => BadHost::Userinfo,
            false => bad,
        })?;
        let text = &authority[..end];
        let text = text.strip_suffix('.').unwrap_or(text);
        let host = if lower { Cow::Borrowed(text) } else { Cow::Owned(text.to_ascii_lowercase()) };
        Ok(Target { authority, host, port, field: None })
    }

    /// The `Host` value to forward: the request's own, by reference count, or one made for it.
    pub fn value(&self) -> HeaderValue {
        match self.field {
            Some(value) => value.clone(),
            // What was parsed holds visible ASCII only.
            None => HeaderValue::from_str(self.authority).unwrap_or(const { EMPTY }),
        }
    }
}

impl BadHost {
    /// What the client is told.
    pub fn as_str(self) -> &'static str {
        match self {
            BadHost::Missing => "the request names no host",
            BadHost::Several => "the request has more than one Host field",
            BadHost::Differ => "the request's :authority and Host differ",
            BadHost::Userinfo => "the request target holds user information",
            BadHost::Scheme => "the request target's scheme is neither http nor https",
            BadHost::Empty => "the request's host is empty",
            BadHost::TooLong => "the request's host has more than 1024 bytes",
            BadHost::Name => "the request's host is no host name",
            BadHost::Ipv6 => "the request's host is no IPv6 address in brackets",
            BadHost::Port => "the request's port is not a number from 1 to 65535",
        }
    }
}

impl From<BadHost> for Error {
    fn from(bad: BadHost) -> Error {
        Error::request(400, bad.as_str())
    }
}

/// Bytes of host and port: four times what a name of DNS may have. It goes on in three fields, each of
/// which an endpoint has to take.
const MAX_AUTHORITY: usize = 1 << 10;

const EMPTY: HeaderValue = HeaderValue::from_static("");

/// The one `Host` field, if there is one.
fn host_field(headers: &HeaderMap) -> Result<Option<&HeaderValue>, BadHost> {
    // It stands in front, mostly: a look costs less than a hash. Lines of a name follow each other.
    let mut fields = headers.iter().skip_while(|(name, _)| *name != HOST);
    match (fields.next(), fields.next()) {
        (_, Some((name, _))) if *name == HOST => Err(BadHost::Several),
        (field, _) => Ok(field.map(|(_, value)| value)),
    }
}

/// Where a host name ends, and whether it is in lower case.
fn name(bytes: &[u8]) -> Result<(usize, bool), BadHost> {
    // All kinds that were met, and where the label under way began.
    let (mut kinds, mut label) = (0, 0);
    let mut end = bytes.len();
    for (at, &byte) in bytes.iter().enumerate() {
        let kind = KIND[usize::from(byte)];
        kinds |= kind;
        if kind & (DOT | COLON | OTHER) == 0 {
            continue;
        }
        match kind {
            COLON => {
                end = at;
                break;
            }
            // No empty label, also not before a final dot.
            DOT if at > label => label = at + 1,
            _ if bytes.contains(&b'@') => return Err(BadHost::Userinfo),
            _ => return Err(BadHost::Name),
        }
    }
    match end {
        0 if bytes.contains(&b'@') => Err(BadHost::Userinfo),
        0 => Err(BadHost::Empty),
        _ => Ok((end, kinds & UPPER == 0)),
    }
}

const LOWER: u8 = 0;
const UPPER: u8 = 1;
const DOT: u8 = 2;
const COLON: u8 = 4;
const OTHER: u8 = 8;

/// What a byte is in a host name: most need no second look.
const KIND: [u8; 256] = {
    let mut kind = [OTHER; 256];
    let mut byte: u8 = 0;
    while byte < 128 {
        kind[byte as usize] = match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => LOWER,
            b'A'..=b'Z' => UPPER,
            b'.' => DOT,
            b':' => COLON,
            _ => OTHER,
        };
        byte += 1;
    }
    kind
};

/// Where an IPv6 address in brackets ends, and whether it is in lower case.
fn ipv6(authority: &str) -> Result<(usize, bool), BadHost> {
    if authority.contains('@') {
        return Err(BadHost::Userinfo);
    }
    let (inner, _) = authority[1..].split_once(']').ok_or(BadHost::Ipv6)?;
    inner.parse::<Ipv6Addr>().map_err(|_| BadHost::Ipv6)?;
    Ok((inner.len() + 2, !inner.bytes().any(|byte| byte.is_ascii_uppercase())))
}

/// `""`, `":"` (RFC 3986 allows it) or `":1"` to `":65535"`.
fn port(rest: &[u8]) -> Result<Option<u16>, BadHost> {
    let digits = match rest {
        [] | [b':'] => return Ok(None),
        [b':', digits @ ..] if digits.len() <= 5 => digits,
        _ => return Err(BadHost::Port),
    };
    let mut port: u32 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(BadHost::Port);
        }
        port = port * 10 + u32::from(digit - b'0');
    }
    match u16::try_from(port) {
        Ok(0) | Err(_) => Err(BadHost::Port),
        Ok(port) => Ok(Some(port)),
    }
}

#[cfg(test)]
mod tests;
