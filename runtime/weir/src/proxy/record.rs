//! The access log's line of an exchange.
//!
//! In: its [`Facts`], what is left of its request, and what serves it. Out: a [`Record`] that borrows
//! from all three. Never: copies text, or shows what the configuration conceals.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use http::header::{HOST, REFERER, USER_AGENT};
use weir_core::chain::Attributes;
use weir_core::http::Client;
use weir_core::telemetry::access_log::{Record, WorkerLog};

use super::facts::Facts;
use super::heading::Told;
use super::worker::Ending;

/// Where the line is taken from.
pub struct Sources<'a> {
    pub facts: &'a Facts,
    pub request: &'a Told,
    pub ending: &'a Ending,
    /// Whoever has the connection.
    pub peer: &'a Client,
    pub request_bytes: u64,
}

/// Writes the line of an exchange that took so long until now.
pub fn write(log: &mut WorkerLog, from: &Sources<'_>, now: SystemTime, duration: Duration) {
    let Sources { facts, request, ending, peer, request_bytes } = from;
    let field = |name| request.field(&name).map(HeaderValue::as_bytes);
    let attributes = request.attributes();
    let set_id = attributes.and_then(|attributes| attributes.get("request.id"));
    let own_id = &facts.id as &dyn std::fmt::Display;
    let endpoint = facts.upstream.as_deref();
    let client = request.client().unwrap_or(peer);
    let concealed = &*ending.concealed;
    let referer = field(REFERER).map(|url| concealed.in_target(url));
    let target = request.target().map(|target| concealed.in_target(target.as_str().as_bytes()));
    log.write(&Record {
        time: now - duration,
        request_id: set_id.as_ref().map_or(own_id, |id| id),
        client: &client.address,
        listener: &ending.listener,
        method: request.method().map_or("-", |method| method.as_str()),
        scheme: if client.https { "https" } else { "http" },
        host: field(HOST).unwrap_or_default(),
        path: target.as_deref().unwrap_or(b"-"),
        protocol: request.version(),
        status: facts.status,
        request_bytes: *request_bytes,
        response_bytes: facts.response_bytes,
        duration,
        route: ending.route.as_deref(),
        upstream: endpoint.map(|endpoint| &*endpoint.upstream),
        endpoint: endpoint.map(|endpoint| &*endpoint.address),
        upstream_status: facts.upstream_status,
        upstream_connect: facts.connect,
        upstream_first_byte: facts.first_byte,
        attempts: facts.attempts,
        plugin: facts.plugin.as_deref(),
        error: facts.kind(),
        error_detail: facts.detail(),
        user: attributes.and_then(|attributes| attributes.get("auth.subject")),
        user_agent: field(USER_AGENT),
        referer: referer.as_deref(),
        attributes: &|each| {
            let all = attributes.into_iter().flat_map(Attributes::iter);
            // The others are between a plugin's own hooks.
            all.filter(|(key, _)| !key.starts_with('_')).for_each(|(key, value)| each(key, value));
        },
    });
}
