//! Names of header fields as the configuration writes them.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::{Error, Schema};

/// Fields that belong to the proxy: hop-by-hop (RFC 9110, 7.6.1), framing, and `host`.
const OWNED_BY_PROXY: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The name of a header field in a configuration: a token (RFC 9110, 5.1), in lower case whatever
/// case it was written in.
///
/// ```
/// let name: weir_sdk::FieldName = "X-Request-ID".parse()?;
/// assert_eq!(&*name, "x-request-id");
/// assert!(name.writable().is_ok());
/// assert!("x request".parse::<weir_sdk::FieldName>().is_err());
/// # Ok::<(), weir_sdk::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldName(Cow<'static, str>);

// === impl FieldName ===

impl FieldName {
    /// A name for a default: a lower-case token, which is not checked.
    pub const fn literal(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// The name, if a plugin may change fields of it.
    ///
    /// # Errors
    /// If the field belongs to the proxy, which would refuse every change.
    pub fn writable(self) -> Result<Self, Error> {
        if is_owned_by_proxy(&self.0) {
            let error = Error::new(format!("the field `{self}` belongs to the proxy"));
            return Err(error.help("no plugin can change it; name another"));
        }
        Ok(self)
    }
}

impl FromStr for FieldName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if !is_token(text) {
            let error = Error::new(format!("`{text}` is no name of a header field"));
            return Err(error.help("letters, digits and !#$%&'*+-.^_`|~ only"));
        }
        Ok(Self(Cow::Owned(text.to_ascii_lowercase())))
    }
}

impl<'de> Deserialize<'de> for FieldName {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Schema for FieldName {
    fn members(out: &mut String) {
        out.push_str(r#""type":"string","title":"the name of a header field","pattern":"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$""#);
    }
}

impl Deref for FieldName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for FieldName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether this is a token (RFC 9110, 5.6.2).
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Whether the proxy refuses changes to the field of this lower-case name.
pub(crate) fn is_owned_by_proxy(name: &str) -> bool {
    OWNED_BY_PROXY.contains(&name)
}
