//! Hop-by-hop fields (RFC 9110, section 7.6.1): what belongs to one connection stays on it.
//!
//! In: the fields of a request or a response as they were received. Out: the same map without
//! everything that was meant for this hop only, so that plugins and the next hop never see it.
//! Never: removes a field that we or the origin rely on because a peer named it in `Connection`
//! (CVE-2024-45410), and never looks up or hashes a name when an ordinary head has nothing to strip.

use http::header::{
    CONNECTION, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Version};

use super::ambiguous::is_ambiguous;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY: HeaderName = HeaderName::from_static("proxy");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// The fields that never pass, in the order of the bits of [`Found`].
const ALWAYS: [HeaderName; 8] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    PROXY_CONNECTION,
    TRANSFER_ENCODING,
    UPGRADE,
    TE,
];

/// What one pass over the names of a head met, so that nothing is looked up that is not there: a
/// bit for each of [`ALWAYS`] and some more.
#[derive(Debug, Clone, Copy)]
pub struct Found(u16);

impl Found {
    pub const NOTHING: Found = Found(0);
    const CONNECTION: u16 = 1;
    const KEEP_ALIVE: u16 = 1 << 1;
    const PROXY_AUTHENTICATE: u16 = 1 << 2;
    const PROXY_AUTHORIZATION: u16 = 1 << 3;
    const PROXY_CONNECTION: u16 = 1 << 4;
    const TRANSFER_ENCODING: u16 = 1 << 5;
    const UPGRADE: u16 = 1 << 6;
    const TE: u16 = 1 << 7;
    /// `Proxy`, which CGI turns into `HTTP_PROXY` (httpoxy).
    const PROXY: u16 = 1 << 8;
    /// A name with `_` or `.`, which CGI and others cannot tell from the one with `-`.
    const AMBIGUOUS: u16 = 1 << 9;
    const VIA: u16 = 1 << 10;
    const EXPECT: u16 = 1 << 11;
    const CONTENT_TYPE: u16 = 1 << 12;
    const CONTENT_LENGTH: u16 = 1 << 13;
    const TRAILER: u16 = 1 << 14;
    /// What [`strip`] and its callers have nothing to do for.
    const STAYS: u16 = Found::VIA
        | Found::EXPECT
        | Found::CONTENT_TYPE
        | Found::CONTENT_LENGTH
        | Found::TRAILER
        | Found::AMBIGUOUS;

    /// Looks at the names of a request.
    pub fn in_request(headers: &HeaderMap) -> Self {
        headers.keys().fold(Found(0), |found, name| {
            let name = name.as_str().as_bytes();
            let ambiguous = if is_ambiguous(name) { Found::AMBIGUOUS } else { 0 };
            Found(found.0 | classify(name) | ambiguous)
        })
    }

    /// Looks at the names of a response.
    pub fn in_response(headers: &HeaderMap) -> Self {
        headers.keys().fold(Found::NOTHING, |found, name| found.and(Found::of(name)))
    }

    /// What one name of a response is.
    pub fn of(name: &HeaderName) -> Self {
        Found(classify(name.as_str().as_bytes()))
    }

    pub fn and(self, other: Found) -> Self {
        Found(self.0 | other.0)
    }

    pub fn has_upgrade(self) -> bool {
        self.has(Found::UPGRADE)
    }

    pub fn has_via(self) -> bool {
        self.has(Found::VIA)
    }

    /// Whether a name holds `_` or `.`: [`ambiguous::strip`](super::ambiguous::strip) has work.
    pub fn has_ambiguous(self) -> bool {
        self.has(Found::AMBIGUOUS)
    }

    pub fn has_expect(self) -> bool {
        self.has(Found::EXPECT)
    }

    pub fn has_content_type(self) -> bool {
        self.has(Found::CONTENT_TYPE)
    }

    pub fn has_content_length(self) -> bool {
        self.has(Found::CONTENT_LENGTH)
    }

