//! Finds an endpoint that answers.
//!
//! In: an exchange whose request is ready to go, and an upstream. Out: the response's head and body
//! with the lease of their connection, or the error that no retry could mend. Never: decides whether
//! there is another attempt; [`Attempts`] does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{EXPECT, HeaderValue, UPGRADE};
use http::{Method, StatusCode};
use http_body::Body as _;
use weir_core::balancer::Tried;
use weir_core::chain::{Exchange, Transforms};
use weir_core::clock;
use weir_core::config::Bound;
use weir_core::error::{Error, Kind, Side};
use weir_core::http::ambiguous::Guarded;
use weir_core::http::trailer::Withheld;
use weir_core::http::{Body, grpc, hop};
use weir_core::telemetry::metrics::{EndpointMetrics, Outcome};

use super::attempts::{Attempts, Failed, Resendable, Source};
use super::completion::Completion;
use super::transform;
use super::underway::Underway;
use super::wants::Upgrade;
use crate::upstream::{Answer, Attempt, Outgoing, ResponseTimeout, Upstream};

/// One attempt at an endpoint. Dropped before it is over, it was cancelled: the client went away.
pub(super) struct Counted<'a>(pub(super) Option<&'a EndpointMetrics>);

/// Sends the request on at `sent`, or now, and waits for the response's head, which then stands in
/// `exchange`, and the lease of its connection in `completion`.
pub async fn forward(
    Underway { exchange, completion, wants, .. }: &mut Underway<'_>,
    (upstream, timeout): (&Upstream, Bound),
    guarded: Option<&Arc<Guarded>>,
    transforms: Transforms,
    mut sent: Option<Instant>,
) -> Result<(), Box<Error>> {
    let mut body = Some(outgoing_body(exchange, transforms));
    let expects = wants.to_be_asked && body.as_ref().is_some_and(|body| expects(exchange, body));
    let config = &upstream.cluster.config;
    let over = call_is_over(exchange, completion);
    let deadline = exchange.started + timeout.of(completion.asked.grpc);
    let deadline = over.map_or(deadline, |over| over.min(deadline));
    // By default a body may be on its way for longer; who says how long it may take means it.
    let due = (timeout.is_written() || over.is_some()).then_some(deadline);
    let spare = body.as_ref().and_then(Body::replay);
    let mut tried = Tried::default();
    let mut attempts = Attempts::new(config.retries, deadline);
    let mut last = None;
    // Whatever comes and goes meanwhile, it tries among these.
    let balanced = upstream.balanced();
    loop {
        let Some((at, in_flight, pool)) = balanced.pick(&tried) else {
            return Err(last.unwrap_or_else(|| {
                let detail = format!("upstream {} has no endpoint", config.name);
                Box::new(Error::new(Kind::DestinationUnavailable, Side::Upstream, detail))
            }));
        };
        if last.is_some() {
            upstream.cluster.metrics.retried();
        }
        let state = in_flight.state().clone();
        completion.facts.attempt(&state);
        let counted = Counted(Some(&state.metrics));
        tracing::debug!(request = %exchange.id, endpoint = &*state.label, "attempt");
        let outgoing = Outgoing {
            head: &exchange.request,
            added: exchange.added.as_deref(),
            host: upstream.cluster.host_for(&state),
            authority: &state.authority,
            upgrade: wants.upgrade.as_ref().map(|upgrade| &upgrade.protocol),
            expects,
        };
        let sent = sent.take().unwrap_or_else(clock::now);
        let left = deadline.saturating_duration_since(sent);
        let timeout = ResponseTimeout {
            sent,
            first_byte: config.timeouts.first_byte.of(completion.asked.grpc).min(left),
            upload: completion.upload.as_ref(),
            due,
        };
        let opened_after = attempts.wants_opened_after();
        let attempt = Attempt { outgoing, client: completion.client(), opened_after, timeout };
        let failed = match pool.send(&attempt, &mut body).await {
            Ok((answer, lease)) => {
                let status = answer.parts.status;
                tracing::debug!(
                    request = %exchange.id, endpoint = &*state.label, status = status.as_u16(),
                    reused = lease.reused, "answered"
                );
                completion.in_flight = Some(in_flight);
                completion.answered_by(status, lease, sent);
                let guarded = guarded.cloned();
                let upgrade = wants.upgrade.as_deref_mut();
                let times = (upstream.cluster.config.timeouts.idle.of(completion.asked.grpc), over);
                let answered = accept(exchange, answer, guarded, upgrade, times);
                counted.over(match answered {
                    Ok(()) => Outcome::of_status(status.as_u16()),
                    Err(_) => Outcome::Failed,
                });
                return answered;
            }
            Err(failed) => *failed,
        };
        // The client broke its own request: that is no fault of the endpoint's.
        // But a call's messages come when its client has them, and its time is for the answer.
        let is_late = completion.asked.grpc && clock::now() >= deadline;
        let broken = completion.upload.as_ref().filter(|_| !is_late);
        if let Some(error) = broken.and_then(|upload| upload.failure()) {
            return Err(Box::new(error.clone()));
        }
        counted.over(outcome(failed.error.kind));
        tracing::debug!(
            request = %exchange.id, endpoint = &*state.label,
            error = failed.error.kind.as_str(), detail = failed.error.told(),
            silent = failed.silent, "no answer"
        );
        let how = Failed {
            unsent: failed.error.retryable,
            silent: failed.silent,
            reused: failed.reused,
            ended: failed.ended,
            full: failed.error.kind == Kind::ConnectionLimitReached,
        };
        let request = Resendable {
            // Who switched protocols may have acted on more than the request.
            idempotent: exchange.request.method.is_idempotent() && wants.upgrade.is_none(),
            untouched: body.is_some(),
            copied: spare.is_some(),
        };
        let several = balanced.has_several();
        let Some(again) = attempts.next(how, request, several, clock::now()) else {
            return Err(Box::new(failed.error));
        };
        if again.elsewhere {
            tried.insert(at);
        }
        if again.body == Source::Copy {
            body = spare.clone().map(Body::full);
        }
        last = Some(Box::new(failed.error));
    }
}

