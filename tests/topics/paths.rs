//! What was matched is what is forwarded.

use weir_tests::{Origin, RawClient, Setup};

/// What a client asks for, and what arrives; empty: 400.
const PATHS: &[(&str, &str)] = &[
    ("/a%2fb", "/a%2Fb"),
    ("/a%2Fb", "/a%2Fb"),
    ("/%2e%2e/a", ""),
    ("/a/%2e%2e/b", "/b"),
    ("/a/%2E%2e/../b", ""),
    ("/a/./b/../c", "/a/c"),
    ("/..", ""),
    ("/a/..", "/"),
    ("//", "//"),
    ("/a//b", "/a//b"),
    ("//evil.example/a", "//evil.example/a"),
    ("/a;b=c/d", "/a;b=c/d"),
    ("/a/..;/b", ""),
    ("/a%3bb", "/a%3Bb"),
    ("/a/..%2fb", ""),
    ("/a/..%5cb", ""),
    ("/a\\b", ""),
    ("/a%5cb", "/a%5Cb"),
    ("/%41%7e%62", "/A~b"),
    ("/%00", ""),
    ("/%zz", ""),
    ("/%4", ""),
    ("/\u{fc}", "/%C3%BC"),
    ("/%C3%BC", "/%C3%BC"),
    ("/?\u{fc}", "/?%C3%BC"),
    ("/\"<>`{}^|", "/%22%3C%3E%60%7B%7D%5E%7C"),
    ("/?\"<>", "/?%22%3C%3E"),
    ("/?`{}^|'", "/?`{}^|'"),
    ("http://a/\u{fc}?\u{fc}", "/%C3%BC?%C3%BC"),
    ("/frag/#ment", ""),
    ("/?a#b", ""),
    ("http://a/#b", ""),
    ("http://a#b", ""),
    ("/%c3%bc", "/%C3%BC"),
    ("/a?b=../c", "/a?b=../c"),
    ("/a?b=%2f%zz", "/a?b=%2f%zz"),
    ("/a/../b?c", "/b?c"),
    ("/?", "/?"),
    ("http://a", "/"),
    ("http://a?x", "/?x"),
    ("http://a/b/../c", "/c"),
];

#[test]
fn a_path_arrives_in_its_normal_form_or_not_at_all() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (asked, arrives) in PATHS {
        let before = origin.seen().len();
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(format!("GET {asked} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let answer = client.answer();
        if arrives.is_empty() {
            assert_eq!(answer.status, 400, "{asked}: {}", answer.text());
            assert_eq!(origin.seen().len(), before, "{asked}");
        } else {
            assert_eq!(answer.status, 200, "{asked}: {}", answer.text());
            assert_eq!(origin.last().target, *arrives, "{asked}");
        }
    }
}

/// Bytes of another encoding than UTF-8 are what they are.
#[test]
fn latin_1_arrives_encoded() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    for pieces in [
        vec![&b"GET /\xfc?\xfc HTTP/1.1\r\nHost: a\r\n\r\n"[..]],
        vec![b"GET /\xfc?", b"\xfc HTTP/1.1\r\nHost: a\r\n\r", b"\n"],
    ] {
        for piece in pieces {
            client.send(piece);
        }
        assert_eq!(client.answer().status, 200);
        assert_eq!(origin.last().target, "/%FC?%FC");
    }
}

/// What HTTP/2's codec lets through is treated as HTTP/1.1's.
#[test]
fn http2_targets_are_spelled_the_same() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = weir_tests::frames::Frames::connect(proxy.address("web"));
    let paths = [
        ("/\u{fc}?\u{fc}", "/%C3%BC?%C3%BC"),
        ("/\"{}^|", "/%22%7B%7D%5E%7C"),
        ("/?`{}'", "/?`{}'"),
    ];
    for (stream, (asked, arrives)) in (1..).step_by(2).zip(paths) {
        let fields =
            [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", asked)];
        client.head(stream, true, &fields);
        assert_eq!(client.status(stream), 200, "{asked}");
        assert_eq!(origin.last().target, arrives, "{asked}");
    }
}