    pub fn has_trailer(self) -> bool {
        self.has(Found::TRAILER)
    }

    pub fn has_connection(self) -> bool {
        self.has(Found::CONNECTION)
    }

    pub fn has_transfer_encoding(self) -> bool {
        self.has(Found::TRANSFER_ENCODING)
    }

    fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }
}

/// Removes from a request what was meant for this hop, and `Proxy`. Gives the names that `Connection`
/// had, for its trailers: none of them goes further there either.
///
/// `TE` stays, as `trailers`, if it had that member in any case: the next hop may send trailers,
/// because we pass them on. Ask [`wants_upgrade`] before: `Upgrade` is gone afterwards. `found` is
/// what [`Found::in_request`] met in the same fields.
pub fn strip_request(headers: &mut HeaderMap, found: Found) -> Vec<HeaderName> {
    if found.0 & !Found::STAYS == 0 {
        return Vec::new();
    }
    let trailers = found.has(Found::TE) && takes_trailers(headers);
    let nominated = strip(headers, found);
    if trailers {
        headers.insert(TE, TRAILERS);
    }
    if found.has(Found::PROXY) {
        headers.remove(PROXY);
    }
    nominated
}

/// Removes from a response what was meant for the hop between us and the endpoint. Gives the names
/// that `Connection` had.
///
/// `Upgrade` goes too: who passes on a 101 takes it out before and puts it back. `found` is what
/// [`Found::in_response`] met in the same fields.
pub fn strip_response(headers: &mut HeaderMap, found: Found) -> Vec<HeaderName> {
    if found.0 & !Found::STAYS == 0 { Vec::new() } else { strip(headers, found) }
}

/// The protocols a client offers to switch to (RFC 9110, 7.8), if it really asks for it: HTTP/1.1,
/// one `Upgrade` field, and `Connection` names it.
///
/// An offer that contains `h2c` is ignored as a whole: HTTP/2 would be spoken behind our back.
pub fn wants_upgrade(headers: &HeaderMap, version: Version) -> Option<&HeaderValue> {
    if version != Version::HTTP_11 {
        return None;
    }
    let mut offers = headers.get_all(UPGRADE).iter();
    let offer = offers.next()?;
    if offers.next().is_some() || offer.is_empty() {
        return None;
    }
    let h2c = |member: &[u8]| member.len() >= 3 && member[..3].eq_ignore_ascii_case(b"h2c");
    if members(offer).any(h2c) || !names(headers, b"upgrade") {
        return None;
    }
    Some(offer)
}

/// Whether a 101 switches to what was offered, and to that alone (RFC 9110, 7.8): names are compared
/// without their case.
pub fn is_offered(answer: &HeaderMap, offer: &HeaderValue) -> bool {
    let mut chosen = answer.get_all(UPGRADE).iter().flat_map(members).peekable();
    chosen.peek().is_some()
        && chosen.all(|one| members(offer).any(|offered| offered.eq_ignore_ascii_case(one)))
}

/// Whether the sender goes on with the connection after this message (RFC 9112, 9.3). `found` is
/// what [`Found::in_response`] met in the same fields.
pub fn is_persistent(headers: &HeaderMap, version: Version, found: Found) -> bool {
    let connection = found.has_connection();
    match version {
        Version::HTTP_11 => !(connection && names(headers, b"close")),
        _ => connection && names(headers, b"keep-alive") && !names(headers, b"close"),
    }
}

/// Whether a `Connection` field has this token, in any case.
fn names(headers: &HeaderMap, token: &[u8]) -> bool {
    headers.get_all(CONNECTION).iter().flat_map(members).any(|m| m.eq_ignore_ascii_case(token))
}

/// Whether `TE` has the member `trailers`, in any case and with or without a weight.
fn takes_trailers(headers: &HeaderMap) -> bool {
    headers.get_all(TE).iter().flat_map(members).any(|member| {
        let coding = member.split(|byte| *byte == b';').next().unwrap_or_default();
        coding.trim_ascii().eq_ignore_ascii_case(b"trailers")
    })
}

