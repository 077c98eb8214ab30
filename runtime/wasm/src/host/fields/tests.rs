use super::*;

const LIMITS: HeadLimits = HeadLimits { fields: 4, bytes: 40 };

fn line(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    legal_line(name, value.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error:?}"))
}

#[test]
fn fields_that_belong_to_the_proxy() {
    for name in [
        "connection",
        "Keep-Alive",
        "proxy-connection",
        "TE",
        "trailer",
        "transfer-encoding",
        "UPGRADE",
        "content-length",
        "Host",
    ] {
        assert!(matches!(legal_line(name, b"x"), Err(HeaderError::Forbidden)), "{name}");
        assert!(matches!(legal_name(name), Err(HeaderError::Forbidden)), "{name}");
    }
    for name in ["hosts", "x-te", "content-type", "via", "cookie", "trailers"] {
        assert!(legal_name(name).is_ok(), "{name}");
    }
}

#[test]
fn what_is_no_field() {
    for name in ["", "a b", "a:", "ä", "a\r\nb", "a\0"] {
        assert!(matches!(legal_name(name), Err(HeaderError::InvalidSyntax)), "{name:?}");
    }
    for value in [&b"a\r\nb"[..], b"a\nb", b"a\0b", b"\x7f"] {
        assert!(matches!(legal_line("x", value), Err(HeaderError::InvalidSyntax)), "{value:?}");
    }
    assert!(legal_line("x", b"\xff\xfe tab\t").is_ok(), "values are bytes");
}

#[test]
fn the_size_is_counted_as_it_changes() {
    let (mut headers, mut bytes) = (HeaderMap::new(), None);
    append(&mut headers, &mut bytes, LIMITS, line("a", "123")).expect("it fits");
    append(&mut headers, &mut bytes, LIMITS, line("A", "456")).expect("it fits");
    assert_eq!(bytes, Some(head_bytes(&headers)));
    set(&mut headers, &mut bytes, LIMITS, line("a", "9")).expect("it fits");
    assert_eq!((bytes, headers.len()), (Some(2), 1));
    remove(&mut headers, &mut bytes, &HeaderName::from_static("a"));
    set(&mut headers, &mut bytes, LIMITS, line("b", "")).expect("it fits");
    assert_eq!(bytes, Some(1));
}

#[test]
fn a_head_that_would_grow_too_large_is_left_as_it_was() {
    let (mut headers, mut bytes) = (HeaderMap::new(), None);
    set(&mut headers, &mut bytes, LIMITS, line("a", &"x".repeat(39))).expect("just fits");
    let full = headers.clone();
    for result in [
        set(&mut headers, &mut bytes, LIMITS, line("b", "")),
        append(&mut headers, &mut bytes, LIMITS, line("a", "")),
        set(&mut headers, &mut bytes, LIMITS, line("a", &"x".repeat(40))),
    ] {
        assert!(matches!(result, Err(HeaderError::SizeExceeded)));
    }
    assert_eq!(headers, full);
    set(&mut headers, &mut bytes, LIMITS, line("a", "1")).expect("smaller fits");
    for name in ["b", "c", "d"] {
        set(&mut headers, &mut bytes, LIMITS, line(name, "")).expect("it fits");
    }
    assert!(matches!(
        append(&mut headers, &mut bytes, LIMITS, line("e", "")),
        Err(HeaderError::SizeExceeded)
    ));
    set(&mut headers, &mut bytes, LIMITS, line("d", "x")).expect("no line more");
}
