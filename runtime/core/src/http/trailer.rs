//! Which fields may come after a body (RFC 9110, 6.5.1).
//!
//! In: trailers of either side and either version, and what the message's own head and chain rule out.
//! Out: those that are passed on, and a `Trailer` that names no others; or why they are malformed.
//! Never: merges one into the head.

use std::sync::Arc;

use bytes::Bytes;
use http::header::TRAILER;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;

use super::ambiguous::{self, Guarded};
use super::{hop, padding};

/// Fields that frame, route, modify, authenticate or describe a message, control what is done with it
/// or say who speaks: whoever takes them from its end has already acted without them. Sorted.
const NEVER: [&str; 57] = [
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "age",
    "allow",
    "alt-svc",
    "authentication-info",
    "cache-control",
    "cdn-cache-control",
    "clear-site-data",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-location",
    "content-range",
    "content-security-policy",
    "content-security-policy-report-only",
    "expires",
    "from",
    "http2-settings",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-event-id",
    "location",
    "origin",
    "origin-agent-cluster",
    "permissions-policy",
    "pragma",
    "prefer",
    "priority",
    "proxy",
    "range",
    "referer",
    "referrer-policy",
    "refresh",
    "retry-after",
    "server",
    "set-cookie",
    "status",
    "strict-transport-security",
    "surrogate-control",
    "timing-allow-origin",
    "tracestate",
    "user-agent",
    "vary",
    "warning",
    "www-authenticate",
    "x-content-type-options",
    "x-frame-options",
    "x-http-method-override",
    "x-original-url",
    "x-rewrite-url",
    "x-sendfile",
    "x-xss-protection",
];
const NEVER_PREFIXES: [&str; 5] =
    ["access-control-", "cross-origin-", "sec-", "x-accel-", "x-real-"];

/// gRPC's own: what an answer ends with, whatever tells of them.
const GRPC: &str = "grpc-";

/// What one message rules out beyond that.
#[derive(Debug, Default)]
pub struct Withheld {
    /// By `Connection`: it was for the last hop (RFC 9110, 7.6.1).
    pub nominated: Vec<HeaderName>,
    /// By the chain, which saw the head only: what it sets or checks there.
    pub guarded: Option<Arc<Guarded>>,
}

impl Withheld {
    pub fn may_pass(&self, name: &HeaderName) -> bool {
        may_pass(name) && !self.nominated.contains(name) && !self.is_guarded(name.as_str())
    }

    fn is_guarded(&self, name: &str) -> bool {
        let Some(guarded) = self.guarded.as_ref().filter(|_| !name.starts_with(GRPC)) else {
            return false;
        };
        ambiguous::canonical(name).is_none_or(|name| guarded.holds(&name))
    }

    /// The frame without the trailers that are not passed on.
    ///
    /// # Errors
    /// Why they are malformed.
    pub fn filter(&self, mut frame: Frame<Bytes>) -> Result<Frame<Bytes>, &'static str> {
        if let Some(trailers) = frame.trailers_mut() {
            // HTTP/1.1's are trimmed as they come in.
            if padding::has_padded_values(trailers) {
                return Err("a trailer's value begins or ends with white space");
            }
            let refused = trailers.keys().filter(|name| !self.may_pass(name));
            for name in refused.cloned().collect::<Vec<_>>() {
                trailers.remove(name);
            }
        }
        Ok(frame)
    }

    /// Takes out of `Trailer` what will not come.
    #[cold]
    pub fn announce(&self, headers: &mut HeaderMap) {
        let may_pass =
            |name: &&[u8]| HeaderName::from_bytes(name).is_ok_and(|name| self.may_pass(&name));
        let (mut announced, mut whole) = (Vec::new(), true);
        for name in headers.get_all(TRAILER).iter().flat_map(hop::members) {
            if may_pass(&name) { announced.push(name) } else { whole = false }
        }
        if whole {
            return;
        }
        let left = HeaderValue::from_bytes(&announced.join(&b", "[..]));
        headers.remove(TRAILER);
        if let Some(left) = left.ok().filter(|left| !left.is_empty()) {
            headers.insert(TRAILER, left);
        }
    }
}

/// Whether a trailer of this name is passed on, whatever message it ends.
pub fn may_pass(name: &HeaderName) -> bool {
    let Some(name) = ambiguous::canonical(name.as_str()) else {
        return !ambiguous::is_ambiguous(name.as_str().as_bytes());
    };
    !ambiguous::is_own(&name)
        && NEVER.binary_search(&&*name).is_err()
        && !NEVER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_head_is_made_of_does_not_come_after_it() {
        assert!(NEVER.is_sorted());
        for (name, passes) in [
            ("x-checksum", true),
            ("server-timing", true),
            ("content-digest", true),
            ("content-md5", true),
            ("etag", true),
            ("grpc-status", true),
            ("content-length", false),
            ("set-cookie", false),
            ("host", false),
            ("x-forwarded-for", false),
            ("x-real-ip", false),
            ("via", false),
            ("x_forwarded_for", false),
            ("content.length", false),
            ("set_cookie", false),
            ("x_checksum", true),
            ("grpc.metadata", true),
            ("proxy", false),
            ("proxy-status", false),
            ("te", false),
            ("date", false),
            ("location", false),
            ("age", false),
            ("expires", false),
            ("vary", false),
            ("server", false),
            ("retry-after", false),
            ("if-match", false),
            ("range", false),
            ("content-type", false),
            ("trailer", false),
            ("expect", false),
            ("max-forwards", false),
            ("authorization", false),
            ("www-authenticate", false),
            ("strict-transport-security", false),
            ("access-control-allow-origin", false),
            ("access_control_allow_origin", false),
            ("sec-fetch-site", false),
            ("x-request-id", false),
        ] {
            assert_eq!(may_pass(&HeaderName::from_static(name)), passes, "{name}");
        }
    }

    #[test]
    fn what_the_message_itself_rules_out_is_neither_passed_nor_announced() {
        let guarded = Some(Arc::new(Guarded::new(["X-User", "team", "grpc-status"])));
        let withheld = Withheld { nominated: vec![HeaderName::from_static("x-hop")], guarded };
        let mut trailers = HeaderMap::new();
        for name in ["x-user", "x_user", "team", "x-hop", "x-sum", "grpc-status", "age"] {
            trailers.insert(HeaderName::from_static(name), HeaderValue::from_static("1"));
        }
        let frame = withheld.filter(Frame::trailers(trailers)).expect("good ones");
        let trailers = frame.into_trailers().expect("some are left");
        let mut left: Vec<&str> = trailers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["grpc-status", "x-sum"]);
        for (said, left) in [
            ("x-sum", Some("x-sum")),
            ("x-sum,x-a", Some("x-sum,x-a")),
            ("X-Sum, Set-Cookie,, x-user, x-a", Some("X-Sum, x-a")),
            ("x-hop, team", None),
            ("a b", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(TRAILER, HeaderValue::from_static(said));
            withheld.announce(&mut headers);
            let got = headers.get(TRAILER).map(|value| value.to_str().expect("text"));
            assert_eq!(got, left, "{said}");
        }
    }

    #[test]
    fn white_space_around_a_value_is_malformed() {
        for value in [" b", "b ", "b\t", " "] {
            let mut trailers = HeaderMap::new();
            trailers.insert("x-a", HeaderValue::from_static(value));
            assert!(Withheld::default().filter(Frame::trailers(trailers)).is_err(), "{value:?}");
        }
    }
}
