use super::*;

fn networks() -> Vec<IpNet> {
    ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap()).to_vec()
}

fn client(address: &str) -> Client {
    Client::new(Some(format!("{address}:4711").parse().unwrap()), None)
}

fn map(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// What the next hop gets, as sorted `name: value` lines.
fn applied(peer: &Client, fields: &[(&'static str, &str)]) -> Vec<String> {
    let mut headers = map(fields);
    let own = ForwardedFields::new(peer, Some(8080), &networks());
    own.apply(&mut headers, &HeaderValue::from_static("a.example"));
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines
}

#[test]
fn an_untrusted_peer_is_told_as_it_is() {
    let expected = [
        "accept: */*",
        "forwarded: for=192.0.2.1;proto=http",
        "x-forwarded-for: 192.0.2.1",
        "x-forwarded-host: a.example",
        "x-forwarded-port: 8080",
        "x-forwarded-proto: http",
    ];
    assert_eq!(applied(&client("192.0.2.1"), &[("accept", "*/*")]), expected);
    // Whatever it says of itself is replaced, not appended to.
    let claims = [
        ("accept", "*/*"),
        ("forwarded", "for=1.1.1.1"),
        ("x-forwarded-for", "1.1.1.1"),
        ("x-forwarded-for", "2.2.2.2"),
        ("x-forwarded-host", "evil"),
        ("x-forwarded-port", "1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-ssl", "on"),
        ("x-forwarded", "x"),
        ("x-real-ip", "1.1.1.1"),
    ];
    assert_eq!(applied(&client("192.0.2.1"), &claims), expected);
}

#[test]
fn ipv6_has_brackets_in_forwarded_only() {
    let lines = applied(&client("[2001:db8::1]"), &[]);
    assert_eq!(lines[0], "forwarded: for=\"[2001:db8::1]\";proto=http");
    assert_eq!(lines[1], "x-forwarded-for: 2001:db8::1");
    let lines = applied(&client("[::ffff:192.0.2.1]"), &[]);
    assert_eq!(lines[1], "x-forwarded-for: 192.0.2.1");
}

#[test]
fn a_unix_socket_has_no_address() {
    let peer = Client { https: true, ..Client::new(None, None) };
    let lines = applied(&peer, &[("x-forwarded-for", "1.1.1.1")]);
    let expected = [
        "forwarded: for=unknown;proto=https",
        "x-forwarded-host: a.example",
        "x-forwarded-port: 8080",
        "x-forwarded-proto: https",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn a_trusted_peer_is_appended() {
    let rest = ["x-forwarded-host: b", "x-forwarded-port: 8080", "x-forwarded-proto: https"];
    let kept = [("x-forwarded-host", "b"), ("x-forwarded-proto", "https")];
    let peer = client("10.0.0.1");
    type Case = (&'static [(&'static str, &'static str)], &'static [&'static str]);
    let cases: &[Case] = &[
        (&[], &["forwarded: for=10.0.0.1;proto=http", "x-forwarded-for: 10.0.0.1"]),
        (&[("x-forwarded-for", "1.1.1.1")], &["x-forwarded-for: 1.1.1.1, 10.0.0.1"]),
        (
            &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "2.2.2.2")],
            &["x-forwarded-for: 1.1.1.1, 2.2.2.2, 10.0.0.1"],
        ),
        (&[("forwarded", "for=1.1.1.1")], &["forwarded: for=1.1.1.1, for=10.0.0.1;proto=http"]),
        (
            &[("forwarded", "for=x"), ("x-forwarded-for", "y")],
            &["forwarded: for=x, for=10.0.0.1;proto=http", "x-forwarded-for: y, 10.0.0.1"],
        ),
    ];
    for (lists, expected) in cases {
        let fields: Vec<(&'static str, &str)> = lists.iter().chain(&kept).copied().collect();
        let lines = applied(&peer, &fields);
        assert_eq!(lines, [*expected, &rest].concat(), "{lists:?}");
    }
    // A value that is no text goes on as it is.
    let mut headers = HeaderMap::new();
    headers.insert(X_FORWARDED_FOR, HeaderValue::from_bytes(b"\xff").unwrap());
    let own = ForwardedFields::new(&peer, None, &networks());
    own.apply(&mut headers, &HeaderValue::from_static(""));
    assert_eq!(headers[X_FORWARDED_FOR].as_bytes(), b"\xff, 10.0.0.1");
    assert!(!headers.contains_key(X_FORWARDED_HOST) && !headers.contains_key(X_FORWARDED_PORT));
}

#[test]
fn the_real_client_is_the_right_most_that_is_no_proxy() {
    type Case = (&'static [(&'static str, &'static str)], Option<(&'static str, u16, bool)>);
    let cases: &[Case] = &[
        (&[], None),
        (&[("x-forwarded-for", "192.0.2.1")], Some(("192.0.2.1", 0, false))),
        (&[("x-forwarded-for", "1.1.1.1, 192.0.2.1")], Some(("192.0.2.1", 0, false))),
        (&[("x-forwarded-for", "1.1.1.1, 192.0.2.1,10.9.9.9")], Some(("192.0.2.1", 0, false))),
        (
            &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "192.0.2.1 , 10.9.9.9")],
            Some(("192.0.2.1", 0, false)),
        ),
        (
            &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.9.9.9")],
            Some(("192.0.2.1", 0, false)),
        ),
        // All are proxies: the first one began it.
        (&[("x-forwarded-for", "10.1.1.1, 10.9.9.9")], Some(("10.1.1.1", 0, false))),
        // What cannot be read ends the search.
        (&[("x-forwarded-for", "192.0.2.1, junk, 10.9.9.9")], Some(("10.9.9.9", 0, false))),
        (&[("x-forwarded-for", "192.0.2.1, unknown")], None),
        (&[("x-forwarded-for", "192.0.2.1,")], None),
        (&[("x-forwarded-for", "")], None),
        (&[("x-forwarded-for", "192.0.2.1:99")], Some(("192.0.2.1", 99, false))),
        (&[("x-forwarded-for", "2001:db8::1")], Some(("2001:db8::1", 0, false))),
        (&[("x-forwarded-for", "[2001:db8::1]")], Some(("2001:db8::1", 0, false))),
        (&[("x-forwarded-for", "[2001:db8::1]:99")], Some(("2001:db8::1", 99, false))),
        (&[("x-forwarded-for", "::ffff:10.1.1.1")], Some(("10.1.1.1", 0, false))),
        (
            &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "http, HTTPS")],
            Some(("192.0.2.1", 0, true)),
        ),
        (
            &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-proto", "gopher")],
            Some(("192.0.2.1", 0, false)),
        ),
        // The list that more proxies know comes first.
        (
            &[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=1.1.1.1")],
            Some(("192.0.2.1", 0, false)),
        ),
        (&[("forwarded", "for=192.0.2.1")], Some(("192.0.2.1", 0, false))),
        (
            &[("forwarded", "for=1.1.1.1;proto=http, For=\"192.0.2.1:99\" ; PROTO=https;by=x")],
            Some(("192.0.2.1", 99, true)),
        ),
        (
            &[("forwarded", "for=\"[2001:db8::1]\";host=\"a,b;c\", for=\"[fd00::1]:9\"")],
            Some(("2001:db8::1", 0, false)),
        ),
        (
            &[("forwarded", "for=192.0.2.1"), ("forwarded", "for=10.1.1.1")],
            Some(("192.0.2.1", 0, false)),
        ),
        (
            &[("forwarded", "for=192.0.2.1, for=_hidden, for=10.1.1.1")],
            Some(("10.1.1.1", 0, false)),
        ),
        (&[("forwarded", "for=192.0.2.1, proto=https")], None),
        (&[("forwarded", "for=\"192.0.2.1")], None),
        (&[("forwarded", "for=\"1\\92.0.2.1\"")], Some(("192.0.2.1", 0, false))),
        (&[("forwarded", "192.0.2.1")], None),
        (&[("forwarded", "for=a\"b\"")], None),
        (&[("forwarded", "for=\"192.0.2.1\"x")], None),
    ];
    let peer = client("10.0.0.1");
    let own = ForwardedFields::new(&peer, Some(80), &networks());
    assert!(own.is_trusted());
    for (fields, expected) in cases {
        let found = own.client(&peer, &map(fields), &networks());
        let got = found.as_ref().map(|client| (&*client.address, client.port, client.https));
        assert_eq!(got, *expected, "{fields:?}");
    }
}

#[test]
fn an_untrusted_peer_speaks_for_nobody() {
    let peer = client("192.0.2.9");
    let own = ForwardedFields::new(&peer, Some(80), &networks());
    let headers = map(&[("x-forwarded-for", "1.1.1.1"), ("forwarded", "for=1.1.1.1")]);
    assert!(!own.is_trusted());
    assert_eq!(own.client(&peer, &headers, &networks()), None);
    // The default: nobody is trusted.
    assert!(!ForwardedFields::new(&client("10.0.0.1"), Some(80), &[]).is_trusted());
}

#[test]
fn values_of_a_connection_are_shared() {
    let own = ForwardedFields::new(&client("192.0.2.1"), Some(80), &[]);
    let (mut one, mut two) = (HeaderMap::new(), HeaderMap::new());
    own.apply(&mut one, &HeaderValue::from_static("a"));
    own.apply(&mut two, &HeaderValue::from_static("a"));
    assert_eq!(one, two);
    for (name, value) in &one {
        assert_eq!(value.as_bytes().as_ptr(), two[name].as_bytes().as_ptr(), "{name}");
    }
}
