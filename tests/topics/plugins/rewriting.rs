//! headers, rewrite, request-id, security-headers: what both sides see of the other.

use std::collections::HashSet;

use http::{HeaderValue, Response};
use http_body_util::Full;
use weir_tests::Origin;

use super::Setup;

/// Names the software behind it, and sets a header of its own.
fn talkative() -> Origin {
    Origin::answering(|_| {
        let mut response = Response::new(Full::new(bytes::Bytes::from_static(b"hi")));
        for (name, value) in
            [("server", "old/1.0"), ("x-powered-by", "magic"), ("cache-control", "max-age=5")]
        {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    })
}

#[test]
fn headers() {
    let setup = Setup::with_origin(
        "headers",
        r#"
[plugins.it.config.request]
set = { x-client = "{client.address}", x-route = "{route}", x-query = "{request.query.q}" }
remove = ["x-internal"]
rename = { x-token = "authorization" }
[plugins.it.config.response]
set_if_absent = { cache-control = "no-store", x-frame-options = "DENY" }
add = { link = ["</a.css>; rel=preload", "</b.js>; rel=preload"] }
remove = ["x-powered-by", "server"]
"#,
        talkative(),
    );
    let fields = [("x-client", "forged"), ("x-internal", "1"), ("x-token", "t")];
    let answer = setup.get("/?q=a%0Ab", &fields);
    assert_eq!(answer.status, 200);
    let seen = setup.origin.last();
    assert_eq!(seen.headers["x-client"], "127.0.0.1");
    assert_eq!(seen.headers["x-route"], "all");
    assert_eq!(seen.headers["x-query"], "a b");
    assert_eq!(seen.headers["authorization"], "t");
    assert!(!seen.headers.contains_key("x-internal") && !seen.headers.contains_key("x-token"));
    assert_eq!(answer.header("cache-control"), Some("max-age=5"));
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.headers.get_all("link").iter().count(), 2);
    assert!(answer.header("server").is_none() && answer.header("x-powered-by").is_none());
}

#[test]
fn rewrite() {
    let setup = Setup::new(
        "rewrite",
        r#"config = { strip_prefix = "/api/v1", host = "users.internal", query = { remove = ["utm"], set = { from = "{route}" } } }"#,
    );
    assert_eq!(setup.get("/api/v1/users?utm=x&a=b", &[]).status, 200);
    let seen = setup.origin.last();
    assert_eq!(seen.target, "/users?a=b&from=all");
    assert_eq!(seen.headers["host"], "users.internal");
    setup.get("/api/v1", &[]);
    assert_eq!(setup.origin.last().target, "/?from=all");
    setup.get("/api/v10", &[]);
    assert_eq!(setup.origin.last().target, "/api/v10?from=all", "whole segments only");

    let setup = Setup::new(
        "rewrite",
        r#"config = { regex = { pattern = '^/user/(?<id>[0-9]+)$', replace = '/users?id=$${id}' } }"#,
    );
    setup.get("/user/7?a=b", &[]);
    assert_eq!(setup.origin.last().target, "/users?id=7&a=b");
}

