use http::header::{HOST, TRAILER};

use super::*;

fn map(fields: &[(&str, &[u8])]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value).unwrap(),
        );
    }
    headers
}

/// What is left, as sorted `name: value` lines.
fn left(headers: &HeaderMap) -> Vec<String> {
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    lines.sort();
    lines
}

fn stripped(headers: &mut HeaderMap) {
    let found = Found::in_request(headers);
    strip_request(headers, found);
}

fn request(fields: &[(&str, &[u8])]) -> Vec<String> {
    let mut headers = map(fields);
    stripped(&mut headers);
    left(&headers)
}

fn response(fields: &[(&str, &[u8])]) -> Vec<String> {
    let mut headers = map(fields);
    let found = Found::in_response(&headers);
    strip_response(&mut headers, found);
    left(&headers)
}

#[test]
fn an_ordinary_request_is_left_as_it_is() {
    let fields: &[(&str, &[u8])] =
        &[("host", b"a"), ("accept", b"*/*"), ("x-long-name-of-a-client", b"1"), ("trailer", b"x")];
    assert_eq!(request(fields), left(&map(fields)));
    assert_eq!(response(fields), left(&map(fields)));
}

#[test]
fn hop_by_hop_fields_are_removed_both_ways() {
    for name in ALWAYS.iter() {
        let fields: &[(&str, &[u8])] = &[("host", b"a"), (name.as_str(), b"x")];
        assert_eq!(request(fields), ["host: a"], "{name}");
        assert_eq!(response(fields), ["host: a"], "{name}");
    }
}

#[test]
fn connection_tokens_are_removed_in_any_case_and_from_every_line() {
    let fields: &[(&str, &[u8])] = &[
        ("connection", b"Keep-Alive, X-One"),
        ("connection", b",, x-TWO ,close"),
        ("x-one", b"1"),
        ("x-one", b"1 again"),
        ("x-two", b"2"),
        ("x-three", b"3"),
    ];
    assert_eq!(request(fields), ["x-three: 3"]);
    assert_eq!(response(fields), ["x-three: 3"]);
}

#[test]
fn connection_tokens_cannot_remove_end_to_end_fields() {
    for name in [
        "host",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-anything",
        "x-real-ip",
        "forwarded",
        "via",
        "authorization",
        "cookie",
        "set-cookie",
        "content-length",
        "content-type",
        "cache-control",
        "trailer",
        "date",
    ] {
        let fields: &[(&str, &[u8])] = &[("connection", name.as_bytes()), (name, b"v")];
        let expected = [format!("{name}: v")];
        assert_eq!(request(fields), expected, "{name}");
        assert_eq!(response(fields), expected, "{name}");
    }
}

#[test]
fn connection_values_that_are_no_tokens_or_not_utf8_do_no_harm() {
    let fields: &[(&str, &[u8])] =
        &[("connection", b"\xff\xfe, x y, \"q\", x-one"), ("x-one", b"\xff"), ("x-two", b"\xff")];
    let mut headers = map(fields);
    stripped(&mut headers);
    assert_eq!(headers.len(), 1);
    assert_eq!(headers["x-two"].as_bytes(), b"\xff");
}

#[test]
fn te_trailers_stays_in_any_case_and_alone() {
    for (value, stays) in [
        ("trailers", true),
        ("Trailers", true),
        ("gzip;q=0.5, TRAILERS", true),
        ("trailers;q=0.5", true),
        ("gzip", false),
        ("trailersx", false),
        ("", false),
    ] {
        let left = request(&[("te", value.as_bytes()), ("connection", b"te")]);
        let expected: &[&str] = if stays { &["te: trailers"] } else { &[] };
        assert_eq!(left, expected, "{value:?}");
        assert!(response(&[("te", value.as_bytes())]).is_empty());
    }
}

#[test]
fn proxy_is_dropped_from_requests_only() {
    let fields: &[(&str, &[u8])] = &[("accept", b"x"), ("proxy", b"v")];
    assert_eq!(request(fields), ["accept: x"]);
    assert_eq!(response(fields).len(), 2);
}

#[test]
fn ambiguous_names_are_seen_in_requests() {
    for name in ["x_a", "x.a", "a_very_long_name_with_it", "a-very-long-name-without.", "_"] {
        let fields = [(HeaderName::from_static(name), HeaderValue::from_static("v"))];
        let headers: HeaderMap = fields.into_iter().collect();
        assert!(Found::in_request(&headers).has_ambiguous(), "{name}");
    }
}

#[test]
fn ambiguous_is_found_at_every_place_of_every_length() {
    for length in 1..40 {
        for byte in 0..=255u8 {
            for place in 0..length {
                let mut name = vec![b'-'; length];
                name[place] = byte;
                assert_eq!(is_ambiguous(&name), matches!(byte, b'_' | b'.'), "{name:?}");
            }
        }
    }
}

#[test]
fn upgrades_are_asked_for_properly_or_not_at_all() {
    let asks = |fields: &[(&str, &[u8])], version| {
        wants_upgrade(&map(fields), version).map(|value| value.as_bytes().to_vec())
    };
    let websocket: &[(&str, &[u8])] =
        &[("connection", b"keep-alive, Upgrade"), ("upgrade", b"WebSocket")];
    assert_eq!(asks(websocket, Version::HTTP_11), Some(b"WebSocket".to_vec()));
    assert_eq!(asks(websocket, Version::HTTP_10), None);
    assert_eq!(asks(websocket, Version::HTTP_2), None);
    let refused: &[&[(&str, &[u8])]] = &[
        &[("upgrade", b"websocket")],
        &[("connection", b"upgrade")],
        &[("connection", b"close"), ("upgrade", b"websocket")],
        &[("connection", b"upgraded"), ("upgrade", b"websocket")],
        &[("connection", b"upgrade"), ("upgrade", b"")],
        &[("connection", b"upgrade"), ("upgrade", b"h2c")],
        &[("connection", b"upgrade"), ("upgrade", b"websocket, H2C")],
        &[("connection", b"upgrade"), ("upgrade", b"websocket"), ("upgrade", b"other")],
    ];
    for fields in refused {
        assert_eq!(asks(fields, Version::HTTP_11), None, "{fields:?}");
    }
}

#[test]
fn constants_are_what_they_say() {
    assert_eq!(ALWAYS.len(), 8);
    for (bit, name) in ALWAYS.iter().enumerate() {
        assert_eq!(classify(name.as_str().as_bytes()), 1 << bit, "{name}");
    }
    assert_eq!(classify(b"proxy"), Found::PROXY);
    assert_eq!(classify(TRAILER.as_str().as_bytes()), Found::TRAILER);
    assert_eq!(classify(HOST.as_str().as_bytes()), 0);
}
