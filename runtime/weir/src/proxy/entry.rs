//! Makes a routed request ready to be shown to plugins and forwarded, and begins its exchange.
//!
//! In: a request that was admitted, and what serves it. Out: the exchange, whose head has no hop-by-hop
//! field and says who the client is; and what the client [`Wants`]. Never: reads the body.

use std::sync::Arc;
use std::time::Duration;

use http::header::{EXPECT, HOST};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Version};
use hyper::upgrade::OnUpgrade;
use weir_core::chain::{Exchange, HeadLimits};
use weir_core::config::DropAmbiguous;
use weir_core::error::Result;
use weir_core::http::ambiguous::{self, Guarded};
use weir_core::http::hop::{self, Found};
use weir_core::http::trailer::Withheld;
use weir_core::http::{AddedFields, Body, Client, crumbs, grpc, max_forwards, via};

use super::admission::Named;
use super::completion::Completion;
use super::upload::Upload;
use super::wants::{Upgrade, Wants};
use super::worker::{Binding, ClientConnection, Listener};
use crate::upstream::Usage;

/// How long a listener's plugins may take over a request that no route takes.
const UNROUTED_TIMEOUT: Duration = Duration::from_secs(30);

/// What is known of a request whose head is ready.
pub struct Ready {
    /// Whom it speaks for.
    client: Arc<Client>,
    /// Fields that go with it.
    added: Option<Arc<AddedFields>>,
    /// What may not come behind its body.
    withheld: Withheld,
    wants: Wants,
}

/// Brings a request's head into the form that is shown to plugins and forwarded.
///
/// # Errors
/// Of the client: 400 for a `Max-Forwards` or `Via` that cannot be, or a loop.
pub fn prepare(
    (listener, binding): (&Listener, &Binding),
    connection: &ClientConnection,
    head: &mut Parts,
    body: &Body,
    Named { found, normal, host, is_in_field }: Named,
    upgrade: Option<OnUpgrade>,
    completion: &mut Completion,
) -> Result<Ready> {
    let mut wants = Wants { last: max_forwards::count(head)?, ..Wants::default() };
    if found.has_via() {
        via::check(&head.headers)?;
    }
    if let Some(normal) = normal {
        head.uri = normal;
    }
    if found.has_upgrade()
        && let Some(protocol) = hop::wants_upgrade(&head.headers, head.version)
    {
        let protocol = protocol.clone();
        wants.upgrade = Some(Box::new(Upgrade { protocol, client: upgrade, accepted: false }));
    }
    // What a codec leaves here is its own affair; nothing of it goes further.
    head.extensions.clear();
    if head.version >= Version::HTTP_2 {
        crumbs::join(&mut head.headers);
    }
    if found.has_expect() {
        wants.to_be_asked = expectation(head, body);
    }
    let nominated = hop::strip_request(&mut head.headers, found);
    let guarded = if matches!(body, Body::Empty) { None } else { binding.chain.guarded().cloned() };
    let withheld = Withheld { nominated, guarded };
    if found.has_trailer() {
        withheld.announce(&mut head.headers);
    }
    if found.has_ambiguous() {
        wants.no_twins = true;
        drop_ambiguous(&mut head.headers, listener, binding, completion);
    }
    completion.asked.grpc = found.has_content_type() && grpc::is_call(head);
    let (client, added) = speak_for(listener, connection, head, found, &host);
    if client.key != connection.client.key {
        completion.named = Some(Usage::new(client.key, client.key));
    }
    // HTTP/2 names it in a pseudo-field, and the absolute form wins over the field.
    if !is_in_field {
        head.headers.insert(HOST, host);
    }
    Ok(Ready { client, added, withheld, wants })
}

/// Whom the request speaks for, and the fields that say so.
fn speak_for(
    listener: &Listener,
    connection: &ClientConnection,
    head: &mut Parts,
    found: Found,
    host: &http::HeaderValue,
) -> (Arc<Client>, Option<Arc<AddedFields>>) {
    // Of the snapshot that serves the request, whatever held when its connection was accepted.
    let via = listener.via.then_some(head.version);
    let (own, trusted) = (&connection.client, &listener.trusted);
    let forwarded = &connection.forwarded;
    let (client, mut added) = forwarded.apply(&mut head.headers, host, own, trusted, via);
    if found.has_via()
        && let Some(added) = added.take()
    {
        // Behind the members of those before us.
        added.put(&mut head.headers);
    }
    (client.map_or_else(|| own.clone(), Arc::new), added)
}

/// Whether the client wants to be asked for its body. An expectation without one, or of HTTP/1.0, is
/// none and goes no further (RFC 9110, 10.1.1).
fn expectation(head: &mut Parts, body: &Body) -> bool {
    let is_known = |member: &[u8]| member.eq_ignore_ascii_case(b"100-continue");
    let asks = {
        let lines = head.headers.get_all(EXPECT).iter();
        let mut members = lines.flat_map(hop::members).peekable();
        members.peek().is_some() && members.all(is_known)
    };
    if asks && (matches!(body, Body::Empty) || head.version == Version::HTTP_10) {
        head.headers.remove(EXPECT);
        return false;
    }
    asks
}

/// The exchange of a request whose head is ready, and what its client wants.
pub fn begin(
    (listener, binding): (&Listener, &Binding),
    request: Parts,
    body: Body,
    Ready { client, added, withheld, wants }: Ready,
    completion: &mut Completion,
) -> (Box<Exchange>, Wants) {
    let request_body = if matches!(body, Body::Empty) {
        body
    } else {
        let state = completion.upload.insert(Arc::default()).clone();
        let limits = &listener.limits;
        let activity = completion.connection.activity.clone();
        if let Some(limit) = limits.body_limit {
            state.limit(limit);
        }
        let grpc = completion.asked.grpc;
        let idle = limits.body_timeout.of(grpc);
        Upload::new(body, grpc, limits, idle, withheld, state, activity).into_body()
    };
    let mut exchange = exchange((listener, binding), request, client, completion);
    exchange.added = added;
    exchange.request_body = request_body;
    (exchange, wants)
}

/// An exchange that begins with this head.
pub fn exchange(
    (listener, binding): (&Listener, &Binding),
    request: Parts,
    client: Arc<Client>,
    completion: &Completion,
) -> Box<Exchange> {
    let route = binding.route.as_ref();
    let name = route.map_or(&completion.worker.no_route, |route| &route.name).clone();
    let timeout = route.map_or(UNROUTED_TIMEOUT, |route| route.timeout.of(completion.asked.grpc));
    let started = completion.facts.started;
    let times = (started, started + timeout);
    let mut exchange = Exchange::new(completion.facts.id, times, request, client, name);
    exchange.upload = completion.upload.clone();
    // The chain sees what is refused for its length, and the refusal.
    exchange.body_limit = listener.limits.body_limit.unwrap_or(u64::MAX);
    let limits = &listener.limits;
    exchange.head_limits = HeadLimits::above(limits.max_headers, limits.max_header_bytes);
    exchange
}

/// Drops fields that an endpoint could take for others, and says so.
#[cold]
fn drop_ambiguous(
    headers: &mut HeaderMap,
    listener: &Listener,
    binding: &Binding,
    completion: &Completion,
) {
    let nothing = Guarded::default();
    let guarded = match listener.drop_ambiguous {
        DropAmbiguous::Known => Some(binding.chain.guarded().map_or(&nothing, |guarded| guarded)),
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
