//! `Max-Forwards` (RFC 9110, section 7.6.2): how far an OPTIONS or a TRACE goes.
//!
//! In: a request as it was received. Out: the same with one hop less, or what its final recipient
//! answers. Never: looks at another method's field, or shows in a TRACE what a script must not read.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, MAX_FORWARDS, PROXY_AUTHORIZATION};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};

use super::field_line;
use crate::error::{Error, Result};

/// What the final recipient of a request answers with 200.
pub struct Final {
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Counts this hop. `Some`: there are none left, so the request must not be forwarded. A value that
/// is no number is passed on as it is, and one that is too large as the largest.
///
/// # Errors
/// 400 for a field of several lines or members: whichever counts here, another one may count behind us.
pub fn count(parts: &mut Parts) -> Result<Option<Box<Final>>> {
    if !matches!(parts.method, Method::OPTIONS | Method::TRACE) {
        return Ok(None);
    }
    let mut lines = parts.headers.get_all(MAX_FORWARDS).iter();
    let Some(field) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(Error::request(400, "there is more than one Max-Forwards"));
    }
    if field.as_bytes().contains(&b',') {
        return Err(Error::request(400, "there is more than one Max-Forwards"));
    }
    let digits = std::str::from_utf8(field.as_bytes()).unwrap_or_default();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(None);
    }
    // Of what is more than we can count to, it is the most that we can.
    match digits.parse::<u64>().or(if digits.is_empty() { Err(()) } else { Ok(u64::MAX) }) {
        Ok(0) => Ok(Some(Box::new(answer(parts)))),
        Err(()) => Ok(None),
        Ok(left) => {
            parts.headers.insert(MAX_FORWARDS, HeaderValue::from(left - 1));
            Ok(None)
        }
    }
}

/// TRACE shows the request as it came here (RFC 9110, 9.3.8); OPTIONS has nothing to add.
fn answer(parts: &Parts) -> Final {
    let mut headers = HeaderMap::new();
    if parts.method != Method::TRACE {
        return Final { headers, body: Bytes::new() };
    }
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let mut text = format!("TRACE {target} {:?}\r\n", parts.version).into_bytes();
    if let Some(authority) = parts.uri.authority().filter(|_| !parts.headers.contains_key(HOST)) {
        text.extend_from_slice(format!("host: {authority}\r\n").as_bytes());
    }
    for (name, value) in &parts.headers {
        if ![AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION].contains(name) {
            field_line::write(&mut text, name, value);
        }
    }
    text.extend_from_slice(b"\r\n");
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("message/http"));
    Final { headers, body: text.into() }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn counted(method: Method, field: &str) -> (bool, Option<String>) {
        let request = Request::builder().method(method).header(MAX_FORWARDS, field);
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let ends = count(&mut parts).expect("one line").is_some();
        (ends, parts.headers.get(MAX_FORWARDS).map(|left| left.to_str().unwrap().to_owned()))
    }

    #[test]
    fn each_hop_counts_one() {
        for (method, field, ends, left) in [
            (Method::OPTIONS, "2", false, "1"),
            (Method::TRACE, "1", false, "0"),
            (Method::TRACE, "0", true, "0"),
            (Method::OPTIONS, "00", true, "00"),
            (Method::OPTIONS, "+1", false, "+1"),
            (Method::OPTIONS, "99999999999999999999", false, "18446744073709551614"),
            (Method::GET, "0", false, "0"),
        ] {
            let got = counted(method.clone(), field);
            assert_eq!(got, (ends, Some(left.to_owned())), "{method} {field}");
        }
    }

    #[test]
    fn several_lines_count_for_nothing_but_a_refusal() {
        for (method, refused) in
            [(Method::OPTIONS, true), (Method::TRACE, true), (Method::GET, false)]
        {
            let request = Request::builder().method(method.clone());
            let request = request.header(MAX_FORWARDS, "5").header(MAX_FORWARDS, "0");
            let (mut parts, ()) = request.body(()).unwrap().into_parts();
            assert_eq!(count(&mut parts).is_err(), refused, "{method}");
            // An earlier hop may have joined them.
            parts.headers.insert(MAX_FORWARDS, HeaderValue::from_static("5, 0"));
            assert_eq!(count(&mut parts).is_err(), refused, "{method}");
        }
    }
}