/// What a pattern may cost is settled with the configuration, so that no path costs it.
#[test]
fn a_pattern_that_a_path_could_keep_busy_is_refused() {
    let start = |component: &str, pattern: &str| {
        let config = match component {
            "cors" => format!("allow_origins = [{{ regex = '{pattern}' }}]"),
            _ => format!("regex = {{ pattern = '{pattern}', replace = '/' }}"),
        };
        weir_tests::Proxy::try_start(&format!(
            "[listeners.web]\nbind = \"127.0.0.1:0\"\n\
             [plugins.p]\ncomponent = \"{component}\"\nconfig = {{ {config} }}\n\
             [routes.all]\nplugins = [\"p\"]\n"
        ))
    };
    for (component, pattern) in [
        ("rewrite", "(?:[a-z]{0,60}[0-9]{0,60}){1,20}x"),
        ("redirect", "(?:[a-z]{0,60}[0-9]{0,60}){1,20}x"),
        ("cors", "(?:[a-z]{0,60}[0-9]{0,60}){1,20}x"),
        ("cors", &format!("(?:{})*b", ["a"; 1000].join("|"))),
        ("rewrite", &format!("(?:{})*b", ["a"; 240].join("|"))),
        ("rewrite", &format!("(?:{})b", ["a*"; 125].join("|"))),
        ("redirect", "(?:a?){100}b"),
        ("rewrite", "a{300}"),
    ] {
        let refused = start(component, pattern).err().expect("refused").to_string();
        assert!(refused.contains("is too large"), "{refused}");
    }
    // What people write.
    let id = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
    for pattern in [
        "^/(?<a>[a-z0-9-]{1,64})/(?<b>.*)$",
        &format!("^/o/({id})/u/({id})$"),
        "(?i)/(en|de|fr|es|it|pt|nl|pl|sv|da|fi|cs|hu|ro|bg|el|tr|ru|uk|ja|ko|zh)/",
    ] {
        for component in ["rewrite", "redirect", "cors"] {
            start(component, pattern).unwrap_or_else(|refused| panic!("{pattern}: {refused}"));
        }
    }
    // Near the largest that is allowed, against the paths that it takes longest for.
    let pattern = "a|[b-z]{0,40}[0-9]{0,40}!";
    let config = format!("config = {{ regex = {{ pattern = '{pattern}', replace = '/' }} }}");
    let setup = Setup::new("rewrite", &config);
    for (path, status) in [
        (format!("/{}", "b".repeat(2000)), 200),
        (format!("/{}", "b1".repeat(1000)), 200),
        (format!("/{}", "ab".repeat(100)), 414),
    ] {
        assert_eq!(setup.get(&path, &[]).status, status, "{}", path.len());
    }
}

/// The head grows by what the client sent: that is too large, and no fault of the plugin's.
#[test]
fn a_head_that_grows_beyond_its_limit_is_431() {
    let config = r#"config = { request = { set = { x-a = "{request.header.x-big}{request.header.x-big}" } } }"#;
    let setup = Setup::new("headers", config);
    let big = "x".repeat(60_000);
    assert_eq!(setup.get("/", &[("x-big", &big)]).status, 431);
    assert!(setup.origin.seen().is_empty(), "the upstream was asked");
    assert_eq!(setup.get("/", &[("x-big", "small")]).status, 200);
    assert_eq!(setup.origin.last().headers["x-a"], "smallsmall");
}

#[test]
fn request_id() {
    let setup = Setup::new("request-id", "");
    let mut ids = HashSet::new();
    for _ in 0..20 {
        let answer = setup.get("/", &[("x-request-id", "mine")]);
        let told = answer.header("x-request-id").expect("an identifier").to_owned();
        assert_eq!(setup.origin.last().headers["x-request-id"], told.as_str());
        assert_eq!((told.len(), &told[14..15]), (36, "7"), "a UUIDv7: {told}");
        assert!(ids.insert(told), "given twice");
    }
    let trusting = Setup::new(
        "request-id",
        r#"config = { trust = true, algorithm = "ulid", header = "x-id" }"#,
    );
    let answer = trusting.get("/", &[("x-id", "edge-1")]);
    assert_eq!(answer.header("x-id"), Some("edge-1"));
    let answer = trusting.get("/", &[("x-id", "a b")]);
    assert_eq!(answer.header("x-id").map(str::len), Some(26), "what is none is replaced");
}

#[test]
fn security_headers() {
    let setup = Setup::with_origin("security-headers", "", talkative());
    let answer = setup.get("/", &[]);
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("x-frame-options"), Some("SAMEORIGIN"));
    assert!(answer.header("content-security-policy").is_some());
    assert!(answer.header("strict-transport-security").is_none(), "only where TLS was spoken");
    assert!(answer.header("server").is_none() && answer.header("x-powered-by").is_none());

    let setup = Setup::with_origin(
        "security-headers",
        r#"config = { preset = "strict", referrer-policy = "same-origin", cross-origin-embedder-policy = false, keep = true }"#,
        talkative(),
    );
    let answer = setup.get("/", &[]);
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    assert!(answer.header("cross-origin-embedder-policy").is_none());
    assert_eq!(answer.header("cache-control"), Some("max-age=5"), "the upstream's own is kept");
}
