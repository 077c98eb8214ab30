//! What the log says of a request.
//!
//! In: an exchange that came to its response; else the head of a request that was refused, or whose client
//! went away while somebody else had it. Out: the few things of it that are told. Never: copies text.

use std::sync::Arc;

use http::header::{HOST, REFERER, USER_AGENT};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Version};
use weir_core::chain::{Attributes, Exchange};
use weir_core::http::Client;

/// What is there of a request when it is told of.
#[derive(Default)]
pub enum Told {
    /// Nobody may lose it: it is told of once its response is there.
    #[default]
    Nothing,
    /// Its exchange is not there to ask.
    Heading(Box<Heading>),
    /// All of it, from the response's head on.
    Exchange(Box<Exchange>),
}

/// A request's head, as far as the log tells of it.
pub struct Heading {
    method: Method,
    target: Option<PathAndQuery>,
    version: Version,
    host: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    referer: Option<HeaderValue>,
    /// Whom it came from; `None`: whoever has the connection.
    pub client: Option<Arc<Client>>,
    /// What plugins had left, where they were done with it.
    pub attributes: Attributes,
}

impl Told {
    pub fn heading(heading: Heading) -> Told {
        Told::Heading(Box::new(heading))
    }

    pub fn method(&self) -> Option<&Method> {
        match self {
            Told::Nothing => None,
            Told::Heading(heading) => Some(&heading.method),
            Told::Exchange(exchange) => Some(&exchange.request.method),
        }
    }

    pub fn target(&self) -> Option<&PathAndQuery> {
        match self {
            Told::Nothing => None,
            Told::Heading(heading) => heading.target.as_ref(),
            Told::Exchange(exchange) => exchange.request.uri.path_and_query(),
        }
    }

    pub fn version(&self) -> Version {
        match self {
            Told::Nothing => Version::HTTP_11,
            Told::Heading(heading) => heading.version,
            Told::Exchange(exchange) => exchange.request.version,
        }
    }

    /// Whom it came from, where that is not just the connection's peer.
    pub fn client(&self) -> Option<&Client> {
        match self {
            Told::Nothing => None,
            Told::Heading(heading) => heading.client.as_deref(),
            Told::Exchange(exchange) => Some(&exchange.client),
        }
    }

    pub fn attributes(&self) -> Option<&Attributes> {
        match self {
            Told::Nothing => None,
            Told::Heading(heading) => Some(&heading.attributes),
            Told::Exchange(exchange) => Some(&exchange.attributes),
        }
    }

    /// One of the fields that are told.
    pub fn field(&self, name: &HeaderName) -> Option<&HeaderValue> {
        match self {
            Told::Nothing => None,
            Told::Heading(heading) => heading.field(name),
            Told::Exchange(exchange) => exchange.request.headers.get(name),
        }
    }
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
