//! What must hold of a response over HTTP/2 beyond what its codec looks at (RFC 9113, 8).
//!
//! In: a response's head as the codec gives it. Out: the same, or why it must not be passed on: as
//! over HTTP/1.1, where the parser is our own. Never: looks at a body.

use http::StatusCode;
use http::response::Parts;
use weir_core::http::framing::{self, MAX_RESPONSE_BYTES, MAX_RESPONSE_FIELDS};
use weir_core::http::hop::Found;
use weir_core::http::{field_line, length, padding};

use super::http1::Fault;

/// What the codec takes: it counts 32 bytes more for each field (RFC 7541, 4.1), and knows but one
/// word for what is too large, so that ours has to come first.
pub const MAX_HEADER_LIST: u32 = 2 * MAX_RESPONSE_BYTES as u32;

/// Looks at a response to HEAD or to another method.
///
/// # Errors
/// [`Fault::TooLarge`] beyond the bounds of any response; [`Fault::Malformed`] for what two readers
/// could read differently.
pub fn accept(parts: &mut Parts, to_head: bool) -> Result<Found, Fault> {
    let lines = parts.headers.iter().map(|field| field_line::size(field) + ": \r\n".len());
    if parts.headers.len() > MAX_RESPONSE_FIELDS || lines.sum::<usize>() > MAX_RESPONSE_BYTES {
        return Err(Fault::TooLarge);
    }
    let malformed = |why: &str| Err(Fault::Malformed(why.to_owned()));
    if padding::has_padded_values(&parts.headers) {
        return malformed("a field's value begins or ends with white space");
    }
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        return malformed("HTTP/2 has no 101 (RFC 9113, 8.6)");
    }
    let found = Found::in_response(&parts.headers);
    let said = length::settle(&mut parts.headers);
    match framing::response_length(parts, found, said, to_head) {
        Ok(_) => Ok(found),
        Err(why) => malformed(why),
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn accepted(fields: &[(&str, &str)]) -> Result<Option<String>, Fault> {
        let mut response = Response::builder();
        for (name, value) in fields {
            response = response.header(*name, *value);
        }
        let (mut parts, ()) = response.body(()).expect("a response").into_parts();
        accept(&mut parts, false)?;
        let length = parts.headers.get("content-length");
        Ok(length.map(|length| length.to_str().expect("digits").to_owned()))
    }

    #[test]
    fn what_http1_refuses_is_refused() {
        assert_eq!(accepted(&[("x-a", "b")]).expect("a response"), None);
        for (said, passed) in [("2", "2"), ("02", "2")] {
            let length = accepted(&[("content-length", said)]).expect("a response");
            assert_eq!(length.as_deref(), Some(passed));
        }
        for fields in [
            &[("content-length", "2"), ("content-length", "2")][..],
            &[("content-length", "")],
            &[("content-length", "2, 2")],
            &[("x-a", " b")],
            &[("x-a", "b\t")],
        ] {
            assert!(matches!(accepted(fields), Err(Fault::Malformed(_))), "{fields:?}");
        }
    }

    #[test]
    fn both_bounds_are_those_of_http1() {
        let many = |count: usize| vec![("x-a", "b"); count];
        assert!(accepted(&many(MAX_RESPONSE_FIELDS)).is_ok());
        assert!(matches!(accepted(&many(MAX_RESPONSE_FIELDS + 1)), Err(Fault::TooLarge)));
        let large = |bytes: usize| "x".repeat(bytes);
        assert!(accepted(&[("x-a", &large(MAX_RESPONSE_BYTES - 7))]).is_ok());
        let fault = accepted(&[("x-a", &large(MAX_RESPONSE_BYTES - 6))]);
        assert!(matches!(fault, Err(Fault::TooLarge)));
    }
}
