//! What a head says of the message's length, line by line (RFC 9112, sections 3, 5 and 6).
//!
//! In: lines without their ends, and without CR, LF and NUL. Out: how the body is framed, or a
//! [`Violation`]. Never: keeps a line, or judges a field that does not frame the message beyond
//! its name being one.

use super::{HeadLimits, State, Violation, target};

/// What was said so far.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head {
    http10: bool,
    length: Option<u64>,
    chunked: bool,
    /// All is right, but the target, the version or an expectation must be spelled otherwise.
    pub(super) respell: bool,
    /// It has an `Upgrade`: what follows may belong to another protocol.
    pub(super) switches: bool,
}

impl Head {
    /// A head that the input begins with and that is right in every way, and how long it is. `None`
    /// if there is any doubt: reading line by line then says what is wrong, or missing.
    ///
    /// One pass: names up to their colon, values up to the first control character, which must be
    /// the line's CR. (A value with a tab is right too, but seldom enough to be read again.)
    pub(super) fn whole(input: &[u8], limits: HeadLimits) -> Option<(Head, usize)> {
        let (line, mut rest) = until_control(input)?;
        let mut head = Head::request_line(line).ok()?;
        let mut fields = 0;
        loop {
            let (name, after) = rest.split_at(token(rest));
            match (name, after) {
                ([], [b'\r', b'\n', next @ ..]) => {
                    let taken = input.len() - next.len();
                    let right = taken <= limits.bytes && fields <= limits.fields;
                    return right.then_some((head, taken));
                }
                ([_, ..], [b':', after @ ..]) => {
                    let (value, next) = until_control(after)?;
                    head.frame(name, value).ok()?;
                    fields += 1;
                    rest = next;
                }
                _ => return None,
            }
        }
    }

    /// What follows the head.
    pub(super) fn body(self) -> State {
        match (self.chunked, self.length) {
            (true, _) => State::ChunkSize,
            (false, Some(length)) if length > 0 => State::Length(length),
            (false, _) => State::Start,
        }
    }

    /// `method SP request-target SP HTTP-version`
    pub(super) fn request_line(line: &[u8]) -> Result<Head, Violation> {
        // The version first: without one this is HTTP/0.9, whatever the rest looks like.
        let (before, http10, later) = match line.split_last_chunk::<9>() {
            Some((before, b" HTTP/1.1")) => (before, false, false),
            Some((before, b" HTTP/1.0")) => (before, true, false),
            // It is read as the last minor version that we know (RFC 9110, 2.5).
            Some((before, [b' ', b'H', b'T', b'T', b'P', b'/', b'1', b'.', b'2'..=b'9'])) => {
                (before, false, true)
            }
            Some((_, [b' ', b'H', b'T', b'T', b'P', b'/', b'2'..=b'9', b'.', minor]))
                if minor.is_ascii_digit() =>
            {
                return Err(Violation::MajorVersion);
            }
            _ => return Err(Violation::Version),
        };
        match before.split_at(token(before)) {
            (method @ [_, ..], [b' ', target @ ..]) => {
                let respell = later
                    || !target::is_plain(target)
                        && (*target::spell(target)? != *target
                            || method == b"OPTIONS" && target::is_pathless(target));
                Ok(Head { http10, respell, ..Head::default() })
            }
            _ => Err(Violation::RequestLine),
        }
    }

    /// `field-name ":" OWS field-value OWS`
    pub(super) fn field(&mut self, line: &[u8]) -> Result<(), Violation> {
        let (name, value) = split(line)?;
        self.frame(name, value)?;
        match value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            true => Err(Violation::FieldValue),
            false => Ok(()),
        }
    }

    /// Notes the two fields that frame a message, and the one that may end the protocol.
    #[inline]
    fn frame(&mut self, name: &[u8], value: &[u8]) -> Result<(), Violation> {
        match name.len() {
            6 if name.eq_ignore_ascii_case(b"expect") => {
                self.respell |= target::is_expectation_in_other_words(trim(value));
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => self.switches = true,
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
    match line.split_at(token(line)) {
        ([], [b' ' | b'\t', ..]) => Err(Violation::LeadingSpace),
        (name @ [_, ..], [b':', value @ ..]) => Ok((name, value)),
        ([_, ..], [b' ' | b'\t', ..]) => Err(Violation::SpaceBeforeColon),
        _ => Err(Violation::FieldName),
    }
}

/// How long the token is that a line begins with; four bytes at a time.
#[inline]
fn token(line: &[u8]) -> usize {
    let (words, _) = line.as_chunks::<4>();
    let whole = |[a, b, c, d]: &&[u8; 4]| {
        TOKEN[*a as usize] & TOKEN[*b as usize] & TOKEN[*c as usize] & TOKEN[*d as usize]
    };
    let start = words.iter().take_while(whole).count() * 4;
    let rest = line[start..].iter().take_while(|byte| TOKEN[**byte as usize]);
    start + rest.count()
}

/// What comes before the first control character if that is the CR of a line end, and what comes
/// after the line end. Eight bytes at a time.
#[inline]
fn until_control(input: &[u8]) -> Option<(&[u8], &[u8])> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let (words, tail) = input.as_chunks::<8>();
    // The lowest byte that is marked is below 0x20, or DEL, or comes after 0xff, which is seldom
    // enough to be looked at again; those above it need not be anything.
    let marks = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        (word.wrapping_sub(ONES * 0x20) | word.wrapping_add(ONES)) & !word & (ONES * 0x80)
    };
    let found = words.iter().enumerate().find_map(|(at, word)| match marks(word) {
        0 => None,
        marks => Some(at * 8 + marks.trailing_zeros() as usize / 8),
    });
    let at = match found {
        Some(at) => at,
        None => words.len() * 8 + tail.iter().position(u8::is_ascii_control)?,
    };
    match input.split_at(at) {
        (line, [b'\r', b'\n', next @ ..]) => Some((line, next)),
        _ => None,
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
