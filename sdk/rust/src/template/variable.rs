//! The variables of a template: facts about one exchange.
//!
//! In: a name between braces. Out: its value for a request. Never: guesses a misspelt name.

use crate::Request;

/// What an error lists.
pub(super) const KNOWN: &str = "{client.address}, {client.port}, {request.id}, {request.method}, \
     {request.scheme}, {request.host}, {request.path}, {request.query}, {request.query.NAME}, \
     {request.header.NAME}, {request.cookie.NAME}, {attribute.KEY}, {route}";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Variable {
    ClientAddress,
    ClientPort,
    Id,
    Method,
    Scheme,
    Host,
    Path,
    Query,
    Parameter(String),
    Header(String),
    Cookie(String),
    Attribute(String),
    Route,
}

// === impl Variable ===

impl Variable {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "client.address" => Self::ClientAddress,
            "client.port" => Self::ClientPort,
            "request.id" => Self::Id,
            "request.method" => Self::Method,
            "request.scheme" => Self::Scheme,
            "request.host" => Self::Host,
            "request.path" => Self::Path,
            "request.query" => Self::Query,
            "route" => Self::Route,
            _ => {
                let (make, key): (fn(String) -> Self, &str) =
                    if let Some(key) = name.strip_prefix("request.query.") {
                        (Self::Parameter, key)
                    } else if let Some(key) = name.strip_prefix("request.header.") {
                        (Self::Header, key)
                    } else if let Some(key) = name.strip_prefix("request.cookie.") {
                        (Self::Cookie, key)
                    } else {
                        (Self::Attribute, name.strip_prefix("attribute.")?)
                    };
                if key.is_empty() {
                    return None;
                }
                make(key.into())
            }
        })
    }

    /// The value, unless the exchange has none.
    pub(super) fn value(&self, request: &Request) -> Option<Vec<u8>> {
        let text = match self {
            Self::ClientAddress => request.client_address(),
            Self::ClientPort => request.client_port().to_string(),
            Self::Id => request.attribute("request.id")?,
            Self::Method => request.method(),
            Self::Scheme => request.scheme(),
            Self::Host => request.host(),
            Self::Path => request.path(),
            Self::Query => request.target().query()?.into(),
            Self::Parameter(name) => request.query(name)?,
            Self::Header(name) => return Some(request.field(name)?.into_bytes()),
            Self::Cookie(name) => request.cookie(name)?,
            Self::Attribute(key) => request.attribute(key)?,
            Self::Route => request.route(),
        };
        Some(text.into_bytes())
    }
}