/// HTTP/2's codec would cut it off: the request is malformed instead (RFC 9113, 8.1.1).
#[test]
fn a_fragment_on_http2_resets_its_stream() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = weir_tests::frames::Frames::connect(proxy.address("web"));
    for (stream, path) in (1..).step_by(2).zip(["/frag/#ment", "/?a#b", "/a"]) {
        let fields =
            [(":method", "DELETE"), (":scheme", "http"), (":authority", "a"), (":path", path)];
        client.head(stream, true, &fields);
        assert_eq!(client.status(stream), if path == "/a" { 200 } else { 0 }, "{path}");
    }
    assert_eq!(origin.seen().len(), 1);
}

/// The codec refuses them by itself; SECURITY.md says so.
#[test]
fn what_is_no_target_on_http2_resets_its_stream() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = weir_tests::frames::Frames::connect(proxy.address("web"));
    let paths = ["/a<b", "/a>b", "/a`b", "/?a<b", "/?a>b", "/?a\"b", "/fine"];
    for (stream, path) in (1..).step_by(2).zip(paths) {
        let fields =
            [(":method", "DELETE"), (":scheme", "http"), (":authority", "a"), (":path", path)];
        client.head(stream, true, &fields);
        assert_eq!(client.status(stream), if path == "/fine" { 200 } else { 0 }, "{path}");
    }
    assert_eq!(origin.seen().len(), 1);
}

/// No way of writing it leads around a route that would refuse it.
#[test]
fn what_a_route_guards_no_spelling_reaches() {
    let origin = Origin::echo();
    let toml = Setup::to(&origin).toml();
    let guarded = format!(
        "{toml}\n[routes.admin]\nmatch = {{ path = {{ prefix = \"/admin\" }} }}\nplugins = [\"no\"]\n\
         [plugins.no]\ncomponent = \"mock\"\nconfig = {{ status = 403 }}\n"
    );
    let proxy = weir_tests::Proxy::start(&guarded);
    for path in [
        "/admin",
        "/admin/",
        "/admin/x",
        "/%61dmin",
        "/%61%64%6d%69%6e/x",
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/./admin",
        "/admin/../admin",
        "http://a/admin",
        "/x/..;/admin",
        "/..%2fadmin",
        "/x/..%2fadmin",
        "/x/..%5cadmin",
        "/x\\..\\admin",
        "/admin%00",
        "/admin;x",
        "/admin%2fx",
    ] {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        let answer = client.answer();
        let arrived = origin.seen().pop().map(|seen| seen.target);
        let harmless = arrived.as_deref().is_none_or(|target| {
            // An endpoint that does not decode sees another path than `/admin`.
            matches!(target, "/admin;x" | "/admin%2Fx")
        });
        assert!(matches!(answer.status, 400 | 403) || harmless, "{path}: {arrived:?}");
    }
}

/// What endpoints may read as the guarded path is refused before a route is looked for.
const AMBIGUOUS: &[&str] = &[
    "/admin;x/y",
    "/admin;/y",
    "/admin%3bx/y",
    "//admin/y",
    "/admin//y",
    "/admin%2Fy",
    "/admin%2fy",
    "/admin%5Cy",
    "/admin%5cy",
    "/admin\\y",
    "/x/%2e%2e/admin/y",
    "/%2e/admin/y",
    "/x/.%2E/admin/y",
    "/admin%252Fy",
    "/%2561dmin/y",
    "/admin%3Fy",
    "/admin%23y",
    "/admin%0ay",
    "/admin%00y",
    "/x/..;/admin/y",
    "/x/..%2fadmin",
    "/x/%c0%ae%c0%ae/admin/y",
    "/x/..%c0%afadmin",
    "http://a//admin/y",
    // What comes before a guarded path may be climbed out of.
    "/a%2Fb/../admin%2Fy",
    "/a%2Fb/../admin;x/y",
    "/a%2Fb/..//admin/y",
    "/a%5Cb/../admin;/y",
    "/a%252Fb/../admin;/y",
    "/x%3F/../admin%2Fy",
    "/x%23/../admin;/y",
    // Who decodes once does not climb out of it.
    "/admin%2F%252e%252e%2Fy",
    "/admin%2F..%252fy",
    "/admin;/.%252e/y",
    "/admin;/%c0%ae%c0%ae/y",
    // Twice encoded only in the form that is forwarded.
    "/%25%36%31dmin/y",
    "//a/admin/y",
];

const PLAIN: &[&str] = &[
    "/open",
    "/open/",
    "/open/./x/../y",
    "/%6fpen",
    "/open?a=//b;c%2F..%2f",
    "/open/caf%C3%A9",
    "*",
];

