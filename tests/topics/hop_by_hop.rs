//! Hop-by-hop fields stay on their hop, in both directions; others cannot be taken away by them.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use tokio::io::AsyncWriteExt;
use weir_tests::{Origin, RawClient, Setup, read_head, request};

use crate::attacks::system::System;

/// A name, the fields sent, and what must be gone and must stay.
type Case = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
    &'static [&'static str],
);

/// A request's fields; the names that must not arrive; those that must.
const REQUESTS: &[Case] = &[
    (
        "tokens of Connection",
        &[("connection", "x-one, X-Two"), ("x-one", "1"), ("x-two", "2"), ("x-three", "3")],
        &["connection", "x-one", "x-two"],
        &["x-three"],
    ),
    (
        "the fields that are hop-by-hop by themselves",
        &[
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authorization", "Basic eDp5"),
            ("te", "gzip"),
            ("upgrade", "x"),
        ],
        &["keep-alive", "proxy-connection", "proxy-authorization", "te", "upgrade"],
        &[],
    ),
    ("Proxy (httpoxy)", &[("Proxy", "http://evil")], &["proxy"], &[]),
    (
        "names with _ or . that could be the proxy's own",
        &[("x_forwarded_for", "1"), ("content_length", "9"), ("x.y", "1"), ("api_key", "1")],
        &["x_forwarded_for", "content_length"],
        &["x.y", "api_key"],
    ),
    (
        "CVE-2024-45410: X-Forwarded-* cannot be removed",
        &[(
            "connection",
            "close, x-forwarded-for, x-forwarded-host, x-forwarded-proto, forwarded, via, host",
        )],
        &["connection"],
        &["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "via", "host"],
    ),
    (
        "credentials and lengths cannot be removed",
        &[
            ("connection", "authorization, cookie, content-length, content-type"),
            ("authorization", "Bearer x"),
            ("cookie", "a=b"),
            ("content-type", "text/plain"),
            ("content-length", "0"),
        ],
        &["connection"],
        &["authorization", "cookie", "content-type", "content-length"],
    ),
    (
        "tokens that are no names",
        &[("connection", ", ,, (, x y, x-one"), ("x-one", "1"), ("x-two", "1")],
        &["x-one"],
        &["x-two"],
    ),
];

#[test]
fn a_request_leaves_its_hop_behind() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (name, fields, gone, there) in REQUESTS {
        let answer = request(proxy.address("web"), "POST", "/", fields, b"");
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let seen = origin.last().headers;
        for field in *gone {
            assert!(!seen.contains_key(*field), "{name}: {field} arrived: {seen:?}");
        }
        for field in *there {
            assert!(seen.contains_key(*field), "{name}: {field} is missing: {seen:?}");
        }
    }
}

#[test]
fn te_arrives_as_trailers_and_nothing_else() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for (te, expected) in [
        ("trailers", Some("trailers")),
        ("TRAILERS", Some("trailers")),
        ("gzip, Trailers;q=0.5", Some("trailers")),
        ("gzip", None),
        ("xtrailers", None),
    ] {
        request(proxy.address("web"), "GET", "/", &[("te", te), ("connection", "te")], b"");
        let seen = origin.last();
        let arrived = seen.headers.get("te").and_then(|value| value.to_str().ok());
        assert_eq!(arrived, expected, "{te}");
    }
}

#[test]
fn a_value_that_is_not_utf_8_passes_and_harms_nothing() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let mut client = RawClient::connect(proxy.address("web"));
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: \xff\xfe, x-one\r\nX-One: 1\r\n");
    client.send(
        b"X-Two: \xff\xfe\r\nCookie: a=\xff\r\nAccept: \xff\r\nX-Forwarded-For: \xff\r\n\r\n",
    );
    assert_eq!(client.answer().status, 200);
    let seen = origin.last().headers;
    assert_eq!(seen["x-two"].as_bytes(), b"\xff\xfe");
    assert_eq!(seen["x-forwarded-for"], "127.0.0.1");
    assert!(!seen.contains_key("x-one"), "{seen:?}");
}

