//! What can be told of a request that was refused before anybody read it.
//!
//! In: bytes that are no head, or not all of one; or a head that must go no further. Out: the method,
//! target, version and the few [`FIELDS`] that a refusal needs, as far as they can be made out. Never:
//! fails, or takes anything for certain: nothing of it is routed or forwarded.

use http::header::{
    ACCEPT, CONTENT_TYPE, HOST, HeaderName, HeaderValue, ORIGIN, REFERER, USER_AGENT,
};
use http::request::Parts;
use http::{HeaderMap, Method, Request, Uri, Version};

use super::target;

/// Methods are rarely longer; what is, is none.
const MAX_METHOD: usize = 32;
/// What the refusal's form, the log and the plugins that add to a refusal need.
const FIELDS: [HeaderName; 6] = [HOST, ACCEPT, CONTENT_TYPE, ORIGIN, REFERER, USER_AGENT];

/// Looks at a refused head. The method of one that has none is `-`, and its target has no path.
pub fn glimpse(raw: &[u8]) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    let mut lines = raw.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
    let line = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let method = words.next().filter(|word| word.len() <= MAX_METHOD).unwrap_or_default();
    parts.method = Method::from_bytes(method).unwrap_or_else(|_| none());
    parts.uri = words.next().map_or_else(nowhere, path);
    let is_old = words.next_back().is_some_and(|word| word == b"HTTP/1.0");
    parts.version = if is_old { Version::HTTP_10 } else { Version::HTTP_11 };
    for line in lines.take_while(|line| !line.is_empty()) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        let known =
            FIELDS.iter().find(|known| name.eq_ignore_ascii_case(known.as_str().as_bytes()));
        if let (Some(name), Ok(value)) = (known, HeaderValue::from_bytes(value)) {
            parts.headers.entry(name).or_insert(value);
        }
    }
    parts
}

/// The same of a head that was read: all that may be shown of a request that was not made safe. It asks
/// for a path, or for `/` where there is none to be made out.
pub fn reduced(head: &Parts) -> Parts {
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = head.method.clone();
    parts.version = head.version;
    let target = head.uri.path_and_query();
    parts.uri = target.map_or(Uri::from_static("/"), |target| Uri::from(target.clone()));
    let known =
        FIELDS.iter().filter_map(|name| Some((name.clone(), head.headers.get(name)?.clone())));
    parts.headers = HeaderMap::from_iter(known);
    parts
}

fn none() -> Method {
    Method::from_bytes(b"-").unwrap_or(Method::GET)
}

/// A URI without a path.
fn nowhere() -> Uri {
    Uri::from_static("-")
}

/// The path and query of a target, made into such where they are none.
fn path(target: &[u8]) -> Uri {
    let uri = Uri::try_from(&*target::encode(target)).ok();
    let path = uri.and_then(|uri| uri.into_parts().path_and_query);
    path.map_or_else(nowhere, Uri::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_made_out_is() {
        for (raw, method, path, version) in [
            (&b"GET /a#b HTTP/1.1\r\nHost : a\r\n"[..], "GET", Some("/a%23b"), Version::HTTP_11),
            (b"POST /\xfc HTTP/1.0\r\nHost: a\r\n\r\n", "POST", Some("/%FC"), Version::HTTP_10),
            (b"\r\nGET  http://a/b HTTP/1.1\nhost:a", "GET", Some("/b"), Version::HTTP_11),
            (b"GET", "GET", None, Version::HTTP_11),
            (b"\x16\x03\x01\x02\x00", "-", None, Version::HTTP_11),
            (b"", "-", None, Version::HTTP_11),
        ] {
            let parts = glimpse(raw);
            assert_eq!(parts.method, method, "{}", raw.escape_ascii());
            let seen = parts.uri.path_and_query().map(|path| path.as_str());
            assert_eq!(seen, path, "{}", raw.escape_ascii());
            assert_eq!(parts.version, version, "{}", raw.escape_ascii());
            let host = parts.headers.get(HOST);
            assert_eq!(host.is_some(), raw.to_ascii_lowercase().windows(4).any(|w| w == b"host"));
        }
    }

    #[test]
    fn nothing_else_of_a_head_is_shown() {
        let head = Request::builder().method("PUT").uri("http://a/x?y").header(ORIGIN, "http://b");
        let (head, ()) = head.header("x-own", "1").body(()).unwrap().into_parts();
        let parts = reduced(&head);
        assert_eq!((parts.method.as_str(), parts.uri.to_string().as_str()), ("PUT", "/x?y"));
        assert_eq!(
            (parts.headers.len(), &parts.headers[ORIGIN]),
            (1, &"http://b".parse().unwrap())
        );
        assert_eq!(reduced(&glimpse(b"GET")).uri, "/");
    }

    #[test]
    fn fields_behind_the_head_are_none_of_its() {
        let parts = glimpse(b"GET / HTTP/1.1\r\nAccept: text/html\r\nAccept: b\r\n\r\nHost: c\r\n");
        assert_eq!(parts.headers.len(), 1);
        assert_eq!(parts.headers[ACCEPT], "text/html");
    }
}
