//! Answers that no endpoint gave: errors, plugins' replies, plugins' failures.
//!
//! In: an error, a reply or a failure. Out: a response. Never: tells a client what only the
//! operator should know. This is the one place that turns errors into responses.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER, VARY};
use http::{Response, StatusCode};
use weir_core::chain::{Exchange, Failure, Reply};
use weir_core::error::{Error, Kind, Side};
use weir_core::http::max_forwards::Final;
use weir_core::http::{Body, grpc};

use super::accept::Form;
use super::completion::Completion;
use super::download::ResponseBody;
use super::finish::finish;

const PROXY_STATUS: HeaderName = HeaderName::from_static("proxy-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// An error that no plugin adds to. The connection ends with it.
pub fn error(mut completion: Box<Completion>, error: Error, form: Form) -> Response<ResponseBody> {
    completion.failed(&error);
    completion.closes = true;
    let (mut parts, body) = local(&error, form);
    let body = finish(&mut parts, body, &completion);
    completion.begin_answer(parts.status);
    Response::from_parts(parts, ResponseBody::new(body, completion))
}

/// An error of an exchange that plugins have seen.
pub fn answer(error: Error, exchange: &mut Exchange, completion: &mut Completion) {
    completion.failed(&error);
    put(&error, Form::wanted_by(&exchange.request.headers), exchange);
}

/// Makes an error the exchange's response, for plugins to add to.
pub fn put(error: &Error, form: Form, exchange: &mut Exchange) {
    let (parts, body) = local(error, form);
    exchange.response = Some(parts);
    exchange.response_body = body;
}

/// A plugin's reply.
pub fn reply(reply: Reply, exchange: &mut Exchange) {
    let mut parts = head(reply.status);
    parts.headers = reply.headers;
    exchange.response = Some(parts);
    exchange.response_body = Body::full(reply.body);
}

/// The answer to a request that must go no further.
pub fn last(Final { headers, body }: Final, exchange: &mut Exchange) {
    let mut parts = head(StatusCode::OK);
    parts.headers = headers;
    exchange.response = Some(parts);
    exchange.response_body = Body::full(body);
}

/// A plugin failed whose policy is to reject: 500, 503 where it was only busy, or 504 where it was not
/// done within the exchange's time. The client does not learn why.
pub fn failed(failure: &Failure, exchange: &mut Exchange, completion: &mut Completion) {
    let detail = format!("plugin {}: {}", failure.plugin, failure.reason);
    let kind = match failure.is_too_late() {
        true => Kind::HttpResponseTimeout,
        false => Kind::ProxyInternalError,
    };
    let mut error = Error::new(kind, Side::Plugin, detail);
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

/// A plugin's hook failed. Where it gave up because of a peer's own body, that is the
/// client's fault; and where it was not done with that before the exchange's time was over, for a body
/// that does not come is waited for until then.
pub fn rejected(failure: &Failure, exchange: &mut Exchange, completion: &mut Completion) {
    let is_peers =
        |error: &Error| failure.reason == "error" || failure.is_too_late() && error.status() == 408;
    match exchange.peer_error.take().filter(is_peers) {
        Some(error) => answer(error, exchange, completion),
        None => failed(failure, exchange, completion),
    }
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
        Side::Downstream => error.detail(),
        Side::Upstream | Side::Proxy | Side::Plugin => error.kind.as_str(),
    };
    if form != Form::Grpc {
        // Another client may want to read it in another form (RFC 9110, 12.5.5).
        parts.headers.insert(VARY, HeaderValue::from_static("accept"));
    }
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
        Form::Html | Form::Xhtml => {
            let kind = match form {
                Form::Xhtml => "application/xhtml+xml; charset=utf-8",
                _ => "text/html; charset=utf-8",
            };
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            let heading = format!("{} {title}", status.as_u16());
            let detail = escape(detail);
            // Well-formed, so that it is both.
            Bytes::from(format!(
                "<!doctype html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n\
                 <head><meta charset=\"utf-8\"/><title>{heading}</title></head>\n\
                 <body>\n<h1>{heading}</h1>\n<p>{detail}</p>\n</body>\n</html>\n"
            ))
        }
        Form::Grpc => {
            parts.status = StatusCode::OK;
            parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            parts.headers.insert(grpc::STATUS, HeaderValue::from(grpc_status(error, status)));
            if let Ok(message) = HeaderValue::try_from(detail.replace(['%', '\r', '\n'], " ")) {
                parts.headers.insert(GRPC_MESSAGE, message);
            }
            Bytes::new()
        }
    };
    (parts, Body::full(body))
}

/// Text for a page: it may name what the client sent.
fn escape(text: &str) -> String {
    let mut page = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            _ => page.push(character),
        }
    }
    page
}

/// gRPC's own mapping from HTTP statuses (grpc/doc/http-grpc-status-mapping.md).
fn grpc_status(error: &Error, status: StatusCode) -> u16 {
    match status.as_u16() {
        // The time was the client's own, or the operator's: DEADLINE_EXCEEDED, not UNAVAILABLE.
        504 if error.kind == Kind::HttpResponseTimeout => grpc::DEADLINE_EXCEEDED,
        408 => grpc::DEADLINE_EXCEEDED,
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
