//! The last touches to a response: what body it has, how that is framed, and the fields that every
//! response of the proxy has.
//!
//! In: a head and a body, whoever made them: an endpoint, a plugin, the proxy itself. Out: the same
//! as the client's protocol may carry them. Never: asks who made it. This is the one place where a
//! response gets its body and its framing, so that HTTP/1.1 and HTTP/2 cannot differ.

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderValue, UPGRADE};
use http::response::Parts;
use http::{StatusCode, Version};
use hyper::ext::ReasonPhrase;
use weir_core::http::{Body, via};

use super::asked::Asked;
use super::completion::Completion;

const CLOSE: HeaderValue = HeaderValue::from_static("close");
const SWITCHES: HeaderValue = HeaderValue::from_static("upgrade");
const NOTHING: HeaderValue = HeaderValue::from_static("0");
const NO_REASON: ReasonPhrase = ReasonPhrase::from_static(b"");

/// Makes a response ready to be written. Gives the body that goes with it.
pub fn finish(parts: &mut Parts, body: Body, completion: &Completion) -> Body {
    // It stands in front, mostly: a look costs less than a hash.
    if !parts.headers.keys().any(|name| *name == DATE) {
        // A response has a date where whoever made it has a clock (RFC 9110, 6.6.1).
        parts.headers.insert(DATE, completion.worker.date());
    }
    if completion.asked.via {
        via::append(&mut parts.headers, parts.version);
    }
    // Ours, whatever the endpoint spoke (RFC 9110, 6.2).
    parts.version = Version::HTTP_11;
    if parts.status.canonical_reason().is_none() {
        parts.extensions.insert(NO_REASON);
    }
    connect(parts, completion);
    frame(parts, body, completion.asked)
}

/// What is said of the connection. HTTP/2 has other words for it.
fn connect(parts: &mut Parts, completion: &Completion) {
    let offers = match parts.status {
        StatusCode::SWITCHING_PROTOCOLS => true,
        StatusCode::UPGRADE_REQUIRED => parts.headers.contains_key(UPGRADE),
        _ => false,
    };
    if !completion.asked.is_http1() {
        if offers {
            parts.headers.remove(UPGRADE);
        }
        return;
    }
    if offers {
        parts.headers.append(CONNECTION, SWITCHES);
    }
    // What is left of the request's body would be taken for the next request (RFC 9112, 9.3).
    if completion.leaves_unread() {
        parts.headers.append(CONNECTION, CLOSE);
    }
}

/// Makes head and body agree (RFC 9110, 6.4.1 and 8.6).
fn frame(parts: &mut Parts, body: Body, asked: Asked) -> Body {
    match parts.status {
        StatusCode::SWITCHING_PROTOCOLS | StatusCode::NO_CONTENT => {
            parts.headers.remove(CONTENT_LENGTH);
            return Body::Empty;
        }
        // The length of what a GET would get is no length of this; to a HEAD nothing else is said.
        StatusCode::NOT_MODIFIED => {
            if !asked.is_head() {
                parts.headers.remove(CONTENT_LENGTH);
            }
            return Body::Empty;
        }
        // It says that there is nothing (15.3.6).
        StatusCode::RESET_CONTENT => {
            parts.headers.insert(CONTENT_LENGTH, NOTHING);
            return Body::Empty;
        }
        _ => {}
    }
    match &body {
        Body::Full(bytes) => {
            parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        }
        // The length of what another method, or another status, would have had.
        Body::Empty if !asked.is_head() && parts.headers.contains_key(CONTENT_LENGTH) => {
            parts.headers.insert(CONTENT_LENGTH, NOTHING);
        }
        _ => {}
    }
    // The fields are those of a GET (9.3.2).
    if asked.is_head() { Body::Empty } else { body }
}

#[cfg(test)]
mod tests {
    use http::{Method, Response};

    use super::*;

    fn framed(method: Method, status: u16, length: Option<&str>, body: Body) -> (String, u64) {
        let mut response = Response::builder().status(status);
        if let Some(length) = length {
            response = response.header(CONTENT_LENGTH, length);
        }
        let (mut parts, ()) = response.body(()).unwrap().into_parts();
        let body = frame(&mut parts, body, Asked::new(&method, Version::HTTP_2));
        let length = parts.headers.get(CONTENT_LENGTH).map_or("-", |value| value.to_str().unwrap());
        let size = match &body {
            Body::Empty => 0,
            Body::Full(bytes) => bytes.len() as u64,
            _ => 99,
        };
        (length.to_owned(), size)
    }

    #[test]
    fn head_and_body_agree_whoever_made_them() {
        let full = || Body::full("body");
        let stream = || Body::Stream(Box::pin(Body::full("body")));
        for (method, status, said, body, length, size) in [
            (Method::GET, 200, None, full(), "4", 4),
            (Method::GET, 200, Some("9"), full(), "4", 4),
            (Method::GET, 200, Some("4"), stream(), "4", 99),
            (Method::GET, 200, None, stream(), "-", 99),
            (Method::GET, 200, Some("9"), Body::Empty, "0", 0),
            (Method::GET, 200, Some("0"), Body::Empty, "0", 0),
            (Method::GET, 200, None, Body::Empty, "-", 0),
            (Method::HEAD, 200, None, full(), "4", 0),
            (Method::HEAD, 200, Some("9"), Body::Empty, "9", 0),
            (Method::HEAD, 200, Some("4"), stream(), "4", 0),
            (Method::HEAD, 404, None, full(), "4", 0),
            (Method::GET, 204, Some("4"), full(), "-", 0),
            (Method::GET, 304, Some("4"), stream(), "-", 0),
            (Method::HEAD, 304, Some("4"), Body::Empty, "4", 0),
            (Method::GET, 205, Some("4"), full(), "0", 0),
            (Method::GET, 205, None, Body::Empty, "0", 0),
        ] {
            let name = format!("{method} {status} {said:?} {body:?}");
            let got = framed(method, status, said, body);
            assert_eq!(got, (length.to_owned(), size), "{name}");
        }
    }
}
