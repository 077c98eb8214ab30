//! A field line of a head (RFC 9112, section 5): how it is written, and how large it is.
//!
//! In: a name and a value. Out: bytes; their number. Never: looks at what they mean.

use http::{HeaderName, HeaderValue};

/// Appends the line, with its end.
#[inline]
pub fn write(into: &mut Vec<u8>, name: &HeaderName, value: &HeaderValue) {
    for piece in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
        into.extend_from_slice(piece);
    }
}

/// Bytes of name and value, without what stands between and behind them.
pub fn size((name, value): (&HeaderName, &HeaderValue)) -> usize {
    name.as_str().len() + value.len()
}

#[cfg(test)]
mod tests {
    use http::header::VIA;

    use super::*;

    #[test]
    fn a_line_is_as_long_as_its_size_says() {
        let value = HeaderValue::from_static("1.1 weir");
        let mut lines = b"te: trailers\r\n".to_vec();
        write(&mut lines, &VIA, &value);
        assert_eq!(lines, b"te: trailers\r\nvia: 1.1 weir\r\n");
        assert_eq!(size((&VIA, &value)), "via".len() + "1.1 weir".len());
    }
}