/// The members of a list field (RFC 9110, 5.6.1) without empty ones. Values need not be UTF-8.
pub fn members(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value
        .as_bytes()
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// Removes what was found, and what `Connection` names.
fn strip(headers: &mut HeaderMap, found: Found) -> Vec<HeaderName> {
    let mut nominated = Vec::new();
    for (bit, name) in ALWAYS.iter().enumerate() {
        if found.0 & (1 << bit) == 0 {
            continue;
        }
        if bit == 0 {
            nominated = strip_connection(headers);
        } else {
            headers.remove(name);
        }
    }
    nominated
}

/// Removes `Connection` and the fields that it names, but for those a peer has no say over.
fn strip_connection(headers: &mut HeaderMap) -> Vec<HeaderName> {
    let mut lines = headers.get_all(CONNECTION).iter();
    let named: Vec<HeaderName> = match (lines.next(), lines.next()) {
        // The usual tokens need no removal of their own.
        (Some(line), None) if is_usual(line.as_bytes()) => Vec::new(),
        _ => headers
            .get_all(CONNECTION)
            .iter()
            .flat_map(members)
            .filter(|token| !is_usual(token))
            .filter_map(|token| HeaderName::from_bytes(token).ok())
            .collect(),
    };
    headers.remove(CONNECTION);
    for name in named.iter().filter(|name| !is_protected(name.as_str())) {
        headers.remove(name);
    }
    named
}

/// Tokens that are no field names, or whose field goes anyway.
fn is_usual(token: &[u8]) -> bool {
    token.eq_ignore_ascii_case(b"keep-alive")
        || token.eq_ignore_ascii_case(b"close")
        || token.eq_ignore_ascii_case(b"upgrade")
        || token.eq_ignore_ascii_case(b"te")
}

/// End-to-end fields: a peer that lists them in `Connection` would make the next hop see a request
/// without an identity, a credential, a length or a policy that it had.
fn is_protected(name: &str) -> bool {
    const PREFIXES: [&str; 3] = ["x-forwarded-", "content-", "x-real-"];
    const NAMES: [&str; 13] = [
        "host",
        "forwarded",
        "via",
        "authorization",
        "cookie",
        "set-cookie",
        "cache-control",
        "date",
        "vary",
        "trailer",
        "expect",
        "max-forwards",
        "traceparent",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// The bit of a hop-by-hop name, or 0. The length decides first, so an ordinary name costs a jump.
#[inline]
fn classify(name: &[u8]) -> u16 {
    let (expected, bit): (&[u8], u16) = match (name.len(), name.first()) {
        (2, Some(b't')) => (b"te", Found::TE),
        (3, Some(b'v')) => (b"via", Found::VIA),
        (5, Some(b'p')) => (b"proxy", Found::PROXY),
        (6, Some(b'e')) => (b"expect", Found::EXPECT),
        (7, Some(b't')) => (b"trailer", Found::TRAILER),
        (7, Some(b'u')) => (b"upgrade", Found::UPGRADE),
        (10, Some(b'c')) => (b"connection", Found::CONNECTION),
        (10, Some(b'k')) => (b"keep-alive", Found::KEEP_ALIVE),
        (12, Some(b'c')) => (b"content-type", Found::CONTENT_TYPE),
        (14, Some(b'c')) => (b"content-length", Found::CONTENT_LENGTH),
        (16, Some(b'p')) => (b"proxy-connection", Found::PROXY_CONNECTION),
        (17, Some(b't')) => (b"transfer-encoding", Found::TRANSFER_ENCODING),
        (18, Some(b'p')) => (b"proxy-authenticate", Found::PROXY_AUTHENTICATE),
        (19, Some(b'p')) => (b"proxy-authorization", Found::PROXY_AUTHORIZATION),
        _ => return 0,
    };
    if name == expected { bit } else { 0 }
}

#[cfg(test)]
mod tests;
