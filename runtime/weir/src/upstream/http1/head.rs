//! Heads: a request's as bytes, a response's from bytes (RFC 9112, 2 to 5).
//!
//! In: a request's head by reference; bytes of an endpoint. Out: bytes; a response's head and how
//! long its body is. Never: passes on a response whose length two parsers could read differently.

use std::mem::MaybeUninit;

use bytes::{Buf, Bytes};
use http::header::{CONNECTION, CONTENT_LENGTH, HOST, TE, UPGRADE};
use http::response::Parts;
use http::{HeaderValue, Response, StatusCode, Version};
use httparse::{ParserConfig, Status};
use weir_core::http::field_line;
use weir_core::http::framing::{self, BodyLength};
use weir_core::http::hop::{self, Found};
use weir_core::http::length::Said;
use weir_core::http::spare;

use super::Fault;
use super::names::Names;
use crate::upstream::message::Outgoing;

pub use weir_core::http::framing::MAX_RESPONSE_BYTES as MAX_BYTES;
pub use weir_core::http::framing::MAX_RESPONSE_FIELDS as MAX_FIELDS;

/// Room for the fields that are added to a response on its way.
const ADDED: usize = 8;

/// A response's head.
#[derive(Debug)]
pub struct Head {
    pub parts: Parts,
    pub found: Found,
    pub length: BodyLength,
    /// The endpoint goes on with the connection after this.
    pub persistent: bool,
}

/// What `Connection` nearly always says.
#[derive(Clone, Copy)]
enum Usual {
    KeepAlive,
    Close,
}

impl Usual {
    fn of(value: &[u8]) -> Option<Usual> {
        match value {
            value if value.eq_ignore_ascii_case(b"keep-alive") => Some(Usual::KeepAlive),
            value if value.eq_ignore_ascii_case(b"close") => Some(Usual::Close),
            _ => None,
        }
    }
}

/// Appends a request's head but for its last empty line. Gives the value of `Content-Length`.
pub fn encode(into: &mut Vec<u8>, outgoing: &Outgoing<'_>) -> Option<u64> {
    let Outgoing { head, added, host, authority, upgrade, .. } = outgoing;
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    // Of an empty path only the query is kept.
    let root = if target.starts_with('?') { "/" } else { "" };
    for piece in [head.method.as_str(), " ", root, target, " HTTP/1.1\r\n"] {
        into.extend_from_slice(piece.as_bytes());
    }
    let (mut has_host, mut length, mut has_te) = (false, None, false);
    for (name, value) in &head.headers {
        let mut value = value;
        if name == HOST {
            if has_host {
                continue;
            }
            has_host = true;
            // An HTTP/1.0 client need not name a host.
            value = host.unwrap_or(if value.is_empty() { authority } else { value });
        } else if name == CONTENT_LENGTH {
            length = value.to_str().ok().and_then(|value| value.parse().ok());
        } else if name == TE {
            has_te = true;
        }
        field_line::write(into, name, value);
    }
    if let Some(added) = added {
        into.extend_from_slice(added.lines());
    }
    if !has_host {
        field_line::write(into, &HOST, host.unwrap_or(authority));
    }
    if has_te {
        // It is for the next hop only, and says so (RFC 9110, 10.1.4).
        field_line::write(into, &CONNECTION, &HeaderValue::from_static("te"));
    }
    if let Some(protocol) = upgrade {
        field_line::write(into, &CONNECTION, &HeaderValue::from_static("upgrade"));
        field_line::write(into, &UPGRADE, protocol);
    }
    length
}

/// Takes a response's head off `bytes`; `None` while it is not complete. Heads of interim responses
/// come as any other. `names` are those of the connection's last head.
pub fn parse(bytes: &mut Bytes, to_head: bool, names: &mut Names) -> Result<Option<Head>, Fault> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let mut parser = ParserConfig::default();
    // Such white space is taken out, not refused (RFC 9112, 5.1).
    parser.allow_spaces_after_header_name_in_responses(true);
    let parsed = parser.parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
    let length = match parsed {
        Ok(Status::Complete(length)) if length <= MAX_BYTES => length,
        Ok(Status::Complete(_)) => return Err(Fault::TooLarge),
        Ok(Status::Partial) if bytes.len() < MAX_BYTES => return Ok(None),
        Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => return Err(Fault::TooLarge),
        Err(error) => return Err(Fault::Malformed(error.to_string())),
    };
    let (mut parts, ()) = Response::new(()).into_parts();
    let headers = &mut parts.headers;
    *headers = spare::take();
    headers.reserve(response.headers.len() + ADDED);
    let (mut usual, mut found, mut names) = (None, Found::NOTHING, names.read());
    let mut said = Said::NOTHING;
    for field in response.headers.iter() {
        let (name, is) = match names.next(field.name.as_bytes()) {
            Ok(name) => name,
            Err(error) => return Err(malformed(error)),
        };
        // It would only be taken out again. Anything else that it says is for others to judge.
        if name == CONNECTION && usual.is_none() {
            usual = Usual::of(field.value);
            if usual.is_some() {
                continue;
            }
        }
        found = found.and(is);
        if is.has_content_length() {
            said.line(field.value);
        }
        match HeaderValue::from_maybe_shared(bytes.slice_ref(field.value)) {
            Ok(value) => headers.append(name, value),
            Err(error) => return Err(malformed(error)),
        };
    }
    parts.status = StatusCode::from_u16(response.code.unwrap_or_default()).map_err(malformed)?;
    parts.version = match response.version {
        Some(0) => Version::HTTP_10,
        _ => Version::HTTP_11,
    };
    bytes.advance(length);
    let said = said.settle(&mut parts.headers);
    let length = framing::response_length(&parts, found, said, to_head).map_err(malformed)?;
    let persistent = match usual {
        Some(Usual::Close) => false,
        Some(Usual::KeepAlive) if !found.has_connection() => true,
        _ => hop::is_persistent(&parts.headers, parts.version, found),
    };
    Ok(Some(Head { parts, found, length, persistent }))
}

#[cold]
fn malformed(error: impl std::fmt::Display) -> Fault {
    Fault::Malformed(error.to_string())
}
