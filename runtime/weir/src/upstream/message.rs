//! What is sent to an endpoint, and what comes back.
//!
//! In: an exchange's request head, by reference: hooks still look at it, and another attempt may
//! need it. Out: the head in the form that a protocol wants. Never: changes the exchange.

use http::header::{EXPECT, HOST};
use http::request;
use http::response;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Uri, Version};
use weir_core::http::hop::Found;
use weir_core::http::{AddedFields, Body};

/// A request's head for one endpoint.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// `uri` is path and query alone. Fields of the last hop are gone, those of the body's framing
    /// fit the body.
    pub head: &'a request::Parts,
    /// Field lines that go with it.
    pub added: Option<&'a AddedFields>,
    /// What `Host` becomes; `None`: what the client sent.
    pub host: Option<&'a HeaderValue>,
    /// What `Host` becomes where the client sent none.
    pub authority: &'a HeaderValue,
    /// What to switch protocols to.
    pub upgrade: Option<&'a HeaderValue>,
    /// The head asks whether the body is wanted (`Expect: 100-continue`).
    pub expects: bool,
}

/// A response, as an endpoint gave it.
pub struct Answer {
    pub parts: response::Parts,
    pub body: Body,
    /// What the names of its fields are worth looking at for.
    pub found: Found,
}

impl Outgoing<'_> {
    /// As HTTP/2 has it: the authority is a pseudo-field (RFC 9113, 8.3.1), which hyper takes from
    /// the URI, and there is no switching of protocols.
    pub(super) fn to_http2<B>(self, body: B, tls: bool) -> Request<B> {
        let mut request = Request::new(body);
        *request.method_mut() = self.head.method.clone();
        *request.version_mut() = Version::HTTP_2;
        let mut headers = self.head.headers.clone();
        if let Some(added) = self.added {
            added.put(&mut headers);
        }
        let own = headers.remove(HOST).filter(|host| !host.is_empty());
        if self.expects {
            // The parser lets nobody know of a 100: the body goes at once.
            headers.remove(EXPECT);
        }
        *request.headers_mut() = headers;
        let host = self.host.or(own.as_ref()).unwrap_or(self.authority);
        let mut uri = self.head.uri.clone().into_parts();
        uri.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
        uri.authority = Authority::try_from(host.as_bytes()).ok();
        *request.uri_mut() = Uri::from_parts(uri).unwrap_or_else(|_| self.head.uri.clone());
        request
    }
}
