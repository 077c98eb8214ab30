//! White space around values on HTTP/2 (RFC 9113, section 8.2.1).
//!
//! In: the fields of a message as they were received. Out: whether one makes it malformed. Never:
//! trims: HTTP/1.1's parser does that, so what another parser would take off is no part of a value
//! there and would be one here.

use http::HeaderMap;

/// Whether a value begins or ends with white space.
pub fn has_padded_values(headers: &HeaderMap) -> bool {
    let outer = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let padded = |value: &[u8]| outer(value.first()) || outer(value.last());
    headers.values().any(|value| padded(value.as_bytes()))
}
