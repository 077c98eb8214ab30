//! Secrets in a configuration: never shown, compared in constant time.

use std::fmt;

use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;

use crate::Schema;

/// A secret text in a configuration. Its `Debug` shows nothing, its schema says `writeOnly`, and
/// it compares in constant time.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Secret(String);

// === impl Secret ===

impl Secret {
    /// Whether this is the secret. Takes as long for a near miss as for a far one; the length
    /// itself is no secret.
    pub fn matches(&self, candidate: impl AsRef<[u8]>) -> bool {
        self.0.as_bytes().ct_eq(candidate.as_ref()).into()
    }

    /// The secret itself: not for logs, replies or header fields.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from).map(Self)
    }
}

impl Schema for Secret {
    fn members(out: &mut String) {
        out.push_str(r#""type":"string","writeOnly":true"#);
    }
}
