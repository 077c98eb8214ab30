//! What the log says of a request whose exchange is not there to ask: it was refused, or its client
//! went away while somebody else had it.
//!
//! In: a request's head. Out: references to the few things of it that are told. Never: copies text;
//! a request that comes to its end is never looked at.

use std::sync::Arc;

use http::header::{HOST, REFERER, USER_AGENT};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Version};
use weir_core::chain::{Attributes, Exchange};
use weir_core::http::Client;

/// A request's head, as far as the log tells of it.
pub struct Heading {
    pub method: Method,
    pub target: Option<PathAndQuery>,
    pub version: Version,
    host: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
    /// Whom it came from; `None`: whoever has the connection.
    pub client: Option<Arc<Client>>,
    /// What plugins had left, where they were done with it.
    pub attributes: Attributes,
}

impl Heading {
    pub fn of(head: &Parts) -> Heading {
        let field = |name: HeaderName| head.headers.get(name).cloned();
        Heading {
            method: head.method.clone(),
            target: head.uri.path_and_query().cloned(),
            version: head.version,
            host: field(HOST).or_else(|| authority(head)),
            user_agent: field(USER_AGENT),
            referer: field(REFERER),
            client: None,
            attributes: Attributes::default(),
        }
    }

    /// Of an exchange that is about to be given away: what costs next to nothing, for it nearly
    /// always comes back.
    pub fn brief(exchange: &Exchange) -> Heading {
        let head = &exchange.request;
        Heading {
            method: head.method.clone(),
            target: head.uri.path_and_query().cloned(),
            version: head.version,
            host: head.headers.get(HOST).cloned(),
            user_agent: None,
            referer: None,
            client: Some(exchange.client.clone()),
            attributes: Attributes::default(),
        }
    }

    /// One of the fields that are kept.
    pub fn field(&self, name: &HeaderName) -> Option<&HeaderValue> {
        match *name {
            HOST => self.host.as_ref(),
            USER_AGENT => self.user_agent.as_ref(),
            REFERER => self.referer.as_ref(),
            _ => None,
        }
    }
}

/// What HTTP/2 says in the place of `Host`, as long as it was not written there.
fn authority(head: &Parts) -> Option<HeaderValue> {
    HeaderValue::from_str(head.uri.authority()?.as_str()).ok()
}
