//! X-Forwarded-*, Forwarded and Via: who is believed, and what the endpoint is told.

use weir_tests::frames::Frames;
use weir_tests::{Origin, RawClient, Seen, Setup, request, skipped};

const CLAIMS: &[(&str, &str)] = &[
    ("host", "a.example:8080"),
    ("x-forwarded-for", "203.0.113.7"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-port", "443"),
    ("x-forwarded-prefix", "/evil"),
    ("x-real-ip", "203.0.113.7"),
    ("forwarded", "for=203.0.113.7;proto=https"),
    ("via", "1.0 fred"),
];

fn value<'a>(seen: &'a Seen, name: &str) -> Vec<&'a str> {
    seen.headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
}

#[test]
fn claims_of_an_untrusted_peer_are_replaced() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let address = proxy.address("web");
    request(address, "GET", "/", CLAIMS, b"");
    let seen = origin.last();
    assert_eq!(value(&seen, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(value(&seen, "x-forwarded-proto"), ["http"]);
    assert_eq!(value(&seen, "x-forwarded-host"), ["a.example:8080"]);
    assert_eq!(value(&seen, "x-forwarded-port"), [address.port().to_string()]);
    assert_eq!(value(&seen, "forwarded"), ["for=127.0.0.1;proto=http;host=\"a.example:8080\""]);
    assert!(value(&seen, "x-real-ip").is_empty() && value(&seen, "x-forwarded-prefix").is_empty());
    assert_eq!(value(&seen, "via").join(", "), "1.0 fred, 1.1 weir");
}

/// The same fields whether a plugin looked at the head or not, and over either version.
#[test]
fn what_is_added_is_the_same_for_plugins_and_over_http2() {
    let told = |seen: &Seen| {
        let names = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "via"];
        names.map(|name| value(seen, name).join(", "))
    };
    let plain =
        ["for=127.0.0.1;proto=http;host=a.example", "127.0.0.1", "http", "1.0 fred, 1.1 weir"];
    let looks = "{ request = { set = { x-seen = \"{request.header.Via}|{request.header.x-forwarded-for}\" } } }";
    let changes = "{ request = { remove = [\"X-Forwarded-Proto\"], rename = { forwarded = \"x-was\" }, \
                   add = { via = \"1.1 other\" }, set = { x-forwarded-for = \"10.0.0.1\" } } }";
    for (origin, version) in
        [(Origin::echo(), "http1"), (Origin::h2c(|_| Default::default()), "http2")]
    {
        let start = |config: Option<&str>| {
            let setup = Setup::to(&origin).upstream(&format!("protocol = {version:?}"));
            match config {
                None => setup.start(),
                Some(config) => setup.plugin("headers", config).start(),
            }
        };
        let ask = |proxy: &weir_tests::Proxy| {
            let fields =
                [("host", "a.example"), ("via", "1.0 fred"), ("x-forwarded-for", "1.1.1.1")];
            request(proxy.address("web"), "GET", "/", &fields, b"");
            origin.last()
        };
        assert_eq!(told(&ask(&start(None))), plain, "{version}");
        let seen = ask(&start(Some(looks)));
        assert_eq!(told(&seen), plain, "{version}");
        assert_eq!(value(&seen, "x-seen"), ["1.0 fred, 1.1 weir|127.0.0.1"], "{version}");
        let seen = ask(&start(Some(changes)));
        let changed = ["", "10.0.0.1", "", "1.0 fred, 1.1 weir, 1.1 other"];
        assert_eq!(told(&seen), changed, "{version}");
        assert_eq!(value(&seen, "x-was"), [plain[0]], "{version}");
    }
}

/// What is said of one request is not said of the next, though both came by one connection.
#[test]
fn each_request_of_a_connection_has_its_own() {
    let origin = Origin::echo();
    let setup = Setup::to(&origin);
    let proxy = setup.start();
    let mut client = RawClient::connect(proxy.address("web"));
    let mut ask = |head: &str| {
        client.send(head.as_bytes());
        assert_eq!(client.answer().status, 200, "{head}");
        let seen = origin.last();
        let names = ["x-forwarded-host", "forwarded", "via", "x-forwarded-for"];
        names.map(|name| value(&seen, name).join(", "))
    };
    let own = |host: &str, via: &str| {
        let forwarded = match host {
            "" => "for=127.0.0.1;proto=http".to_owned(),
            host => format!("for=127.0.0.1;proto=http;host={host}"),
        };
        [host.to_owned(), forwarded, via.to_owned(), "127.0.0.1".to_owned()]
    };
    for (version, fields, host, via) in [
        ("1.1", "host: a.example\r\n", "a.example", "1.1 weir"),
        ("1.1", "host: b.example\r\nvia: 1.0 fred\r\n", "b.example", "1.0 fred, 1.1 weir"),
        ("1.1", "host: b.example\r\n", "b.example", "1.1 weir"),
        ("1.0", "host: b.example\r\nconnection: keep-alive\r\n", "b.example", "1.0 weir"),
        ("1.0", "connection: keep-alive\r\n", "", "1.0 weir"),
        ("1.1", "host: a.example\r\nx-forwarded-for: 1.1.1.1\r\n", "a.example", "1.1 weir"),
    ] {
        let told = ask(&format!("GET / HTTP/{version}\r\n{fields}\r\n"));
        assert_eq!(told, own(host, via), "{version} {fields}");
    }
    let quiet = setup.toml().replace("[listeners.web]", "[listeners.web]\nvia = false");
    proxy.reload(&quiet).expect("loaded");
    assert_eq!(ask("GET / HTTP/1.1\r\nhost: a.example\r\n\r\n"), own("a.example", ""));
}

