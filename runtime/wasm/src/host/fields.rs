//! The rules for fields that guests write: which are theirs, what is legal, how large a head may be.
//!
//! In: names and values as a guest passed them, still in its memory. Out: the changed head, or why
//! it was left as it was. Never: allocates for a lookup, or for a name that is a known one.

use http::header::{
    CONTENT_LENGTH, COOKIE, Entry, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
};
use wasmtime::Result;
use weir_core::chain::HeadLimits;
use weir_core::http::field_line;

use crate::answer::Data;
use crate::contract::HeaderError;
use crate::memory::{self, Span};
use crate::state::State;

/// A field's name and value.
pub type Line = (HeaderName, HeaderValue);

/// The types of functions that change a head by a name or a text, and by a line.
pub const TEXT: &str =
    "(string) -> result<_, variant { invalid-syntax, forbidden, size-exceeded }>";
pub const LINE: &str =
    "(string, list<u8>) -> result<_, variant { invalid-syntax, forbidden, size-exceeded }>";

/// How a line comes into a head: [`set`] or [`append`].
pub type Write =
    fn(&mut HeaderMap, &mut Option<usize>, HeadLimits, Line) -> Result<(), HeaderError>;

/// Bytes of names and values.
pub fn head_bytes(headers: &HeaderMap) -> usize {
    headers.iter().map(field_line::size).sum()
}

/// Whether the proxy owns the field: connection-specific ones (RFC 9110, 7.6.1), framing, and
/// `host`, for which there is `set-authority`.
pub fn is_forbidden(name: &str) -> bool {
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    match name.len() {
        2 => is("te"),
        4 => is("host"),
        7 => is("upgrade") || is("trailer"),
        10 => is("connection") || is("keep-alive"),
        14 => is("content-length"),
        16 => is("proxy-connection"),
        17 => is("transfer-encoding"),
        _ => false,
    }
}

/// A field line where it lies in the guest's memory; one that no head can hold is not copied.
pub fn line(
    memory: &[u8],
    state: &State,
    name: Span,
    value: Span,
    limits: HeadLimits,
) -> Result<Result<Line, HeaderError>> {
    let name = memory::text(memory, state, name)?;
    let value = memory::bytes(memory, state, value)?;
    if value.len() > limits.bytes || name.len() > limits.bytes {
        return Ok(Err(HeaderError::SizeExceeded));
    }
    state.budget.pay_bytes(value.len())?;
    Ok(legal_line(&name, value))
}

/// A text for a head, such as a method; one that no head can hold is not read as it.
pub fn text<T>(
    memory: &[u8],
    state: &State,
    text: Span,
    limits: HeadLimits,
    read: impl FnOnce(&str) -> Result<T, HeaderError>,
) -> Result<Result<T, HeaderError>> {
    let text = memory::text(memory, state, text)?;
    Ok(if text.len() > limits.bytes { Err(HeaderError::SizeExceeded) } else { read(&text) })
}

/// A field name that guests may write.
pub fn legal_name(name: &str) -> Result<HeaderName, HeaderError> {
    if is_forbidden(name) {
        return Err(HeaderError::Forbidden);
    }
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::InvalidSyntax)
}

/// A field line that guests may write.
pub fn legal_line(name: &str, value: &[u8]) -> Result<Line, HeaderError> {
    let name = legal_name(name)?;
    let value = HeaderValue::from_bytes(value).map_err(|_| HeaderError::InvalidSyntax)?;
    Ok((name, value))
}

/// Replaces every value of the field. `bytes` is the head's size, counted on the first write.
pub fn set(
    headers: &mut HeaderMap,
    bytes: &mut Option<usize>,
    limits: HeadLimits,
    (name, value): Line,
) -> Result<(), HeaderError> {
    let before = bytes.unwrap_or_else(|| head_bytes(headers));
    let lines = headers.len();
    let added = name.as_str().len() + value.len();
    match headers.try_entry(name).map_err(|_| HeaderError::SizeExceeded)? {
        Entry::Occupied(mut entry) => {
            let name = entry.key().as_str().len();
            let old: usize = entry.iter().map(|old| name + old.len()).sum();
            let after = before - old.min(before) + added;
            within(limits, lines, after)?;
            *bytes = Some(after);
            entry.insert(value);
        }
        Entry::Vacant(entry) => {
            within(limits, lines + 1, before + added)?;
            entry.try_insert(value).map_err(|_| HeaderError::SizeExceeded)?;
            *bytes = Some(before + added);
        }
    }
    Ok(())
}

/// Adds one more field line.
pub fn append(
    headers: &mut HeaderMap,
    bytes: &mut Option<usize>,
    limits: HeadLimits,
    (name, value): Line,
) -> Result<(), HeaderError> {
    let added = name.as_str().len() + value.len();
    let after = bytes.unwrap_or_else(|| head_bytes(headers)) + added;
    within(limits, headers.len() + 1, after)?;
    headers.try_append(name, value).map_err(|_| HeaderError::SizeExceeded)?;
    *bytes = Some(after);
    Ok(())
}

/// Removes every value of the field.
pub fn remove(headers: &mut HeaderMap, bytes: &mut Option<usize>, name: &HeaderName) {
    if headers.remove(name).is_some() {
        *bytes = None;
    }
}

/// The lines of a field as one value (RFC 9110, 5.3; RFC 9113, 8.2.3). Empty ones add nothing.
pub fn joined<'a>(name: &str, mut lines: impl Iterator<Item = &'a HeaderValue>) -> Option<Data> {
    let first = lines.next()?;
    let Some(second) = lines.next() else { return Some(Data::Field(first.clone())) };
    let is_cookie = name.eq_ignore_ascii_case(COOKIE.as_str());
    let separator: &[u8] = if is_cookie { b"; " } else { b", " };
    let mut whole = first.as_bytes().to_vec();
    for line in std::iter::once(second).chain(lines).filter(|line| !line.is_empty()) {
        if !whole.is_empty() {
            whole.extend_from_slice(separator);
        }
        whole.extend_from_slice(line.as_bytes());
    }
    Some(Data::Bytes(whole))
}

/// Every line of a field, in order.
pub fn lines<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> Vec<Data> {
    values.cloned().map(Data::Field).collect()
}

/// The whole head, names and values in turn, in order of first appearance.
pub fn all<'a>(fields: impl Iterator<Item = (&'a HeaderName, &'a HeaderValue)>) -> Vec<Data> {
    fields
        .flat_map(|(name, value)| [Data::FieldName(name.clone()), Data::Field(value.clone())])
        .collect()
}

/// Whether a head of so many lines and bytes is allowed.
pub fn within(limits: HeadLimits, lines: usize, bytes: usize) -> Result<(), HeaderError> {
    if lines > limits.fields || bytes > limits.bytes {
        return Err(HeaderError::SizeExceeded);
    }
    Ok(())
}

/// Makes the head agree with a body that is there as a whole, so that hooks further on see the
/// truth. What goes over the wire is derived from the body once more.
pub fn set_content_length(headers: &mut HeaderMap, length: usize) {
    headers.remove(TRANSFER_ENCODING);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
}

#[cfg(test)]
mod tests;
