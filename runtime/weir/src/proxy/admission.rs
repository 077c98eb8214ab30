//! Makes a request safe to route, to show to plugins and to forward.
//!
//! In: a request as hyper read it. Out: an exchange whose path is normal, whose host is one and
//! legal, whose hop-by-hop fields are gone, and the route it matched. Never: reads the body.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{EXPECT, HOST};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method, Request, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use weir_core::chain::{Attributes, Chain, Exchange, HeadLimits};
use weir_core::config::{DropAmbiguous, Steps};
use weir_core::error::{Error, Result};
use weir_core::http::ambiguous::{self, Guarded};
use weir_core::http::field_line;
use weir_core::http::framing::Violation;
use weir_core::http::hop::{self, Found};
use weir_core::http::length::{self, BadLength};
use weir_core::http::trailer::Withheld;
use weir_core::http::{
    AddedFields, Body, Client, crumbs, framing, grpc, host, max_forwards, padding, path, via,
};

use super::completion::Completion;
use super::refusal::Refused;
use super::upgrade::Upgrade;
use super::upload::Upload;
use super::worker::{ClientConnection, Listener, StrictPaths};
use crate::upstream::Usage;

/// How long a listener's plugins may take over a request that no route takes.
const UNROUTED_TIMEOUT: Duration = Duration::from_secs(30);

/// Admits a request, or says why not. What serves it, and whether it asks for an upgrade, is left
/// in `completion`.
pub fn admit(
    listener: &Listener,
    connection: &ClientConnection,
    request: Request<Incoming>,
    completion: &mut Completion,
) -> std::result::Result<Box<Exchange>, Box<Refused>> {
    let (mut parts, body) = request.into_parts();
    match prepare(listener, connection, &mut parts, &body, completion) {
        Ok(ready) => Ok(begin(listener, connection, parts, body, ready, completion)),
        Err(error) => Err(Box::new(Refused { error, head: parts })),
    }
}

/// What is known of a request whose head is ready.
struct Ready {
    /// Whom it speaks for.
    client: Arc<Client>,
    /// Fields that go with it.
    added: Option<Arc<AddedFields>>,
    /// What may not come behind its body.
    withheld: Withheld,
}

/// Brings the head into the form that is matched, shown to plugins and forwarded.
fn prepare(
    listener: &Listener,
    connection: &ClientConnection,
    parts: &mut http::request::Parts,
    body: &Incoming,
    completion: &mut Completion,
) -> Result<Ready> {
    if parts.method == Method::CONNECT {
        return Err(Error::request(501, "CONNECT is not offered here"));
    }
    let most = listener.limits.max_headers;
    // HTTP/1.1's are counted, and trimmed, as they come in.
    if parts.version >= Version::HTTP_2 {
        if parts.headers.len() > most {
            return Err(Error::request(431, format!("the request has more than {most} fields")));
        }
        let most = listener.limits.max_header_bytes;
        if parts.headers.iter().map(field_line::size).sum::<usize>() > most {
            return Err(Error::request(
                431,
                format!("the request's head has more than {most} bytes"),
            ));
        }
        if padding::has_padded_values(&parts.headers) {
            let detail = "a field's value begins or ends with white space";
            return Err(Error::request(400, detail));
        }
    }
    let found = Found::in_request(&parts.headers);
    if found.has_content_length() {
        length::settle(&mut parts.headers).map_err(|bad| match bad {
            BadLength::Several => Violation::SeveralContentLengths,
            BadLength::NoNumber => Violation::ContentLength,
        })?;
    }
    let target = host::target(parts).map_err(|bad| Error::request(400, bad.as_str()))?;
    let normal = normal_form(parts)?;
    let uri = normal.as_ref().unwrap_or(&parts.uri);
    let ambiguous = match listener.strict_paths {
        StrictPaths::Nowhere => None,
        StrictPaths::OfRoutes | StrictPaths::Everywhere => {
            let judged = path::strict::check(parts.uri.path(), uri.path());
            judged.err().map(|bad| Error::request(400, bad.as_str()))
        }
    };
    // One account for all that follows, and what is refused from here on is the route's to add to.
    let steps = Steps::of_a_request();
    let find = |path: &str| listener.find(&target.host, path, uri.query(), parts, &steps);
    let binding = find(uri.path())?;
    completion.bind(binding);
    if let Some(error) = ambiguous {
        // Some endpoint may take it for another route's.
        let may_be_read_so = || {
            let is_open = |read: &String| find(read).is_ok_and(|binding| !binding.is_strict());
            let read = path::strict::readings(parts.uri.path(), uri.path());
            !read.is_some_and(|read| read.iter().all(is_open))
        };
        let everywhere = listener.strict_paths == StrictPaths::Everywhere;
        if everywhere || binding.is_strict() || may_be_read_so() {
            return Err(error);
        }
    }
    let (host, is_in_field) = (target.value(), target.field.is_some());
    completion.last = max_forwards::count(parts)?;
    if found.has_via() {
        via::check(&parts.headers)?;
    }
    if let Some(normal) = normal {
        parts.uri = normal;
    }
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
    if found.has_expect() {
        completion.expects = expectation(parts, body);
    }
    let nominated = hop::strip_request(&mut parts.headers, found);
    let guarded = if body.is_end_stream() { None } else { binding.chain.guarded().cloned() };
    let withheld = Withheld { nominated, guarded };
    if found.has_trailer() {
        withheld.announce(&mut parts.headers);
    }
    if found.has_ambiguous() {
        completion.ambiguous = true;
        drop_ambiguous(&mut parts.headers, listener, completion);
    }
    completion.grpc = found.has_content_type() && grpc::is_call(parts);
    // Of the snapshot that serves the request, whatever held when its connection was accepted.
    let via = listener.via.then_some(parts.version);
    let (own, trusted) = (&connection.client, &listener.trusted);
    let (client, mut added) = forwarded.apply(&mut parts.headers, &host, own, trusted, via);
    if found.has_via()
        && let Some(added) = added.take()
    {
        // Behind the members of those before us.
        added.put(&mut parts.headers);
    }
    let client = client.map_or_else(|| own.clone(), Arc::new);
    if client.key != connection.client.key {
        completion.named = Some(Usage::new(client.key, client.key));
    }
    // HTTP/2 names it in a pseudo-field, and the absolute form wins over the field.
    if !is_in_field {
        parts.headers.insert(HOST, host);
    }
    Ok(Ready { client, added, withheld })
}