#[test]
fn a_trusted_peer_is_believed_and_appended_to() {
    let origin = Origin::echo();
    let config = "{ request = { set = { x-client = \"{client.address}\" } } }";
    let proxy = Setup::to(&origin)
        .server("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]")
        .plugin("headers", config)
        .start();
    request(proxy.address("web"), "GET", "/", CLAIMS, b"");
    let seen = origin.last();
    assert_eq!(value(&seen, "x-forwarded-for").join(", "), "203.0.113.7, 127.0.0.1");
    assert_eq!(value(&seen, "x-forwarded-proto"), ["https"]);
    assert_eq!(value(&seen, "x-forwarded-host"), ["evil.example"]);
    assert_eq!(
        value(&seen, "forwarded").join(", "),
        "for=203.0.113.7;proto=https;host=evil.example, \
         for=127.0.0.1;proto=http;host=\"a.example:8080\""
    );
    assert_eq!(value(&seen, "x-client"), ["203.0.113.7"]);
    for (claim, client) in [
        ("203.0.113.7, 10.1.1.1", "203.0.113.7"),
        ("203.0.113.7, 198.51.100.1, 10.1.1.1", "198.51.100.1"),
        ("nonsense, 10.1.1.1", "10.1.1.1"),
        ("nonsense", "127.0.0.1"),
        // Empty members are none, wherever they stand.
        ("203.0.113.7, ", "203.0.113.7"),
        ("203.0.113.7,,\t, 10.1.1.1 ,", "203.0.113.7"),
    ] {
        request(proxy.address("web"), "GET", "/", &[("x-forwarded-for", claim)], b"");
        assert_eq!(value(&origin.last(), "x-client"), [client], "{claim}");
    }
}

