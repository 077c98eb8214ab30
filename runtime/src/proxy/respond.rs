//! Answers that no endpoint gave: errors, plugins' replies, plugins' failures.
//!
//! In: an error, a reply or a failure. Out: a response. Never: tells a client what only the
//! operator should know. This is the one place that turns errors into responses.

use bytes::Bytes;
use http::header::{
    ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, RETRY_AFTER,
};
use http::{HeaderMap, Method, Response, StatusCode, Version};

use super::body::ResponseBody;
use super::completion::Completion;
use super::worker::Worker;
use crate::chain::{Exchange, Failure, Reply};
use crate::error::{Error, Kind, Side};
use crate::http::{Body, via};

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The form in which a client wants to read an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Problem,
    Text,
    Grpc,
}

/// An error before the request reached any plugin.
pub fn error(mut completion: Box<Completion>, error: Error, form: Form) -> Response<ResponseBody> {
    completion.failed(&error);
    let (mut parts, body) = local(&error, form);
    // Whatever of the request's body is still to come belongs to no further request.
    parts.headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    date(&mut parts, &completion.worker);
    completion.status = parts.status.as_u16();
    Response::from_parts(parts, ResponseBody::new(body, completion))
}

/// An error of an exchange that plugins have seen.
pub fn answer(error: Error, exchange: &mut Exchange, completion: &mut Completion) {
    completion.failed(&error);
    let (parts, body) = local(&error, form(&exchange.request.headers));
    exchange.response = Some(parts);
    exchange.response_body = body;
}

/// A plugin's reply.
pub fn reply(reply: Reply, exchange: &mut Exchange) {
    let mut parts = head(reply.status);
    parts.headers = reply.headers;
    let empty = matches!(reply.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    exchange.response = Some(parts);
    exchange.response_body = if empty { Body::Empty } else { Body::full(reply.body) };
}

/// A plugin failed whose policy is to reject: 500, or 503 where it was only busy. The client learns
/// which plugin, not why.
pub fn failed(failure: &Failure, exchange: &mut Exchange, completion: &mut Completion) {
    let detail = format!("plugin {}: {}", failure.plugin, failure.reason);
    let mut error = Error::new(Kind::ProxyInternalError, Side::Plugin, detail);
    if failure.is_busy() {
        error.status = Some(503);
    }
    answer(error, exchange, completion);
    if failure.is_busy()
        && let Some(head) = &mut exchange.response
    {
        head.headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
}

/// Last touches to a head before hyper writes it.
pub fn finish_head(
    parts: &mut http::response::Parts,
    body: &Body,
    exchange: &Exchange,
    worker: &Worker,
) {
    date(parts, worker);
    via::append(&mut parts.headers, parts.version);
    // Ours, whatever the endpoint spoke (RFC 9110, 6.2).
    parts.version = Version::HTTP_11;
    let is_empty = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if let Body::Full(bytes) = body
        && exchange.request.method != Method::HEAD
        && !is_empty
    {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
}

/// A response has a date where whoever made it has a clock (RFC 9110, 6.6.1).
fn date(parts: &mut http::response::Parts, worker: &Worker) {
    if !parts.headers.contains_key(DATE) {
        parts.headers.insert(DATE, worker.date());
    }
}

/// The form that a request's head asks for.
pub fn form(headers: &HeaderMap) -> Form {
    let starts = |name: HeaderName, prefix: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with(prefix))
    };
    if starts(CONTENT_TYPE, "application/grpc") {
        return Form::Grpc;
    }
    let accept = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let ranges = accept.flat_map(|line| line.split(','));
    for range in ranges.map(|range| range.split(';').next().unwrap_or("").trim()) {
        match range {
            "application/problem+json" | "application/json" | "application/*" => {
                return Form::Problem;
            }
            "text/plain" | "text/html" | "text/*" => return Form::Text,
            _ => {}
        }
    }
    Form::Problem
}

fn local(error: &Error, form: Form) -> (http::response::Parts, Body) {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut parts = head(status);
    if error.side != Side::Downstream {
        let value = format!("weir; error={}", error.kind.as_str());
        if let Ok(value) = HeaderValue::try_from(value) {
            parts.headers.insert(PROXY_STATUS, value);
        }
    }
    let title = status.canonical_reason().unwrap_or("Error");
    // Only what the client did wrong is explained to it; addresses and causes go to the log.
    let detail = match error.side {
        Side::Downstream => error.detail.as_str(),
        Side::Upstream | Side::Proxy | Side::Plugin => error.kind.as_str(),
    };
    let body = match form {
        Form::Problem => {
            let problem = serde_json::json!({
                "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail,
            });
            parts
                .headers
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
            Bytes::from(problem.to_string())
        }
        Form::Text => {
            parts
                .headers
                .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
            Bytes::from(format!("{} {title}: {detail}\n", status.as_u16()))
        }
        Form::Grpc => {
            parts.status = StatusCode::OK;
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            parts.headers.insert(GRPC_STATUS, HeaderValue::from(grpc_status(status)));
            if let Ok(message) = HeaderValue::try_from(detail.replace(['%', '\r', '\n'], " ")) {
                parts.headers.insert(GRPC_MESSAGE, message);
            }
            Bytes::new()
        }
    };
    (parts, Body::full(body))
}

/// gRPC's own mapping from HTTP statuses (grpc/doc/http-grpc-status-mapping.md).
fn grpc_status(status: StatusCode) -> u16 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

fn head(status: StatusCode) -> http::response::Parts {
    let (mut parts, ()) = Response::new(()).into_parts();
    parts.status = status;
    parts
}