/// A guarded prefix and an open route to one origin; lines for the listener and the two routes.
fn guarded(origin: &Origin, listener: &str, open: &str, admin: &str) -> weir_tests::Proxy {
    let toml = Setup::to(origin).listener(listener).route(open).toml();
    weir_tests::Proxy::start(&format!(
        "{toml}\n[routes.admin]\nmatch = {{ path = {{ prefix = \"/admin\" }} }}\n\
         plugins = [\"key-auth\"]\nupstream = \"origin\"\n{admin}\n\
         [plugins.key-auth]\ncomponent = \"key-auth\"\nconfig = {{ keys = [\"k\"] }}\n"
    ))
}

fn status(proxy: &weir_tests::Proxy, path: &str) -> u16 {
    let method = if path == "*" { "OPTIONS" } else { "GET" };
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(format!("{method} {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    client.answer().status
}

#[test]
fn strict_listeners_and_routes_refuse_what_endpoints_may_read_differently() {
    let strict = "path = \"strict\"";
    for (listener, open, admin) in [(strict, "", ""), ("", strict, ""), ("", "", strict)] {
        let origin = Origin::echo();
        let proxy = guarded(&origin, listener, open, admin);
        for path in AMBIGUOUS {
            let got = status(&proxy, path);
            // What takes the guarded route is the guard's to refuse, unless it is strict too.
            let is_guarded = open == strict && got == 401;
            assert!(got == 400 || is_guarded, "{listener} {open} {admin} {path}: {got}");
        }
        assert!(origin.seen().is_empty(), "{listener} {open} {admin}: {:?}", origin.seen());
        assert_eq!(status(&proxy, "/admin/y"), 401);
        for path in PLAIN {
            assert_eq!(status(&proxy, path), 200, "{listener} {open} {admin} {path}");
        }
        // Nothing of the open route's is refused where only the guarded one is strict.
        for path in ["/@scope%2Fname", "/x//y", "/x;y"] {
            let others = if admin == strict { 200 } else { 400 };
            assert_eq!(status(&proxy, path), others, "{listener} {open} {admin} {path}");
        }
        let h2 = http::Request::get("http://a//admin/y").body(bytes::Bytes::new());
        let answer = weir_tests::h2(proxy.address("web"), h2.expect("a request"));
        assert_eq!(answer.status, 400, "{listener} {open} {admin}");
        let targets: Vec<String> = origin.seen().into_iter().map(|seen| seen.target).collect();
        assert!(!targets.iter().any(|target| target.contains("admin")), "{targets:?}");
    }
}

/// The default stays: package registries and object stores need these.
#[test]
fn by_default_separators_as_data_and_empty_segments_pass() {
    let origin = Origin::echo();
    let proxy = guarded(&origin, "", "", "");
    for path in ["/@scope%2Fname", "/bucket//key", "/a;b=c/d", "/a%3Fb"] {
        assert_eq!(status(&proxy, path), 200, "{path}");
        assert_eq!(origin.last().target, path);
    }
}

#[test]
fn options_asterisk_passes() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(origin.last().target, "*");
    // In absolute form an empty path says the same (RFC 9112, 3.2.4), but "/" is a path.
    for (target, arrives) in [("http://a", "*"), ("http://a/", "/"), ("http://a?x", "/?x")] {
        client.send(format!("OPTIONS {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        assert_eq!(client.answer().status, 200, "{target}");
        assert_eq!(origin.last().target, arrives, "{target}");
    }
    // HTTP/1.0 need not name the host a second time.
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"OPTIONS http://a HTTP/1.0\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    let seen = origin.last();
    assert_eq!((&*seen.target, &seen.headers["host"]), ("*", &"a".parse().expect("a host")));
}

/// A later minor version is read as the last one that is known (RFC 9110, 2.5); another major one is
/// not spoken.
#[test]
fn other_versions() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (version, status) in [
        ("HTTP/1.2", 200),
        ("HTTP/1.9", 200),
        ("HTTP/2.0", 505),
        ("HTTP/3.0", 505),
        ("HTTP/0.9", 400),
        ("HTTP/1.10", 400),
        ("http/1.1", 400),
    ] {
        let mut client = RawClient::connect(proxy.address("web"));
        client.send(format!("GET /v {version}\r\nHost: a\r\n\r\n").as_bytes());
        assert_eq!(client.answer().status, status, "{version}");
    }
    assert_eq!(origin.seen().len(), 2);
}