#[test]
fn without_claims_a_trusted_peer_is_the_client() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).server("trusted_proxies = [\"127.0.0.1\"]").start();
    request(proxy.address("web"), "GET", "/", &[], b"");
    let seen = origin.last();
    assert_eq!(value(&seen, "x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(value(&seen, "forwarded"), ["for=127.0.0.1;proto=http;host=localhost"]);
}

/// A list is all of its lines, whatever of them is empty.
#[test]
fn a_list_of_several_lines_names_the_client() {
    let origin = Origin::echo();
    let proxy = believing(&origin);
    for lines in [
        &[("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", "")][..],
        &[("x-forwarded-for", "203.0.113.7"), ("x-forwarded-for", " , 10.1.1.1,")],
        &[("x-forwarded-for", "198.51.100.1,"), ("x-forwarded-for", "203.0.113.7")],
        &[("forwarded", "for=203.0.113.7, ,"), ("forwarded", ",")],
        &[("forwarded", "for=203.0.113.7"), ("forwarded", "for=10.1.1.1, ")],
        &[("x-forwarded-for", ","), ("forwarded", "for=203.0.113.7")],
    ] {
        request(proxy.address("web"), "GET", "/", lines, b"");
        let seen = origin.last();
        assert_eq!(value(&seen, "x-client"), ["203.0.113.7"], "{lines:?}");
        for list in ["x-forwarded-for", "forwarded"] {
            let told = value(&seen, list);
            assert_eq!(told.len(), 1, "{lines:?}: {told:?}");
            assert!(told[0].contains("203.0.113.7") && told[0].contains("127.0.0.1"), "{told:?}");
            assert!(!told[0].contains(", ,") && !told[0].contains(",,"), "{told:?}");
        }
    }
}

/// Behind a TLS terminator that says no more than the scheme, a redirect to https comes to an end.
#[test]
fn a_scheme_alone_is_believed() {
    let origin = Origin::echo();
    let proxy = believing(&origin);
    let address = proxy.address("web");
    for (fields, scheme, port) in [
        (&[][..], "http", address.port()),
        (&[("x-forwarded-proto", "https")], "https", 443),
        (&[("x-forwarded-proto", "https"), ("x-forwarded-port", "8443")], "https", 8443),
        (&[("forwarded", "proto=https")], "https", 443),
        (&[("x-forwarded-proto", "http"), ("x-forwarded-host", "b.example:81")], "http", 81),
    ] {
        request(address, "GET", "/", fields, b"");
        let seen = origin.last();
        assert_eq!(value(&seen, "x-scheme"), [scheme], "{fields:?}");
        assert_eq!(value(&seen, "x-client"), ["127.0.0.1"], "{fields:?}");
        assert_eq!(value(&seen, "x-forwarded-proto"), [scheme], "{fields:?}");
        assert_eq!(value(&seen, "x-forwarded-port"), [port.to_string()], "{fields:?}");
    }
    let loops = Setup::to(&origin)
        .server("trusted_proxies = [\"127.0.0.0/8\"]")
        .plugin("redirect", "{ scheme = \"https\" }")
        .start();
    let ask = |fields| request(loops.address("web"), "GET", "/", fields, b"").status;
    assert_eq!(ask(&[]), 308);
    assert_eq!(ask(&[("x-forwarded-proto", "https")]), 200);
}

/// A proxy that writes `X-Forwarded-For` passes a client's own `Forwarded` on unchanged.
#[test]
fn the_list_that_does_not_decide_is_not_passed_on() {
    let origin = Origin::echo();
    let proxy = believing(&origin);
    let fields = [
        ("x-forwarded-for", "203.0.113.7"),
        ("forwarded", "for=6.6.6.6;proto=https;host=evil.example"),
        ("x-real-ip", "6.6.6.6"),
    ];
    request(proxy.address("web"), "GET", "/", &fields, b"");
    let seen = origin.last();
    assert_eq!(value(&seen, "x-client"), ["203.0.113.7"]);
    assert_eq!(value(&seen, "x-scheme"), ["http"]);
    assert_eq!(
        value(&seen, "forwarded"),
        ["for=203.0.113.7;proto=http;host=localhost, for=127.0.0.1;proto=http;host=localhost"]
    );
    assert!(value(&seen, "x-real-ip").is_empty());
}

/// Trust is taken away from a peer, and given to it, on the connection that it has open.
#[test]
fn trust_changes_on_open_connections() {
    let origin = Origin::echo();
    let toml = |proxies: &str| {
        Setup::to(&origin)
            .server(&format!("trusted_proxies = [{proxies}]"))
            .plugin("headers", "{ request = { set = { x-client = \"{client.address}\" } } }")
            .toml()
    };
    let proxy = weir_tests::Proxy::start(&toml("\"127.0.0.1\""));
    let mut client = RawClient::connect(proxy.address("web"));
    let mut h2 = Frames::connect(proxy.address("web"));
    let fields = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "a"),
        (":path", "/"),
        ("x-forwarded-for", "203.0.113.7"),
    ];
    let cases = [
        ("\"127.0.0.1\"", "203.0.113.7"),
        ("", "127.0.0.1"),
        ("\"127.0.0.0/8\"", "203.0.113.7"),
        ("\"10.0.0.0/8\"", "127.0.0.1"),
    ];
    for (stream, (proxies, believed)) in (1..).step_by(2).zip(cases) {
        proxy.reload(&toml(proxies)).expect("it is right");
        for version in ["HTTP/1.1", "HTTP/2"] {
            let before = origin.seen().len();
            let status = match version {
                "HTTP/2" => {
                    h2.head(stream, true, &fields);
                    h2.status(stream)
                }
                _ => {
                    client
                        .send(b"GET / HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 203.0.113.7\r\n\r\n");
                    client.answer().status
                }
            };
            assert_eq!((status, origin.seen().len()), (200, before + 1), "{version}, {proxies}");
            let seen = origin.last();
            assert_eq!(value(&seen, "x-client"), [believed], "{version}, {proxies}");
            let list = value(&seen, "x-forwarded-for").join(", ");
            assert_eq!(list.contains("203.0.113.7"), believed != "127.0.0.1", "{list}");
        }
    }
}

/// Believes the tests' own address and shows client and scheme as plugins see them.
fn believing(origin: &Origin) -> weir_tests::Proxy {
    let set = "{ x-client = \"{client.address}\", x-scheme = \"{request.scheme}\" }";
    Setup::to(origin)
        .server("trusted_proxies = [\"127.0.0.0/8\", \"10.0.0.0/8\"]")
        .plugin("headers", &format!("{{ request = {{ set = {set} }} }}"))
        .start()
}

/// IPv6 brackets are kept in Forwarded.
#[test]
fn an_ipv6_client_is_quoted_in_forwarded() {
    let origin = Origin::echo();
    let toml = Setup::to(&origin).toml().replace("127.0.0.1:0", "[::1]:0");
    let Ok(proxy) = weir_tests::Proxy::try_start(&toml) else {
        // A machine without IPv6 says so; nothing else may keep the listener from starting.
        assert!(std::net::TcpListener::bind("[::1]:0").is_err());
        return skipped("this machine has no IPv6");
    };
    request(proxy.address("web"), "GET", "/", &[], b"");
    let seen = origin.last();
    assert_eq!(value(&seen, "forwarded"), ["for=\"[::1]\";proto=http;host=localhost"]);
    assert_eq!(value(&seen, "x-forwarded-for"), ["::1"]);
}
