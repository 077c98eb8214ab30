//! What the head of a response says of its length, beyond what the parser refuses.
//!
//! In: a response's head as hyper read it. Out: nothing, or why two parsers could read two bodies
//! (RFC 9112, 6.3). Never: judges HTTP/2, whose frames carry the length.

use http::Version;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::response::Parts;

use crate::http::hop::Found;

/// Why the response must not be passed on.
///
/// hyper reads a response with both fields, and one whose codings merely end in `chunked`; passed
/// on, the first would keep a length that is not its body's, and the second lose a coding. `found`
/// is what [`Found::in_response`] met in the same fields.
pub fn ambiguous_response(parts: &Parts, found: Found) -> Option<&'static str> {
    if parts.version > Version::HTTP_11 {
        return None;
    }
    let mut lengths = parts.headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = match found.has_transfer_encoding() {
        true => Some(parts.headers.get_all(TRANSFER_ENCODING).iter()),
        false => None,
    }
    .into_iter()
    .flatten();
    if let Some(coding) = codings.next() {
        return match (codings.next(), lengths.next()) {
            (Some(_), _) => Some("the response has more than one Transfer-Encoding"),
            (_, Some(_)) => Some("the response has both Content-Length and Transfer-Encoding"),
            _ if parts.version < Version::HTTP_11 => {
                Some("the response has Transfer-Encoding in HTTP/1.0")
            }
            _ if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => None,
            _ => Some("the response's Transfer-Encoding is not \"chunked\""),
        };
    }
    let length = lengths.next()?;
    if lengths.next().is_some() {
        return Some("the response has more than one Content-Length");
    }
    let digits = length.as_bytes().trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Some("the response's Content-Length is not a decimal number");
    }
    None
}
