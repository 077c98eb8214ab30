//! Finds an endpoint that answers.
//!
//! In: an exchange whose request is ready to go, and its route. Out: the response's head and body
//! with the lease of their connection, or the error that no retry could mend. Never: sends a
//! request twice unless nothing of it was sent, or it is idempotent and here as a whole.

use std::time::{Duration, Instant};

use http::header::{CONNECTION, HOST, HeaderValue, UPGRADE};
use http::{Method, Request, StatusCode, Version};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;

use super::completion::Completion;
use super::respond::Answer;
use super::transform;
use super::worker::Route;
use crate::balancer::Tried;
use crate::chain::{Exchange, Transforms};
use crate::config::HostPolicy;
use crate::error::{Error, Kind, Result, Side};
use crate::http::{Body, framing, hop};
use crate::telemetry::metrics::Outcome;
use crate::upstream::{EndpointState, Lease, Patience, Upstream};

/// Sends the request on and waits for the response's head.
pub async fn forward(
    mut exchange: Box<Exchange>,
    route: &Route,
    transforms: Transforms,
    upgrade: Option<HeaderValue>,
    completion: &mut Completion,
) -> (Box<Exchange>, Result<Answer>) {
    let body = outgoing_body(&mut exchange, transforms);
    let Some(upstream) = route.choose() else {
        let error = Error::new(
            Kind::ProxyConfigurationError,
            Side::Proxy,
            format!("route {} has no upstream and no plugin replied", route.name),
        );
        return (exchange, Err(Error { status: Some(503), ..error }));
    };
    let attempts = Attempts { exchange: &exchange, route, upstream, upgrade };
    let result = attempts.run(body, completion).await;
    (exchange, result)
}

/// Everything that stays the same from one attempt to the next.
struct Attempts<'a> {
    exchange: &'a Exchange,
    route: &'a Route,
    upstream: &'a Upstream,
    upgrade: Option<HeaderValue>,
}

impl Attempts<'_> {
    async fn run(&self, body: Body, completion: &mut Completion) -> Result<Answer> {
        let config = &self.upstream.cluster.config;
        let deadline = self.exchange.started + self.route.timeout;
        let spare = body.is_replayable().then(|| body.replay());
        let mut body = Some(body);
        let mut tried = Tried::default();
        let mut retries = if self.upgrade.is_some() { 0 } else { config.retries };
        let mut last = None;
        loop {
            let Some((at, in_flight, pool)) = self.upstream.pick(&tried) else {
                return Err(last.unwrap_or_else(|| {
                    let detail = format!("upstream {} has no endpoint", config.name);
                    Error::new(Kind::DestinationUnavailable, Side::Upstream, detail)
                }));
            };
            let state = in_flight.state().clone();
            let request = self.request(&state, body.take().unwrap_or_default());
            let sent = Instant::now();
            completion.attempt(&state);
            let left = deadline.saturating_duration_since(sent);
            let patience = Patience {
                first_byte: config.timeouts.first_byte.min(left),
                upload: completion.upload.clone(),
            };
            let unanswered = match pool.send(request, patience).await {
                Ok((response, lease)) => {
                    completion.answered_by(response.status(), &lease, sent);
                    let status = response.status().as_u16();
                    let answer = self.answer(response, lease, in_flight, completion);
                    state.metrics.request(match answer {
                        Ok(_) => Outcome::of_status(status),
                        Err(_) => Outcome::Failed,
                    });
                    return answer;
                }
                Err(unanswered) => *unanswered,
            };
            // The client broke its own request: that is no fault of the endpoint's.
            if let Some(error) = completion.upload.as_ref().and_then(|upload| upload.failure()) {
                return Err(error.clone());
            }
            state.metrics.request(outcome(unanswered.error.kind));
            let again = match unanswered.request {
                Some(request) if unanswered.error.retryable => Some(request.into_body()),
                _ if unanswered.stale && self.exchange.request.method.is_idempotent() => {
                    spare.as_ref().map(Body::replay)
                }
                _ => None,
            };
            let out_of_time = Instant::now() >= deadline;
            let Some(again) = again.filter(|_| retries > 0 && !out_of_time) else {
                return Err(unanswered.error);
            };
            retries -= 1;
            self.upstream.cluster.metrics.retried();
            // A stale connection says nothing of its endpoint; a failed connect does.
            if !unanswered.stale && self.upstream.pools().len() > 1 {
                tried.insert(at);
            }
            last = Some(unanswered.error);
            body = Some(again);
        }
    }

    /// The request as the endpoint gets it. The exchange keeps its own: hooks still look at it,
    /// and another attempt may need it.
    fn request(&self, endpoint: &EndpointState, body: Body) -> Request<Body> {
        let head = &self.exchange.request;
        let mut request = Request::new(body);
        *request.method_mut() = head.method.clone();
        *request.uri_mut() = head.uri.clone();
        *request.version_mut() = Version::HTTP_11;
        let mut headers = head.headers.clone();
        match &self.upstream.cluster.config.host {
            HostPolicy::Client if headers.get(HOST).is_some_and(|host| !host.is_empty()) => {}
            // An HTTP/1.0 client need not name a host, and HTTP/2 needs one.
            HostPolicy::Client | HostPolicy::Endpoint => {
                headers.insert(HOST, endpoint.authority.clone());
            }
            HostPolicy::Fixed(host) => {
                if let Ok(host) = HeaderValue::try_from(host.as_str()) {
                    headers.insert(HOST, host);
                }
            }
        }
        if let Some(protocol) = &self.upgrade {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, protocol.clone());
        }
        *request.headers_mut() = headers;
        request
    }

    fn answer(
        &self,
        response: http::Response<hyper::body::Incoming>,
        lease: Lease,
        in_flight: crate::upstream::InFlightRequest,
        completion: &mut Completion,
    ) -> Result<Answer> {
        completion.in_flight = Some(in_flight);
        let (mut parts, body) = response.into_parts();
        if let Some(why) = framing::ambiguous_response(&parts) {
            return Err(Error::new(Kind::HttpProtocolError, Side::Upstream, why));
        }
        let upgrade = match (&self.upgrade, parts.status) {
            (Some(_), StatusCode::SWITCHING_PROTOCOLS) => parts.extensions.remove::<OnUpgrade>(),
            (None, StatusCode::SWITCHING_PROTOCOLS) => {
                let why = "101 to a request that asked for no upgrade";
                return Err(Error::new(Kind::HttpUpgradeFailed, Side::Upstream, why));
            }
            _ => None,
        };
        parts.extensions.clear();
        let protocol = upgrade.is_some().then(|| parts.headers.remove(UPGRADE)).flatten();
        hop::strip_response(&mut parts.headers);
        if let Some(protocol) = protocol {
            parts.headers.insert(UPGRADE, protocol);
        }
        let body = match body.is_end_stream() {
            true => Body::Empty,
            false => Body::Incoming(body, Side::Upstream),
        };
        let idle = self.upstream.cluster.config.timeouts.idle;
        Ok(Answer { parts, body, lease: Some(lease), upgrade, idle })
    }
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
            if defined || headers.contains_key(http::header::CONTENT_LENGTH) {
                headers.insert(http::header::CONTENT_LENGTH, HeaderValue::from_static("0"));
            }
        }
        Body::Incoming(..) | Body::Stream(_) => {}
    }
    body
}

/// An attempt that failed, as its metric calls it.
fn outcome(kind: Kind) -> Outcome {
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

/// For answers that no endpoint gave there is no idle timeout to keep.
pub const NO_IDLE: Duration = Duration::MAX;