/// Takes the response over, unless it must not be passed on. Whoever reads its body, a hook or the
/// client, waits for `idle` at most between two frames.
fn accept(
    exchange: &mut Exchange,
    answer: Answer,
    guarded: Option<Arc<Guarded>>,
    upgrade: Option<&mut Upgrade>,
    (idle, over): (Duration, Option<Instant>),
) -> Result<(), Box<Error>> {
    let Answer { parts, body, found } = answer;
    let parts = exchange.response.insert(parts);
    let mut protocol = None;
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        let Some(upgrade) = upgrade else {
            let why = "101 to a request that asked for no upgrade";
            return Err(Box::new(Error::new(Kind::HttpUpgradeFailed, Side::Upstream, why)));
        };
        if !hop::is_offered(&parts.headers, &upgrade.protocol) {
            let why = "101 to a protocol that the client did not offer";
            return Err(Box::new(Error::new(Kind::HttpUpgradeFailed, Side::Upstream, why)));
        }
        upgrade.accepted = true;
        protocol = parts.headers.remove(UPGRADE);
    } else if parts.status == StatusCode::UPGRADE_REQUIRED {
        // It says what to ask for (RFC 9110, 15.5.22).
        protocol = parts.headers.remove(UPGRADE);
    }
    parts.extensions.clear();
    let nominated = hop::strip_response(&mut parts.headers, found);
    let withheld = Withheld { nominated, guarded };
    if found.has_trailer() {
        withheld.announce(&mut parts.headers);
    }
    if let Some(protocol) = protocol {
        parts.headers.insert(UPGRADE, protocol);
    }
    exchange.response_body = body;
    exchange.response_body.withhold(withheld);
    exchange.response_body.pause_at_most(idle);
    if let Some(over) = over {
        exchange.response_body.end_by(over);
    }
    Ok(())
}

/// The body to send, with the fields that frame it made to fit.
fn outgoing_body(exchange: &mut Exchange, transforms: Transforms) -> Body {
    let body = std::mem::take(&mut exchange.request_body);
    let headers = &mut exchange.request.headers;
    if !transforms.is_empty() && !body.is_end_stream() {
        headers.remove(http::header::CONTENT_LENGTH);
        return transform::rewrite(body, transforms);
    }
    match &body {
        Body::Full(bytes) => {
            headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        Body::Empty => {
            // A plugin may have emptied it. Methods that define a meaning for a body say that there
            // is none (RFC 9110, 8.6); others keep silent unless the client did not.
            let method = &exchange.request.method;
            let defined = matches!(*method, Method::POST | Method::PUT | Method::PATCH);
            let emptied = exchange.upload.is_some();
            if defined || emptied && headers.contains_key(http::header::CONTENT_LENGTH) {
                headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
        }
        Body::Incoming(_) | Body::Received(_) | Body::Stream(_) => {}
    }
    body
}

impl Counted<'_> {
    pub(super) fn over(mut self, outcome: Outcome) {
        if let Some(metrics) = self.0.take() {
            metrics.request(outcome);
        }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if let Some(metrics) = self.0 {
            metrics.request(Outcome::Cancelled);
        }
    }
}

/// When the client of a gRPC call waits no longer; no other client says it.
fn call_is_over(exchange: &Exchange, completion: &Completion) -> Option<Instant> {
    let own = completion.asked.grpc.then(|| grpc::timeout(&exchange.request.headers)).flatten()?;
    (own < Bound::NEVER).then(|| exchange.started + own)
}

/// Whether the endpoint is asked if it wants the body. Not where a plugin wanted it already.
fn expects(exchange: &mut Exchange, body: &Body) -> bool {
    if body.is_replayable() {
        exchange.request.headers.remove(EXPECT);
    }
    exchange.request.headers.contains_key(EXPECT)
}

/// An attempt that failed, as its metric calls it.
pub(super) fn outcome(kind: Kind) -> Outcome {
    match kind {
        Kind::ConnectionRefused
        | Kind::ConnectionTimeout
        | Kind::ConnectionLimitReached
        | Kind::DnsError
        | Kind::DnsTimeout
        | Kind::DestinationUnavailable
        | Kind::TlsCertificateError
        | Kind::TlsProtocolError => Outcome::ConnectFailed,
        Kind::HttpResponseTimeout => Outcome::Timeout,
        _ => Outcome::Failed,
    }
}
