//! Which fields may come after a body (RFC 9110, 6.5.1).
//!
//! In: a trailer field's name, or a frame that may hold trailers, of either side and either version.
//! Out: whether it is passed on, or what of it is. Never: merges one into the head.

use bytes::Bytes;
use http::HeaderName;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_TYPE, COOKIE, EXPECT, HOST, MAX_FORWARDS, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
    SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, WWW_AUTHENTICATE,
};

use http_body::Frame;

use super::ambiguous;

/// Fields that frame, route, authenticate or describe a message: whoever takes them from its end
/// has already acted without them.
const NEVER: [HeaderName; 19] = [
    AUTHORIZATION,
    CACHE_CONTROL,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_RANGE,
    CONTENT_TYPE,
    COOKIE,
    EXPECT,
    HOST,
    MAX_FORWARDS,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    SET_COOKIE,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    WWW_AUTHENTICATE,
];

/// The same, where the proxy itself says them or takes them out of a head: behind the body they
/// would pass for its word.
const OWN: [&str; 8] = [
    "date",
    "forwarded",
    "keep-alive",
    "proxy",
    "proxy-connection",
    "proxy-status",
    "traceparent",
    "via",
];
const OWN_PREFIXES: [&str; 2] = ["x-forwarded-", "x-real-"];

/// Whether a trailer of this name is passed on.
pub fn may_pass(name: &HeaderName) -> bool {
    let text = name.as_str();
    let own = OWN.contains(&text) || OWN_PREFIXES.iter().any(|prefix| text.starts_with(prefix));
    !own && !ambiguous::is_mistaken(text) && !NEVER.contains(name)
}

/// The frame without the trailers that are not passed on.
pub fn filter(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        let refused: Vec<_> = trailers.keys().filter(|name| !may_pass(name)).cloned().collect();
        for name in refused {
            trailers.remove(name);
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_head_is_made_of_does_not_come_after_it() {
        for (name, passes) in [
            ("x-checksum", true),
            ("server-timing", true),
            ("content-digest", true),
            ("grpc-status", true),
            ("content-length", false),
            ("set-cookie", false),
            ("host", false),
            ("x-forwarded-for", false),
            ("x-real-ip", false),
            ("via", false),
            ("x_forwarded_for", false),
            ("content.length", false),
            ("x_checksum", true),
            ("grpc.metadata", true),
            ("proxy", false),
        ] {
            assert_eq!(may_pass(&HeaderName::from_static(name)), passes, "{name}");
        }
    }
}
