//! Makes a request safe to route, to show to plugins and to forward.
//!
//! In: a request as hyper read it. Out: an exchange whose path is normal, whose host is one and
//! legal, whose hop-by-hop fields are gone, and the route it matched. Never: reads the body.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{Method, Request, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

use super::body::{Upload, too_long};
use super::completion::Completion;
use super::refusal::Refused;
use super::upgrade::Upgrade;
use super::worker::{Connection, Listener, StrictPaths};
use crate::chain::{Attributes, Exchange, HeadLimits};
use crate::error::{Error, Result, Side};
use crate::http::hop::{self, Found};
use crate::http::{Body, Client, crumbs, host, path, via};

/// Admits a request, or says why not. What serves it, and whether it asks for an upgrade, is left
/// in `completion`.
pub fn admit(
    listener: &Listener,
    connection: &Connection,
    request: Request<Incoming>,
    completion: &mut Completion,
) -> std::result::Result<Box<Exchange>, Box<Refused>> {
    let (mut parts, body) = request.into_parts();
    match prepare(listener, connection, &mut parts, &body, completion) {
        Ok(client) => Ok(begin(listener, connection, parts, body, client, completion)),
        Err(error) => Err(Box::new(Refused { error, head: parts })),
    }
}

/// Brings the head into the form that is matched, shown to plugins and forwarded. Gives the client
/// that it speaks for.
fn prepare(
    listener: &Listener,
    connection: &Connection,
    parts: &mut http::request::Parts,
    body: &Incoming,
    completion: &mut Completion,
) -> Result<Arc<Client>> {
    if parts.method == Method::CONNECT {
        return Err(Error::request(501, "CONNECT is not offered here"));
    }
    let most = listener.limits.max_headers;
    // HTTP/1.1's are counted as they come in.
    if parts.version >= Version::HTTP_2 && parts.headers.len() > most {
        return Err(Error::request(431, format!("the request has more than {most} fields")));
    }
    let found = Found::in_request(&parts.headers);
    if found.has_via() {
        via::check(&parts.headers)?;
    }
    let target = host::target(parts).map_err(|bad| Error::request(400, bad.as_str()))?;
    let ambiguous = match listener.strict_paths {
        StrictPaths::Nowhere => None,
        // The path as it was received: its normal form has no encoded dots any more.
        StrictPaths::OfRoutes | StrictPaths::Everywhere => {
            path::strict::check(parts.uri.path()).err().map(|bad| Error::request(400, bad.as_str()))
        }
    };
    if listener.strict_paths == StrictPaths::Everywhere
        && let Some(error) = ambiguous
    {
        return Err(error);
    }
    let uri = normal_form(parts)?;
    let binding = listener.find(&target.host, uri.path(), uri.query(), parts);
    completion.bind(binding);
    if let Some(error) = ambiguous {
        // Some endpoint may take it for another route's.
        let read = path::strict::reading(parts.uri.path());
        let read = listener.find(&target.host, &read, uri.query(), parts);
        if binding.is_strict() || read.is_strict() {
            return Err(error);
        }
    }
    let (host, is_in_field) = (target.value(), target.field.is_some());
    parts.uri = uri;
    if found.has_upgrade()
        && let Some(protocol) = hop::wants_upgrade(&parts.headers, parts.version)
    {
        let (protocol, client) = (protocol.clone(), parts.extensions.remove::<OnUpgrade>());
        completion.upgrade = Some(Box::new(Upgrade { protocol, client, accepted: false }));
    }
    // Which extension types hyper leaves here is its own affair; nothing of it goes further.
    parts.extensions.clear();
    if parts.version >= Version::HTTP_2 {
        crumbs::join(&mut parts.headers);
    }
    let forwarded = &connection.forwarded;
    hop::strip_request(&mut parts.headers, found);
    // Of the snapshot that serves the request, whatever held when its connection was accepted.
    let client = forwarded.apply(&mut parts.headers, &host, &connection.client, &listener.trusted);
    let client = client.map_or_else(|| connection.client.clone(), Arc::new);
    via::append(&mut parts.headers, parts.version);
    // HTTP/2 names it in a pseudo-field, and the absolute form wins over the field.
    if !is_in_field {
        parts.headers.insert(HOST, host);
    }
    if let Some(limit) = listener.limits.body_limit
        && body.size_hint().lower() > limit
    {
        return Err(too_long(limit));
    }
    Ok(client)
}

/// The exchange begins.
fn begin(
    listener: &Listener,
    connection: &Connection,
    request: http::request::Parts,
    body: Incoming,
    client: Arc<Client>,
    completion: &mut Completion,
) -> Box<Exchange> {
    let route = completion.binding.as_ref().and_then(|binding| binding.route.as_ref());
    let name = route.map_or(&completion.worker.no_route, |route| &route.name).clone();
    let request_body = if body.is_end_stream() {
        Body::Empty
    } else {
        let body = Body::Incoming(body, Side::Downstream);
        let state = completion.upload.insert(Arc::default()).clone();
        let limits = &listener.limits;
        let activity = connection.activity.clone();
        if let Some(limit) = limits.body_limit {
            state.limit(limit);
        }
        Upload::new(body, limits.body_timeout, state, activity).into_body()
    };
    Box::new(Exchange {
        id: completion.id,
        started: completion.started,
        request,
        request_body,
        upload: completion.upload.clone(),
        body_limit: u64::MAX,
        response: None,
        response_body: Body::Empty,
        client,
        route: name,
        attributes: Attributes::default(),
        in_flight: Vec::new(),
        head_limits: HeadLimits::above(
            listener.limits.max_headers,
            listener.limits.max_header_bytes,
        ),
    })
}

/// One normalisation before anything looks at the path: what is matched is what is forwarded.
/// Gives path and query alone, whatever form the target had.
fn normal_form(parts: &http::request::Parts) -> Result<Uri> {
    let Some(target) = parts.uri.path_and_query() else {
        return Ok(Uri::from_static("/"));
    };
    if target.path() == "*" && parts.method != Method::OPTIONS {
        return Err(Error::request(400, "only OPTIONS may ask for *"));
    }
    match path::normalize(target.path()).map_err(|bad| Error::request(400, bad.as_str()))? {
        Cow::Borrowed(_) => Ok(Uri::from(target.clone())),
        Cow::Owned(mut path) => {
            if let Some(query) = target.query() {
                path.push('?');
                path.push_str(query);
            }
            PathAndQuery::from_maybe_shared(Bytes::from(path))
                .map(Uri::from)
                .map_err(|bad| Error::request(400, format!("path: {bad}")))
        }
    }
}
