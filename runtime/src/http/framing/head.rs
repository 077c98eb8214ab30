//! What a head says of the message's length, line by line (RFC 9112, sections 3, 5 and 6).
//!
//! In: lines without their ends, and without CR, LF and NUL. Out: how the body is framed, or a
//! [`Violation`]. Never: keeps a line, or judges a field that does not frame the message beyond
//! its name being one.

use super::Violation;

/// What was said so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head {
    http10: bool,
    pub(super) length: Option<u64>,
    pub(super) chunked: bool,
}

impl Head {
    /// `method SP request-target SP HTTP-version`
    pub(super) fn request_line(line: &[u8]) -> Result<Head, Violation> {
        // The version first: without one this is HTTP/0.9, whatever the rest looks like.
        let (before, http10) = match line.split_last_chunk::<9>() {
            Some((before, b" HTTP/1.1")) => (before, false),
            Some((before, b" HTTP/1.0")) => (before, true),
            _ => return Err(Violation::Version),
        };
        let method = before.iter().take_while(|byte| TOKEN[**byte as usize]).count();
        match before.split_at(method) {
            ([_, ..], [b' ', target @ ..]) if !target.is_empty() => {
                match memchr::memchr2(b' ', b'\t', target) {
                    None => Ok(Head { http10, ..Head::default() }),
                    Some(_) => Err(Violation::RequestLine),
                }
            }
            _ => Err(Violation::RequestLine),
        }
    }

    /// `field-name ":" OWS field-value OWS`
    pub(super) fn field(&mut self, line: &[u8]) -> Result<(), Violation> {
        let (name, value) = split(line)?;
        match name.len() {
            14 if name.eq_ignore_ascii_case(b"content-length") => {
                if self.length.is_some() {
                    return Err(Violation::SeveralContentLengths);
                }
                if self.chunked {
                    return Err(Violation::LengthAndEncoding);
                }
                self.length = Some(content_length(trim(value))?);
            }
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                if self.http10 {
                    return Err(Violation::TransferEncodingInHttp10);
                }
                if self.chunked {
                    return Err(Violation::SeveralTransferEncodings);
                }
                if self.length.is_some() {
                    return Err(Violation::LengthAndEncoding);
                }
                if !trim(value).eq_ignore_ascii_case(b"chunked") {
                    return Err(Violation::TransferEncoding);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }
}

/// A field line of a trailer section: never one of those that RFC 9110, 6.5.1 excludes because
/// they frame or route the message.
pub(super) fn trailer(line: &[u8]) -> Result<(), Violation> {
    const EXCLUDED: [&[u8]; 6] =
        [b"content-length", b"transfer-encoding", b"host", b"connection", b"te", b"upgrade"];
    let (name, _) = split(line)?;
    if EXCLUDED.iter().any(|excluded| name.eq_ignore_ascii_case(excluded)) {
        return Err(Violation::Trailer);
    }
    Ok(())
}

/// Name and value of a field line.
#[inline]
fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Violation> {
    let end = line.iter().take_while(|byte| TOKEN[**byte as usize]).count();
    match line.split_at(end) {
        ([], [b' ' | b'\t', ..]) => Err(Violation::LeadingSpace),
        (name @ [_, ..], [b':', value @ ..]) => Ok((name, value)),
        ([_, ..], [b' ' | b'\t', ..]) => Err(Violation::SpaceBeforeColon),
        _ => Err(Violation::FieldName),
    }
}

/// Without optional white space (RFC 9110, 5.6.3): space and tab, nothing else.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// `1*DIGIT`, up to 2^64 − 3: the parser behind us keeps the last two values for itself.
fn content_length(value: &[u8]) -> Result<u64, Violation> {
    if value.is_empty() {
        return Err(Violation::ContentLength);
    }
    let mut length: u64 = 0;
    for byte in value {
        if !byte.is_ascii_digit() {
            return Err(Violation::ContentLength);
        }
        length = length
            .checked_mul(10)
            .and_then(|length| length.checked_add(u64::from(byte - b'0')))
            .ok_or(Violation::ContentLength)?;
    }
    if length > u64::MAX - 2 { Err(Violation::ContentLength) } else { Ok(length) }
}

/// `tchar` (RFC 9110, 5.6.2).
const TOKEN: [bool; 256] = {
    let mut token = [false; 256];
    let chars = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    let mut at = 0;
    while at < chars.len() {
        token[chars[at] as usize] = true;
        at += 1;
    }
    token
};
