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

#[test]
fn options_asterisk_passes() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().status, 200);
    assert_eq!(origin.last().target, "*");
}
