mod kept;

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

fn trusted() -> TrustedProxies {
    TrustedProxies::new(1, &networks())
}

/// What the next hop gets of a request for `a.example`, as sorted `name: value` lines, and the
/// client that the peer speaks for: address, port, https.
fn passed(
    peer: &Client,
    fields: &[(&'static str, &str)],
) -> (Vec<String>, Option<(String, u16, bool)>) {
    let mut headers = map(fields);
    let own = ForwardedFields::new(peer, Some(8080));
    let host = HeaderValue::from_static("a.example");
    let (client, added) = own.apply(&mut headers, &host, peer, &trusted(), None);
    if let Some(added) = added {
        added.put(&mut headers);
    }
    let mut lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    (lines, client.map(|client| (client.address, client.port, client.https)))
}

fn applied(peer: &Client, fields: &[(&'static str, &str)]) -> Vec<String> {
    passed(peer, fields).0
}

#[test]
fn the_host_that_forwarded_says_is_told_in_every_form() {
    let lines =
        applied(&client("10.0.0.1"), &[("forwarded", "for=192.0.2.7;proto=https;host=h.example")]);
    for line in ["x-forwarded-host: h.example", "x-forwarded-port: 443"] {
        assert!(lines.iter().any(|told| told == line), "{lines:?}");
    }
    // What is no authority is none.
    let fields = [("forwarded", "for=192.0.2.7;proto=https;host=\"a b\"")];
    let lines = applied(&client("10.0.0.1"), &fields);
    assert!(lines.iter().any(|told| told == "x-forwarded-host: a.example"), "{lines:?}");
}

#[test]
fn an_untrusted_peer_is_told_as_it_is() {
    let expected = [
        "accept: */*",
        "forwarded: for=192.0.2.1;proto=http;host=a.example",
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
    assert_eq!(lines[0], "forwarded: for=\"[2001:db8::1]\";proto=http;host=a.example");
    assert_eq!(lines[1], "x-forwarded-for: 2001:db8::1");
    let lines = applied(&client("[::ffff:192.0.2.1]"), &[]);
    assert_eq!(lines[1], "x-forwarded-for: 192.0.2.1");
}

#[test]
fn a_unix_socket_has_no_address() {
    let peer = Client { https: true, ..Client::new(None, None) };
    let lines = applied(&peer, &[("x-forwarded-for", "1.1.1.1")]);
    let expected = [
        "forwarded: for=unknown;proto=https;host=a.example",
        "x-forwarded-host: a.example",
        "x-forwarded-port: 8080",
        "x-forwarded-proto: https",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn both_lists_go_on_and_agree() {
    let rest = ["x-forwarded-host: b", "x-forwarded-port: 443", "x-forwarded-proto: https"];
    let kept = [("x-forwarded-host", "b"), ("x-forwarded-proto", "https")];
    let peer = client("10.0.0.1");
    let own = "for=10.0.0.1;proto=http;host=a.example";
    type Case = (&'static [(&'static str, &'static str)], &'static str, &'static str);
    let cases: &[Case] = &[
        (&[], "for=10.0.0.1;proto=https;host=b", "10.0.0.1"),
        (
            &[("x-forwarded-for", "1.1.1.1")],
            "for=1.1.1.1;proto=https;host=b, OWN",
            "1.1.1.1, 10.0.0.1",
        ),
        // One line, without empty members.
        (
            &[("x-forwarded-for", "1.1.1.1,"), ("x-forwarded-for", ", 2.2.2.2 ,, 10.9.9.9")],
            "for=2.2.2.2;proto=https;host=b, for=10.9.9.9, OWN",
            "1.1.1.1, 2.2.2.2, 10.9.9.9, 10.0.0.1",
        ),
        (
            &[("forwarded", "for=1.1.1.1;proto=https")],
            "for=1.1.1.1;proto=https, OWN",
            "1.1.1.1, 10.0.0.1",
        ),
        (
            &[("forwarded", ", for=1.1.1.1,"), ("forwarded", "for=\"[2001:db8::1]\" ,")],
            "for=1.1.1.1, for=\"[2001:db8::1]\", OWN",
            "2001:db8::1, 10.0.0.1",
        ),
        // A proxy that writes one list passes a client's own other one on: it is replaced.
        (
            &[("forwarded", "for=6.6.6.6;host=evil"), ("x-forwarded-for", "1.1.1.1")],
            "for=1.1.1.1;proto=https;host=b, OWN",
            "1.1.1.1, 10.0.0.1",
        ),
        (
            &[("forwarded", "for=6.6.6.6"), ("x-forwarded-for", "y")],
            "for=10.0.0.1;proto=https;host=b",
            "y, 10.0.0.1",
        ),
        // A list of nothing is none.
        (
            &[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", " , ")],
            "for=1.1.1.1, OWN",
            "1.1.1.1, 10.0.0.1",
        ),
        // What is broken cannot swallow what stands behind it.
        (&[("forwarded", "for=\"1.1.1.1")], "for=10.0.0.1;proto=https;host=b", "10.0.0.1"),
        (
            &[("forwarded", "for=\"6.6.6.6"), ("forwarded", "for=1.1.1.1")],
            "for=1.1.1.1, OWN",
            "1.1.1.1, 10.0.0.1",
        ),
    ];
    for (lists, forwarded, list) in cases {
        let fields: Vec<(&'static str, &str)> = lists.iter().chain(&kept).copied().collect();
        let expected = [
            format!("forwarded: {}", forwarded.replace("OWN", own)),
            format!("x-forwarded-for: {list}"),
        ];
        let expected: Vec<_> =
            expected.iter().map(String::as_str).chain(rest).map(str::to_owned).collect();
        assert_eq!(applied(&peer, &fields), expected, "{lists:?}");
    }
    // A value that is no text goes on as it is.
    let mut headers = HeaderMap::new();
    headers.insert(X_FORWARDED_FOR, HeaderValue::from_bytes(b"\xff").unwrap());
    let own = ForwardedFields::new(&peer, None);
    own.apply(&mut headers, &HeaderValue::from_static(""), &peer, &trusted(), None);
    assert_eq!(headers[X_FORWARDED_FOR].as_bytes(), b"\xff, 10.0.0.1");
    assert!(!headers.contains_key(X_FORWARDED_HOST) && !headers.contains_key(X_FORWARDED_PORT));
}

#[test]
fn each_field_is_believed_by_itself() {
    let peer = client("10.0.0.1");
    let us = |https| Some(("10.0.0.1".to_owned(), 4711, https));
    type Case = (
        &'static [(&'static str, &'static str)],
        // host of `Forwarded`, X-Forwarded-Host, -Port, -Proto
        [&'static str; 4],
        bool,
    );
    let cases: &[Case] = &[
        (&[], ["a.example", "a.example", "8080", "http"], false),
        (&[("x-forwarded-proto", "https")], ["a.example", "a.example", "443", "https"], true),
        (
            &[("x-forwarded-proto", "http, HTTPS ,")],
            ["a.example", "a.example", "443", "https"],
            true,
        ),
        (&[("x-forwarded-proto", "wss")], ["a.example", "a.example", "443", "wss"], true),
        (&[("x-forwarded-proto", "http")], ["a.example", "a.example", "80", "http"], false),
        (&[("x-forwarded-proto", "gopher")], ["a.example", "a.example", "8080", "http"], false),
        (&[("x-forwarded-proto", "")], ["a.example", "a.example", "8080", "http"], false),
        (&[("x-forwarded-host", "b")], ["b", "b", "80", "http"], false),
        (&[("x-forwarded-host", "b:81")], ["\"b:81\"", "b:81", "81", "http"], false),
        (&[("x-forwarded-host", " ,")], ["a.example", "a.example", "8080", "http"], false),
        (&[("x-forwarded-host", "b\"c")], ["a.example", "b\"c", "80", "http"], false),
        (&[("x-forwarded-port", "444")], ["a.example", "a.example", "444", "http"], false),
        (
            &[("x-forwarded-port", "444"), ("x-forwarded-proto", "https")],
            ["a.example", "a.example", "444", "https"],
            true,
        ),
    ];
    for (fields, [forwarded, host, port, proto], https) in cases {
        let (lines, client) = passed(&peer, fields);
        let scheme = if *https { "https" } else { "http" };
        let expected = [
            format!("forwarded: for=10.0.0.1;proto={scheme};host={forwarded}"),
            "x-forwarded-for: 10.0.0.1".to_owned(),
            format!("x-forwarded-host: {host}"),
            format!("x-forwarded-port: {port}"),
            format!("x-forwarded-proto: {proto}"),
        ];
        assert_eq!(lines, expected, "{fields:?}");
        assert_eq!(client, https.then(|| us(true)).flatten(), "{fields:?}");
    }
    // `Forwarded` says it too, also where it hides the client; but not where the other list decides.
    for (fields, https) in [
        (&[("forwarded", "for=_hidden;proto=https")][..], true),
        (&[("forwarded", "proto=https")], true),
        (&[("forwarded", "for=1.1.1.1, for=10.9.9.9;proto=https")], false),
        (&[("forwarded", "for=1.1.1.1;proto=https"), ("x-forwarded-for", "2.2.2.2")], false),
        (&[("forwarded", "for=1.1.1.1"), ("x-forwarded-proto", "https")], true),
        (&[("forwarded", "for=1.1.1.1;proto=http"), ("x-forwarded-proto", "https")], false),
    ] {
        let (lines, client) = passed(&peer, fields);
        assert_eq!(client.is_some_and(|client| client.2), https, "{fields:?}");
        let proto = if https { "x-forwarded-proto: https" } else { "x-forwarded-proto: http" };
        assert!(lines.iter().any(|line| line == proto), "{fields:?}: {lines:?}");
    }
}

#[test]
fn an_x_real_ip_that_disagrees_goes_no_further() {
    let peer = client("10.0.0.1");
    for (fields, kept) in [
        (&[("x-real-ip", "1.1.1.1")][..], true),
        (&[("x-real-ip", "1.1.1.1"), ("x-forwarded-for", "1.1.1.1")], true),
        (&[("x-real-ip", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1")], false),
        (&[("x-real-ip", "6.6.6.6"), ("forwarded", "for=1.1.1.1")], false),
    ] {
        let lines = applied(&peer, fields);
        let has = lines.iter().any(|line| line.starts_with("x-real-ip"));
        assert_eq!(has, kept, "{fields:?}");
    }
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
        // Empty members are none (RFC 9110, 5.6.1).
        (&[("x-forwarded-for", "192.0.2.1,")], Some(("192.0.2.1", 0, false))),
        (&[("x-forwarded-for", "192.0.2.1, ,\t, 10.9.9.9, ")], Some(("192.0.2.1", 0, false))),
        (
            &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "")],
            Some(("192.0.2.1", 0, false)),
        ),
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
        (&[("forwarded", "for=192.0.2.1, ,"), ("forwarded", ",")], Some(("192.0.2.1", 0, false))),
        (
            &[("forwarded", "for=192.0.2.1, for=_hidden, for=10.1.1.1")],
            Some(("10.1.1.1", 0, false)),
        ),
        (&[("forwarded", "for=\"192.0.2.1")], None),
        (&[("forwarded", "for=\"1\\92.0.2.1\"")], Some(("192.0.2.1", 0, false))),
        (&[("forwarded", "192.0.2.1")], None),
        (&[("forwarded", "for=a\"b\"")], None),
        (&[("forwarded", "for=\"192.0.2.1\"x")], None),
    ];
    let peer = client("10.0.0.1");
    for (fields, expected) in cases {
        let (_, found) = passed(&peer, fields);
        let got = found.as_ref().map(|(address, port, https)| (&**address, *port, *https));
        assert_eq!(got, *expected, "{fields:?}");
    }
}

#[test]
fn an_untrusted_peer_speaks_for_nobody() {
    let claims = [("x-forwarded-for", "1.1.1.1"), ("x-forwarded-proto", "https")];
    let (_, client) = passed(&client("192.0.2.9"), &claims);
    assert_eq!(client, None);
}

#[test]
fn trust_is_that_of_the_configuration_that_serves() {
    let peer = client("10.0.0.1");
    let own = ForwardedFields::new(&peer, Some(80));
    // The default: nobody is trusted.
    for (generation, networks, expected) in
        [(1, vec![], false), (2, networks(), true), (3, vec![], false), (4, networks(), true)]
    {
        let trusted = TrustedProxies::new(generation, &networks);
        for _ in 0..2 {
            assert_eq!(own.is_trusted(&trusted), expected, "{generation}");
        }
    }
}
