//! Makes a request safe to route.
//!
//! In: a request's head as a codec read it. Out: which fields it has that mean something to a proxy, one
//! legal host, and one path in normal form; or why it is refused. Never: reads the body, looks at a
//! route, or leaves two ways to read one target.

use std::borrow::Cow;

use bytes::Bytes;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri, Version};
use weir_core::error::{Error, Result};
use weir_core::http::framing::Violation;
use weir_core::http::host::{self, Target};
use weir_core::http::length::{self, BadLength};
use weir_core::http::{field_line, framing, hop::Found, padding, path};

use super::worker::Listener;

/// A request whose target has one meaning.
pub struct Admitted<'a> {
    pub head: &'a Parts,
    pub found: Found,
    pub target: Target<'a>,
    /// Path and query alone, in normal form; `None`: the head's own are.
    pub normal: Option<Uri>,
}

/// What is left of that once the request is routed.
pub struct Named {
    pub found: Found,
    pub normal: Option<Uri>,
    /// The authority, as it is forwarded.
    pub host: HeaderValue,
    /// It stands in the `Host` field.
    pub is_in_field: bool,
}

/// Admits a request.
///
/// # Errors
/// Of the client: 501 for CONNECT, 431 for too large a head, 400 for what has two meanings.
pub fn admit<'a>(listener: &Listener, head: &'a mut Parts) -> Result<Admitted<'a>> {
    if head.method == Method::CONNECT {
        return Err(Error::request(501, "CONNECT is not offered here"));
    }
    // HTTP/1.1's are counted, and trimmed, as they come in.
    if head.version >= Version::HTTP_2 {
        bound(listener, head)?;
    }
    let found = Found::in_request(&head.headers);
    if found.has_content_length() {
        length::settle(&mut head.headers).map_err(|bad| match bad {
            BadLength::Several => Violation::SeveralContentLengths,
            BadLength::NoNumber => Violation::ContentLength,
        })?;
    }
    let head = &*head;
    let target = host::target(head).map_err(|bad| Error::request(400, bad.as_str()))?;
    let normal = normal_form(head)?;
    Ok(Admitted { head, found, target, normal })
}

impl Admitted<'_> {
    /// What is routed and forwarded.
    pub fn uri(&self) -> &Uri {
        self.normal.as_ref().unwrap_or(&self.head.uri)
    }

    /// Lets go of the head, which is changed next.
    pub fn named(self) -> Named {
        let (host, is_in_field) = (self.target.value(), self.target.field.is_some());
        Named { found: self.found, normal: self.normal, host, is_in_field }
    }
}

/// The listener's bounds on a head that no guard has read.
fn bound(listener: &Listener, head: &Parts) -> Result<()> {
    let most = listener.limits.max_headers;
    if head.headers.len() > most {
        return Err(Error::request(431, format!("the request has more than {most} fields")));
    }
    let most = listener.limits.max_header_bytes;
    if head.headers.iter().map(field_line::size).sum::<usize>() > most {
        let detail = format!("the request's head has more than {most} bytes");
        return Err(Error::request(431, detail));
    }
    if padding::has_padded_values(&head.headers) {
        return Err(Error::request(400, "a field's value begins or ends with white space"));
    }
    Ok(())
}

/// One normalisation before anything looks at the target: what is matched is what is forwarded.
/// Gives path and query alone, whatever form the target had; `None`: they are all there is, and as
/// they should be.
fn normal_form(head: &Parts) -> Result<Option<Uri>> {
    let Some(target) = head.uri.path_and_query() else {
        return Ok(Some(Uri::from_static("/")));
    };
    if target.path() == "*" && head.method != Method::OPTIONS {
        return Err(Error::request(400, "only OPTIONS may ask for *"));
    }
    let path = path::normalize(target.path())?;
    let query = target.query().map(framing::encode_query);
    if matches!((&path, &query), (Cow::Borrowed(_), None | Some(Cow::Borrowed(_)))) {
        let whole = head.uri.scheme().is_some() || head.uri.authority().is_some();
        return Ok(whole.then(|| Uri::from(target.clone())));
    }
    let mut spelled = path.into_owned();
    if let Some(query) = query {
        spelled.push('?');
        spelled.push_str(&query);
    }
    PathAndQuery::from_maybe_shared(Bytes::from(spelled))
        .map(|spelled| Some(Uri::from(spelled)))
        .map_err(|bad| Error::request(400, format!("path: {bad}")))
}
