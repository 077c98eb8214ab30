//! What tells a gRPC call from another request (PROTOCOL-HTTP2.md of gRPC).
//!
//! In: a request's fields. Out: whether gRPC is spoken, and how long its client waits. Never: looks
//! at messages.

use std::time::Duration;

use http::header::{CONTENT_TYPE, TE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Version};

/// How a call ended, in its trailers.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// Its time was over, as gRPC numbers it.
pub const DEADLINE_EXCEEDED: u16 = 4;

const MEDIA_TYPE: &[u8] = b"application/grpc";
const TIMEOUT: &str = "grpc-timeout";

/// Whether gRPC is spoken: `application/grpc`, perhaps with a suffix or parameters. There are other
/// media types that only begin so.
pub fn is_spoken(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return false };
    let Some((kind, rest)) = kind.as_bytes().split_at_checked(MEDIA_TYPE.len()) else {
        return false;
    };
    kind.eq_ignore_ascii_case(MEDIA_TYPE) && matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// Whether the request is a gRPC call, which may take its client's time: as the protocol has it, and
/// not merely a media type, which anybody may write to be waited for. `TE` is as
/// [`strip_request`](super::hop::strip_request) leaves it.
pub fn is_call(request: &Parts) -> bool {
    request.version >= Version::HTTP_2
        && request.method == Method::POST
        && request.headers.get(TE).is_some_and(|te| te == "trailers")
        && is_spoken(&request.headers)
}

/// How long the client waits for all of the call: one to eight digits and a unit. What cannot be
/// read says nothing.
pub fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let legal = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let count: u64 = digits.parse().ok().filter(|_| legal)?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn with(name: &'static str, value: &'static str) -> HeaderMap {
        [(http::HeaderName::from_static(name), HeaderValue::from_static(value))]
            .into_iter()
            .collect()
    }

    #[test]
    fn what_only_begins_like_it_is_another_media_type() {
        for (kind, is) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/gRPC; v=1", true),
            ("application/grpcfoo", false),
            ("application/grpc-web", false),
            ("application/grp", false),
        ] {
            assert_eq!(is_spoken(&with("content-type", kind)), is, "{kind}");
        }
    }

    #[test]
    fn a_call_is_one_by_all_that_the_protocol_wants() {
        let call = |method: Method, version: Version, te: Option<&'static str>, kind| {
            let mut request = http::Request::new(());
            *request.method_mut() = method;
            *request.version_mut() = version;
            *request.headers_mut() = with("content-type", kind);
            if let Some(te) = te {
                request.headers_mut().insert(TE, HeaderValue::from_static(te));
            }
            is_call(&request.into_parts().0)
        };
        let (te, kind) = (Some("trailers"), "application/grpc");
        assert!(call(Method::POST, Version::HTTP_2, te, kind));
        assert!(!call(Method::POST, Version::HTTP_11, te, kind));
        assert!(!call(Method::GET, Version::HTTP_2, te, kind));
        assert!(!call(Method::POST, Version::HTTP_2, None, kind));
        assert!(!call(Method::POST, Version::HTTP_2, te, "text/event-stream"));
    }

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        for (text, millis) in [
            ("1H", Some(3_600_000)),
            ("2M", Some(120_000)),
            ("3S", Some(3_000)),
            ("00000100m", Some(100)),
            ("5000u", Some(5)),
            ("7000000n", Some(7)),
            ("123456789S", None),
            ("S", None),
            ("", None),
            ("+1S", None),
            ("1s", None),
            ("1.5S", None),
        ] {
            let got = timeout(&with("grpc-timeout", text)).map(|waits| waits.as_millis());
            assert_eq!(got, millis, "{text}");
        }
    }
}
