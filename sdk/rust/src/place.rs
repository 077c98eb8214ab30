//! Where a credential may be in a request.
//!
//! In: the operator's choice of field, parameter or cookie. Out: what was sent there, or the
//! request without it. Never: judges what it finds.

use crate::{FieldValue, HeaderError, Request};

/// A place in a request where a credential may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A header field.
    Header(String),
    /// A query parameter.
    Query(String),
    /// A cookie.
    Cookie(String),
}

// === impl Place ===

impl Place {
    /// The places that are named, in the order in which they are to be looked at. An empty name is
    /// none.
    pub fn all(header: String, query: Option<String>, cookie: Option<String>) -> Vec<Self> {
        let named = |name: &String| !name.is_empty();
        [
            Some(header).filter(named).map(Self::Header),
            query.filter(named).map(Self::Query),
            cookie.filter(named).map(Self::Cookie),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Everything that was sent here: of a field and a parameter each value, of a cookie the first.
    pub fn read(&self, request: &Request) -> Vec<FieldValue> {
        match self {
            Self::Header(name) => request.header_values(name),
            Self::Query(name) => request
                .target()
                .parameters()
                .filter(|(key, _)| key == name)
                .map(|(_, value)| value.into_owned().into())
                .collect(),
            Self::Cookie(name) => request.cookie(name).into_iter().map(Into::into).collect(),
        }
    }

    /// Takes it all out of what is forwarded.
    pub fn strip(&self, request: &mut Request) -> Result<(), HeaderError> {
        match self {
            Self::Header(name) => request.remove_header(name),
            Self::Query(name) => request.remove_query(name),
            Self::Cookie(name) => request.remove_cookie(name),
        }
    }
}
