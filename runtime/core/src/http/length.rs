//! `Content-Length` in its one form (RFC 9110, section 8.6).
//!
//! In: the fields of a message of either side and version. Out: the one length they say, spelled as
//! everybody spells it; or why two readers could read two. Never: compares it with a body.

use http::HeaderMap;
use http::header::{CONTENT_LENGTH, HeaderValue};

/// Why a length is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadLength {
    /// More than one field line, be it the same.
    Several,
    /// Not a decimal number of at most 64 bits.
    NoNumber,
}

/// What the lines say that were seen so far.
#[derive(Debug, Clone, Copy)]
pub struct Said {
    length: Result<Option<u64>, BadLength>,
    /// As everybody spells it.
    is_canonical: bool,
}

/// The length that is said, if there is one. Zeros before it go: some take what they begin for octal.
///
/// # Errors
/// See [`BadLength`].
pub fn settle(headers: &mut HeaderMap) -> Result<Option<u64>, BadLength> {
    let mut said = Said::NOTHING;
    for line in headers.get_all(CONTENT_LENGTH) {
        said.line(line.as_bytes());
    }
    said.settle(headers)
}

impl Said {
    pub const NOTHING: Said = Said { length: Ok(None), is_canonical: true };

    /// One more line.
    #[inline]
    pub fn line(&mut self, line: &[u8]) {
        self.length = match self.length {
            Ok(None) => read(line).map(Some),
            _ => Err(BadLength::Several),
        };
        self.is_canonical = is_canonical(line);
    }

    /// As [`settle`], for a reader of the lines.
    ///
    /// # Errors
    /// See [`BadLength`].
    pub fn settle(self, headers: &mut HeaderMap) -> Result<Option<u64>, BadLength> {
        if let (Ok(Some(length)), false) = (self.length, self.is_canonical) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        self.length
    }
}

/// The length that one line says.
#[inline]
fn read(line: &[u8]) -> Result<u64, BadLength> {
    let digits = line.trim_ascii();
    // Digits only: the parser of numbers would take a sign.
    let one_more = |length: u64, byte: &u8| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    };
    match digits.iter().try_fold(0, one_more) {
        Some(length) if !digits.is_empty() => Ok(length),
        _ => Err(BadLength::NoNumber),
    }
}

/// Whether a length is spelled as everybody spells it.
#[inline]
fn is_canonical(line: &[u8]) -> bool {
    line.trim_ascii().len() == line.len() && (line.len() < 2 || line.first() != Some(&b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_one_decimal_number() {
        for (lines, settled) in [
            (&[][..], Ok(None)),
            (&["0"], Ok(Some("0"))),
            (&["12"], Ok(Some("12"))),
            (&["02"], Ok(Some("2"))),
            (&["000"], Ok(Some("0"))),
            (&["18446744073709551615"], Ok(Some("18446744073709551615"))),
            (&["18446744073709551616"], Err(BadLength::NoNumber)),
            (&[""], Err(BadLength::NoNumber)),
            (&["+2"], Err(BadLength::NoNumber)),
            (&["-2"], Err(BadLength::NoNumber)),
            (&["2, 2"], Err(BadLength::NoNumber)),
            (&["0x2"], Err(BadLength::NoNumber)),
            (&["2", "2"], Err(BadLength::Several)),
            (&["2", "3"], Err(BadLength::Several)),
        ] {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(CONTENT_LENGTH, HeaderValue::from_static(line));
            }
            let got = settle(&mut headers).map(|length| length.map(|length| length.to_string()));
            assert_eq!(got, settled.map(|length| length.map(str::to_owned)), "{lines:?}");
            if let Ok(Some(length)) = settled {
                assert_eq!(headers[CONTENT_LENGTH], length);
            }
        }
    }
}
