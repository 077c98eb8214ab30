//! Values of header fields: bytes, because HTTP does not promise UTF-8.
//!
//! In: the bytes the proxy hands over. Out: easy access as text or bytes. Never: copies.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// The value of a header field. Bytes by nature, text in practice.
///
/// ```
/// use weir_sdk::FieldValue;
/// let value = FieldValue::from("gzip");
/// assert_eq!(value, "gzip");
/// assert_eq!(value.as_str(), Some("gzip"));
/// assert_eq!(FieldValue::from(vec![0xff]).as_str(), None);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct FieldValue(Vec<u8>);

// === impl FieldValue ===

impl FieldValue {
    /// Whether these bytes can be the value of a field (RFC 9110, 5.5): no control character but a
    /// tab.
    pub fn is_legal(bytes: &[u8]) -> bool {
        bytes.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f))
    }

    /// The value as text, unless it is not UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// The value as text, with U+FFFD in place of what is not UTF-8.
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// The value as it is.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The value as owned text, unless it is not UTF-8. Copies nothing.
    pub fn into_string(self) -> Option<String> {
        String::from_utf8(self.0).ok()
    }

    /// The value as it is, without a copy.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl Deref for FieldValue {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for FieldValue {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for FieldValue {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<String> for FieldValue {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&str> for FieldValue {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl From<&[u8]> for FieldValue {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

impl PartialEq<str> for FieldValue {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for FieldValue {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<[u8]> for FieldValue {
    fn eq(&self, other: &[u8]) -> bool {
        self.0 == other
    }
}

impl PartialEq<&[u8]> for FieldValue {
    fn eq(&self, other: &&[u8]) -> bool {
        self.0 == *other
    }
}

impl fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.escape_ascii())
    }
}
