//! Messages that a test sends through the fake proxy.
//!
//! In: what the test says. Out: an exchange to be, or what an upstream would answer.
//! Never: checks anything; peers send what they like.

use std::collections::BTreeMap;

use super::head::Head;
use crate::error::CallError;
use crate::{BodyError, Client, Tls};

/// A request of a client, for [`Plugin::request`](super::Plugin::request).
///
/// Unless said otherwise it comes by `https` from 192.0.2.1 port 50000 for `example.com`, and
/// matched the route `test`.
#[derive(Debug, Clone)]
pub struct FakeRequest {
    pub(crate) method: String,
    pub(crate) scheme: String,
    pub(crate) authority: String,
    pub(crate) path_with_query: String,
    pub(crate) head: Head,
    pub(crate) body: Result<Vec<u8>, BodyError>,
    /// The most bytes that the body may have.
    pub(crate) body_limit: u64,
    pub(crate) client: Client,
    pub(crate) route: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

/// A response of an upstream, for [`Plugin::exchange`](super::Plugin::exchange).
#[derive(Debug, Clone)]
pub struct FakeResponse {
    pub(crate) status: u16,
    pub(crate) head: Head,
    pub(crate) body: Result<Vec<u8>, BodyError>,
}

/// A call of the plugin, as the upstream has it.
#[derive(Debug)]
pub struct Called(pub(crate) FakeRequest);

/// What an upstream answers.
pub(crate) type Answering = Box<dyn FnMut(&Called) -> Result<FakeResponse, CallError>>;

/// A request with this method, path and query.
pub fn request(method: &str, path_with_query: &str) -> FakeRequest {
    FakeRequest {
        method: method.into(),
        scheme: "https".into(),
        authority: "example.com".into(),
        path_with_query: path_with_query.into(),
        head: Head::default(),
        body: Ok(Vec::new()),
        body_limit: u64::MAX,
        client: Client { address: "192.0.2.1".into(), port: 50_000, tls: None },
        route: "test".into(),
        attributes: BTreeMap::from([("request.id".into(), "request-1".into())]),
    }
}

/// A response with this status.
pub fn response(status: u16) -> FakeResponse {
    FakeResponse { status, head: Head::default(), body: Ok(Vec::new()) }
}

// === impl FakeRequest ===

impl FakeRequest {
    pub(crate) fn is_too_long(&self) -> bool {
        self.body.as_ref().is_ok_and(|body| body.len() as u64 > self.body_limit)
    }

    /// Adds a field line.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head.push(name, value.as_ref());
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Ok(body.as_ref().to_vec());
        self
    }

    /// Makes reading the body fail.
    pub fn broken_body(mut self, error: BodyError) -> Self {
        self.body = Err(error);
        self
    }

    /// Sets `http` or `https`.
    pub fn scheme(mut self, scheme: &str) -> Self {
        self.scheme = scheme.into();
        self
    }

    /// Sets host and optional port the request is for.
    pub fn authority(mut self, authority: &str) -> Self {
        self.authority = authority.into();
        self
    }

    /// Sets the peer's address; empty for a Unix socket.
    pub fn client(mut self, address: &str, port: u16) -> Self {
        self.client.address = address.into();
        self.client.port = port;
        self
    }

    /// Sets the facts of the TLS connection.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.client.tls = Some(tls);
        self
    }

    /// Sets the route that matched.
    pub fn route(mut self, name: &str) -> Self {
        self.route = name.into();
        self
    }

    /// Sets an attribute, as an earlier plugin would have; `request.id` is `request-1` by default.
    pub fn attribute(mut self, key: &str, value: &str) -> Self {
        self.attributes.insert(key.into(), value.into());
        self
    }
}

// === impl FakeResponse ===

impl FakeResponse {
    /// Adds a field line.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head.push(name, value.as_ref());
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = Ok(body.as_ref().to_vec());
        self
    }

    /// Makes reading the body fail.
    pub fn broken_body(mut self, error: BodyError) -> Self {
        self.body = Err(error);
        self
    }
}

// === impl Called ===

impl Called {
    /// The method.
    pub fn method(&self) -> &str {
        &self.0.method
    }

    /// Path and query.
    pub fn path_with_query(&self) -> &str {
        &self.0.path_with_query
    }

    /// The first line of a field, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0.head.first(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        self.0.body.as_deref().unwrap_or_default()
    }
}
