//! How long the body of an HTTP/1 response is (RFC 9112, 6.3).
//!
//! In: a response's head. Out: its body's length, or why two parsers could read two bodies. Never:
//! guesses; a response that says two things, or one that nobody understands, is no response.

use http::header::TRANSFER_ENCODING;
use http::response::Parts;
use http::{StatusCode, Version};

use crate::http::hop::Found;
use crate::http::length::BadLength;

/// Most field lines of a response.
pub const MAX_RESPONSE_FIELDS: usize = 100;
/// Most bytes of a response's head.
pub const MAX_RESPONSE_BYTES: usize = 64 << 10;

/// How the end of a response's body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// In bytes; also where there is no body.
    Known(u64),
    Chunked,
    UntilClose,
    /// There is no message any more: another protocol begins.
    Tunnel,
}

/// The length of a response's body, `to_head` if HEAD was asked. `found` is what
/// [`Found::in_response`] met in the same fields, and `said` what its `Content-Length` says.
///
/// # Errors
/// Why the response must not be passed on, whatever its status: with both fields it would keep a
/// length that is not its body's, and with codings that merely end in `chunked` lose one.
pub fn response_length(
    parts: &Parts,
    found: Found,
    said: Result<Option<u64>, BadLength>,
    to_head: bool,
) -> Result<BodyLength, &'static str> {
    let declared = declared_length(parts, found, said)?;
    let status = parts.status;
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Ok(BodyLength::Tunnel);
    }
    let bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if to_head || bodiless || status.is_informational() {
        return Ok(BodyLength::Known(0));
    }
    Ok(declared)
}

/// What the fields say.
fn declared_length(
    parts: &Parts,
    found: Found,
    said: Result<Option<u64>, BadLength>,
) -> Result<BodyLength, &'static str> {
    if found.has_transfer_encoding() {
        let has_length = found.has_content_length();
        let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
        let chunked = codings
            .next()
            .is_some_and(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
        return match codings.next() {
            Some(_) => Err("the response has more than one Transfer-Encoding"),
            None if has_length => Err("the response has both Content-Length and Transfer-Encoding"),
            _ if parts.version < Version::HTTP_11 => {
                Err("the response has Transfer-Encoding in HTTP/1.0")
            }
            _ if chunked => Ok(BodyLength::Chunked),
            _ => Err("the response's Transfer-Encoding is not \"chunked\""),
        };
    }
    match said {
        Ok(None) => Ok(BodyLength::UntilClose),
        Ok(Some(length)) => Ok(BodyLength::Known(length)),
        Err(BadLength::Several) => Err("the response has more than one Content-Length"),
        Err(BadLength::NoNumber) => {
            Err("the response's Content-Length is not a decimal number of at most 64 bits")
        }
    }
}