#[test]
fn a_response_leaves_its_hop_behind() {
    let origin = Origin::answering(|_| {
        Response::builder()
            .header("connection", "x-one, keep-alive, set-cookie")
            .header("keep-alive", "timeout=5")
            .header("proxy-authenticate", "Basic")
            .header("proxy-connection", "close")
            .header("upgrade", "h2c")
            .header("x-one", "1")
            .header("x-two", "2")
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .body(Full::new(Bytes::from_static(b"body")))
            .expect("a response")
    });
    let proxy = Setup::to(&origin).start();
    let answer = request(proxy.address("web"), "GET", "/", &[], b"");
    assert_eq!(answer.text(), "body");
    for gone in
        ["connection", "keep-alive", "proxy-authenticate", "proxy-connection", "upgrade", "x-one"]
    {
        assert!(answer.header(gone).is_none(), "{gone}: {answer:?}");
    }
    assert_eq!(answer.header("x-two"), Some("2"));
    assert_eq!(answer.headers.get_all("set-cookie").iter().count(), 2);
    assert_eq!(answer.header("via"), Some("1.1 weir"));
}

/// Stripped before plugins: one that copies a field finds none. And after: what a plugin sets
/// does not frame messages.
#[test]
fn plugins_see_no_hop_by_hop_field() {
    let origin = Origin::echo();
    let config = "{ request = { set = { x-copy = \"<{request.header.x-one}>\" } } }";
    let proxy = Setup::to(&origin).plugin("headers", config).start();
    let fields = [("connection", "x-one"), ("x-one", "1")];
    request(proxy.address("web"), "GET", "/", &fields, b"");
    assert_eq!(origin.last().headers["x-copy"], "<>");
}

/// TE is for the next hop, which is told so (RFC 9110, 10.1.4).
#[test]
fn te_goes_out_as_an_option_of_the_connection() {
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    let origin = Origin::raw(move |mut stream| {
        let seen = seen.clone();
        async move {
            let head = read_head(&mut stream).await;
            seen.lock().expect("not poisoned").push(String::from_utf8_lossy(&head).into_owned());
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
        }
    });
    let proxy = Setup::to(&origin).start();
    let fields = [("te", "trailers"), ("connection", "te")];
    assert_eq!(request(proxy.address("web"), "GET", "/", &fields, b"").status, 200);
    let head = heads.lock().expect("not poisoned").remove(0);
    assert!(head.contains("\r\nte: trailers\r\n"), "{head}");
    assert!(head.contains("\r\nconnection: te\r\n"), "{head}");
}