/// Drops fields that an endpoint could take for others, and says so.
#[cold]
fn drop_ambiguous(headers: &mut HeaderMap, listener: &Listener, completion: &Completion) {
    let chain = completion.binding.as_ref().map(|binding| &binding.chain);
    let nothing = Guarded::default();
    let guarded = match listener.drop_ambiguous {
        DropAmbiguous::Known => {
            Some(chain.and_then(Chain::guarded).map_or(&nothing, |guarded| guarded))
        }
        DropAmbiguous::All => None,
    };
    tell_dropped(&ambiguous::strip(headers, guarded), completion);
}

/// The same for names that plugins have set meanwhile.
#[cold]
pub fn drop_twins(exchange: &mut Exchange, completion: &Completion) {
    exchange.settle();
    tell_dropped(&ambiguous::strip_twins(&mut exchange.request.headers), completion);
}

fn tell_dropped(dropped: &[HeaderName], completion: &Completion) {
    let listener = completion.listener();
    if dropped.is_empty() {
        return;
    }
    completion.worker.metrics.listener(listener).dropped_fields(dropped.len() as u64);
    for field in dropped {
        tracing::warn!(
            listener,
            field = field.as_str(),
            "a request's field was dropped: an endpoint could take its name for another one's"
        );
    }
}

/// Whether the client wants to be asked for its body. An expectation without one, or of HTTP/1.0, is
/// none and goes no further (RFC 9110, 10.1.1).
fn expectation(parts: &mut http::request::Parts, body: &Incoming) -> bool {
    let is_known = |member: &[u8]| member.eq_ignore_ascii_case(b"100-continue");
    let asks = {
        let lines = parts.headers.get_all(EXPECT).iter();
        let mut members = lines.flat_map(hop::members).peekable();
        members.peek().is_some() && members.all(is_known)
    };
    if asks && (body.is_end_stream() || parts.version == Version::HTTP_10) {
        parts.headers.remove(EXPECT);
        return false;
    }
    asks
}

/// The exchange begins.
fn begin(
    listener: &Listener,
    connection: &ClientConnection,
    request: http::request::Parts,
    body: Incoming,
    Ready { client, added, withheld }: Ready,
    completion: &mut Completion,
) -> Box<Exchange> {
    let request_body = if body.is_end_stream() {
        Body::Empty
    } else {
        let body = Body::Incoming(body);
        let state = completion.upload.insert(Arc::default()).clone();
        let limits = &listener.limits;
        let activity = connection.activity.clone();
        if let Some(limit) = limits.body_limit {
            state.limit(limit);
        }
        let idle = limits.body_timeout.of(completion.grpc);
        Upload::new(body, completion.grpc, limits, idle, withheld, state, activity).into_body()
    };
    exchange(listener, request, added, request_body, client, completion)
}

/// An exchange that begins with this head and body.
pub fn exchange(
    listener: &Listener,
    request: http::request::Parts,
    added: Option<Arc<AddedFields>>,
    request_body: Body,
    client: Arc<Client>,
    completion: &Completion,
) -> Box<Exchange> {
    let route = completion.binding.as_ref().and_then(|binding| binding.route.as_ref());
    let name = route.map_or(&completion.worker.no_route, |route| &route.name).clone();
    let timeout = route.map_or(UNROUTED_TIMEOUT, |route| route.timeout.of(completion.grpc));
    Box::new(Exchange {
        id: completion.id,
        started: completion.started,
        due: completion.started + timeout,
        request,
        added,
        request_body,
        upload: completion.upload.clone(),
        // The chain sees what is refused for its length, and the refusal.
        body_limit: listener.limits.body_limit.unwrap_or(u64::MAX),
        peer_error: None,
        response: None,
        response_body: Body::Empty,
        response_replaced: false,
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

/// One normalisation before anything looks at the target: what is matched is what is forwarded.
/// Gives path and query alone, whatever form the target had; `None`: they are all there is, and as
/// they should be.
fn normal_form(parts: &http::request::Parts) -> Result<Option<Uri>> {
    let Some(target) = parts.uri.path_and_query() else {
        return Ok(Some(Uri::from_static("/")));
    };
    if target.path() == "*" && parts.method != Method::OPTIONS {
        return Err(Error::request(400, "only OPTIONS may ask for *"));
    }
    let path = path::normalize(target.path())?;
    let query = target.query().map(framing::encode_query);
    if matches!((&path, &query), (Cow::Borrowed(_), None | Some(Cow::Borrowed(_)))) {
        let whole = parts.uri.scheme().is_some() || parts.uri.authority().is_some();
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