#[test]
fn max_forwards_counts_hops_for_options_and_trace_only() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    let ask = |method: &str, left: &str| {
        let fields = [("max-forwards", left), ("cookie", "secret"), ("x-own", "1")];
        request(proxy.address("web"), method, "/x", &fields, b"")
    };
    for (method, left, arrives) in [("OPTIONS", "3", "2"), ("TRACE", "1", "0"), ("GET", "0", "0")] {
        assert_eq!(ask(method, left).status, 200);
        assert_eq!(origin.last().headers["max-forwards"], arrives, "{method}");
    }
    let before = origin.seen().len();
    let options = ask("OPTIONS", "0");
    assert_eq!((options.status, options.body.len()), (200, 0));
    assert_eq!(options.header("content-length"), Some("0"));
    let trace = ask("TRACE", "0");
    assert_eq!((trace.status, trace.header("content-type")), (200, Some("message/http")));
    let text = trace.text();
    assert!(text.starts_with("TRACE /x HTTP/1.1\r\n") && text.contains("x-own: 1\r\n"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    assert_eq!(origin.seen().len(), before, "nothing was forwarded");
}

/// Whichever counts here, another may count behind.
#[test]
fn max_forwards_on_two_lines_is_refused() {
    let origin = Origin::echo();
    let proxy = Setup::to(&origin).start();
    for method in ["OPTIONS", "TRACE"] {
        let fields = [("max-forwards", "5"), ("max-forwards", "0")];
        assert_eq!(request(proxy.address("web"), method, "/", &fields, b"").status, 400);
    }
    assert!(origin.seen().is_empty());
}

/// Also those that only another route's match looks at.
#[test]
fn a_name_that_could_be_one_of_another_routes_match_is_dropped() {
    let origin = Origin::echo();
    let toml = Setup::to(&origin).toml();
    let other = format!(
        "[routes.beta]\nmatch.headers = {{ x-beta-z = \"1\" }}\nupstream = \"origin\"\n\
         [listeners.inner]\nbind = \"{}\"\n\
         [routes.inner]\nlisteners = [\"inner\"]\nmatch.headers = {{ x-inner-z = \"1\" }}\n\
         upstream = \"origin\"\n",
        weir_tests::free_address()
    );
    let proxy = weir_tests::Proxy::start(&format!("{toml}\n{other}"));
    let fields = [("X_Beta_Z", "1"), ("x.beta-z", "1"), ("x_inner_z", "1")];
    assert_eq!(request(proxy.address("web"), "GET", "/", &fields, b"").status, 200);
    let seen = origin.last().headers;
    let left: Vec<&str> =
        fields.iter().map(|(name, _)| *name).filter(|name| seen.contains_key(*name)).collect();
    assert_eq!(left, ["x_inner_z"], "{seen:?}");
}

/// Those of what the chain sets or checks, and no other; counted.
#[test]
fn a_name_that_could_be_one_of_the_chains_is_dropped() {
    let origin = Origin::echo();
    let setup = || {
        Setup::to(&origin)
            .plugin("headers", "{ request = { set = { x-user = \"nobody\" } } }")
            .plugin("key-auth", "{ keys = [\"k\"] }")
            .route("match = { headers = { x-tenant = \"1\" } }")
    };
    let fields = [
        ("x-api-key", "k"),
        ("x-tenant", "1"),
        ("x_user", "admin"),
        ("x.api_key", "j"),
        ("x_tenant", "2"),
        ("api_key", "stays"),
        ("x-amz-meta-a_b", "stays"),
    ];
    let proxy = setup().start();
    assert_eq!(request(proxy.address("web"), "GET", "/", &fields, b"").status, 200);
    let seen = origin.last().headers;
    for gone in ["x_user", "x.api_key", "x_tenant"] {
        assert!(!seen.contains_key(gone), "{gone}: {seen:?}");
    }
    assert_eq!(
        (&seen["x-user"], &seen["api_key"]),
        (&"nobody".parse().unwrap(), &"stays".parse().unwrap())
    );
    assert!(seen.contains_key("x-amz-meta-a_b"));
    let counted = r#"weir_request_fields_dropped_total{listener="web"}"#;
    assert_eq!(proxy.metric(counted), 3.0);
    let proxy = setup().listener("drop_ambiguous = \"all\"").start();
    assert_eq!(request(proxy.address("web"), "GET", "/", &fields, b"").status, 200);
    let seen = origin.last().headers;
    assert!(!seen.contains_key("api_key") && !seen.contains_key("x-amz-meta-a_b"), "{seen:?}");
    assert_eq!(proxy.metric(counted), 5.0);
}

/// Whoever wonders where a field went finds it in the log.
#[test]
fn a_dropped_field_is_told() {
    let origin = Origin::echo();
    let setup = Setup::to(&origin).plugin("key-auth", "{ keys = [\"k\"] }");
    let mut system = System::start(&setup);
    let fields = [("x-api-key", "k"), ("x.api_key", "j")];
    assert_eq!(request(system.web, "GET", "/", &fields, b"").status, 200);
    let line = system.daemon.wait_for_line("a request's field was dropped");
    for told in ["WARN", "\"listener\":\"web\"", "\"field\":\"x.api_key\""] {
        assert!(line.contains(told), "{told}: {line}");
    }
}

/// nginx compresses nothing that comes with a Via, unless it is told to.
#[test]
fn via_can_be_left_out() {
    let origin = Origin::echo();
    for (key, via) in
        [("", Some("1.1 weir")), ("via = true", Some("1.1 weir")), ("via = false", None)]
    {
        let proxy = Setup::to(&origin).listener(key).start();
        let answer = request(proxy.address("web"), "GET", "/", &[], b"");
        let seen = origin.last().headers;
        assert_eq!(answer.header("via"), via, "{key}");
        assert_eq!(seen.get("via").and_then(|via| via.to_str().ok()), via, "{key}");
    }
}

/// What a plugin sets that no configuration names is guarded once it is set.
#[test]
fn what_a_plugin_has_set_has_no_twin() {
    let origin = Origin::echo();
    let toml = format!(
        "[listeners.web]\nbind = \"127.0.0.1:0\"\n[plugins.sets]\ncomponent = \"{}\"\n\
         [routes.all]\nplugins = [\"sets\"]\nupstream = \"origin\"\n\
         [upstreams.origin]\nendpoints = [\"{}\"]\n",
        weir_tests::guest("faulty").display(),
        origin.url()
    );
    let proxy = weir_tests::Proxy::start(&toml);
    for (fault, stays) in [("", true), ("remove-host-quietly", false)] {
        let fields = [("x-fault", fault), ("x_changed", "by the client")];
        assert_eq!(request(proxy.address("web"), "GET", "/", &fields, b"").status, 200);
        let seen = origin.last().headers;
        assert_eq!(seen.contains_key("x_changed"), stays, "{fault}: {seen:?}");
        assert_ne!(seen.contains_key("x-changed"), stays, "{fault}: {seen:?}");
    }
}
