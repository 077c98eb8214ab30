use weir_sdk::serde_json::{Value, from_str, json};
use weir_sdk::testing::{self, request};

use super::Rewrite;

type Proxy = testing::Plugin<Rewrite>;

/// Configuration, target, what the upstream gets.
const TARGETS: &[(&str, &str, &str)] = &[
    // strip_prefix: whole segments.
    (r#"{"strip_prefix":"/api/v1"}"#, "/api/v1/x", "/x"),
    (r#"{"strip_prefix":"/api/v1"}"#, "/api/v1/x?a=/api/v1/", "/x?a=/api/v1/"),
    (r#"{"strip_prefix":"/api/v1"}"#, "/api/v1", "/"),
    (r#"{"strip_prefix":"/api/v1"}"#, "/api/v1?a", "/?a"),
    (r#"{"strip_prefix":"/api/v1"}"#, "/api/v1/", "/"),
    (r#"{"strip_prefix":"/api/v1"}"#, "/api/v1/?a", "/?a"),
    (r#"{"strip_prefix":"/api/v1/"}"#, "/api/v1/x", "/x"),
    (r#"{"strip_prefix":"/api/v1"}"#, "/api/v10/x", "/api/v10/x"),
    (r#"{"strip_prefix":"/api/v1"}"#, "/x/api/v1/", "/x/api/v1/"),
    (r#"{"strip_prefix":"/api"}"#, "/api//evil.example/x?a", "/evil.example/x?a"),
    (r#"{"strip_prefix":"/api"}"#, "/api/x//y/", "/x//y/"),
    (r#"{"strip_prefix":"/api"}"#, "/api/x?", "/x?"),
    (r#"{"strip_prefix":"/api"}"#, "/api/%2Fx", "/%2Fx"),
    // add_prefix
    (r#"{"add_prefix":"/v2"}"#, "/x?a", "/v2/x?a"),
    (r#"{"add_prefix":"/v2/"}"#, "/", "/v2/"),
    (r#"{"strip_prefix":"/a","add_prefix":"/b"}"#, "/a/x", "/b/x"),
    (r#"{"strip_prefix":"/a","add_prefix":"/b"}"#, "/a", "/b/"),
    (r#"{"strip_prefix":"/a","add_prefix":"/b"}"#, "/c", "/b/c"),
    // regex, on what strip_prefix left, before add_prefix
    (r#"{"regex":{"pattern":"^/u/([0-9]+)$","replace":"/users/$1"}}"#, "/u/7?a", "/users/7?a"),
    (r#"{"regex":{"pattern":"^/u/([0-9]+)$","replace":"/users/$1"}}"#, "/u/x?a", "/u/x?a"),
    (r#"{"regex":{"pattern":"^/(?<a>[^/]+)/(?<b>.*)$","replace":"/${b}/$a"}}"#, "/x/y", "/y/x"),
    (r#"{"regex":{"pattern":"/+","replace":"/"}}"#, "/a//b///c?d//e", "/a/b/c?d//e"),
    (r#"{"regex":{"pattern":"^/x","replace":""}}"#, "/x/y", "/y"),
    (r#"{"regex":{"pattern":"^/x/","replace":""}}"#, "/x/y", "/y"),
    (r#"{"regex":{"pattern":"^/x","replace":""}}"#, "/x//y", "/y"),
    (r#"{"regex":{"pattern":".*","replace":"/all"}}"#, "/x?a", "/all?a"),
    (r#"{"regex":{"pattern":"^/u/(.+)$","replace":"/u?id=$1"}}"#, "/u/7", "/u?id=7"),
    (r#"{"regex":{"pattern":"^/u/(.+)$","replace":"/u?id=$1"}}"#, "/u/7?a", "/u?id=7&a"),
    (r#"{"regex":{"pattern":"^/u/(.+)$","replace":"/u?id=$1"}}"#, "/u/7?", "/u?id=7"),
    (
        r#"{"strip_prefix":"/a","regex":{"pattern":"^/b","replace":"/c"},"add_prefix":"/d"}"#,
        "/a/b",
        "/d/c",
    ),
    // query: what is not named stays byte for byte
    (r#"{"query":{"remove":["b"]}}"#, "/?a=%20+&b=1&&c=%zz&b", "/?a=%20+&&c=%zz"),
    (r#"{"query":{"remove":["b"]}}"#, "/?b=1", "/"),
    (r#"{"query":{"remove":["b"]}}"#, "/?a=b", "/?a=b"),
    (r#"{"query":{"remove":["b"]}}"#, "/", "/"),
    (r#"{"query":{"remove":["b"]}}"#, "/?", "/?"),
    (r#"{"query":{"remove":["b c"]}}"#, "/?b+c=1&b%20c=2&d", "/?d"),
    (r#"{"query":{"remove":[""]}}"#, "/?a&&=1&b", "/?a&&b"),
    (r#"{"query":{"remove":["c","a","b","a"]}}"#, "/?a=1&d=4&b=2&c=3&aa=5", "/?d=4&aa=5"),
    (r#"{"query":{"set":{"b":"2"}}}"#, "/?a=1&b=1&c=1&b=3", "/?a=1&b=2&c=1"),
    (r#"{"query":{"set":{"b":"2","a":"1","c":"3"}}}"#, "/?c=0&b=0&a=0&c", "/?c=3&b=2&a=1"),
    (r#"{"query":{"set":{"b":"2"}}}"#, "/?a=1", "/?a=1&b=2"),
    (r#"{"query":{"set":{"b":"2"}}}"#, "/", "/?b=2"),
    (r#"{"query":{"set":{"b":"2"}}}"#, "/?", "/?b=2"),
    (r#"{"query":{"set":{"b":"x&y=z#"}}}"#, "/?%62=1", "/?b=x%26y%3Dz%23"),
    (r#"{"query":{"set":{"b":"{client.address}/{route}"}}}"#, "/", "/?b=192.0.2.1%2Ftest"),
    (r#"{"query":{"set":{"b":"{request.query.a}"}}}"#, "/?a=%26c%3D1", "/?a=%26c%3D1&b=%26c%3D1"),
    (r#"{"query":{"add":{"b":"2","c d":"é"}}}"#, "/?b=1", "/?b=1&b=2&c%20d=%C3%A9"),
    (r#"{"query":{"remove":["b"],"set":{"c":"3"},"add":{"b":"2"}}}"#, "/?b=1", "/?c=3&b=2"),
    (
        r#"{"strip_prefix":"/a","query":{"set":{"was":"{request.path}"}}}"#,
        "/a/x",
        "/x?was=%2Fa%2Fx",
    ),
    // A host alone leaves the target alone.
    (r#"{"host":"up.example"}"#, "/x?a", "/x?a"),
];

fn proxy(config: &str) -> Proxy {
    Proxy::configure(from_str(config).unwrap()).unwrap()
}

#[test]
fn path_and_query_are_rewritten() {
    for (config, before, after) in TARGETS {
        let exchange = proxy(config).request(request("GET", before));
        assert_eq!(exchange.forwarded().path_with_query(), *after, "{config} {before}");
    }
}

#[test]
fn the_asterisk_form_has_no_path() {
    for config in [r#"{"add_prefix":"/v2"}"#, r#"{"query":{"set":{"a":"1"}}}"#] {
        let exchange = proxy(config).request(request("OPTIONS", "*"));
        assert_eq!(exchange.forwarded().path_with_query(), "*");
    }
}

#[test]
fn the_host_is_rewritten() {
    for (host, seen) in [
        ("up.example", "up.example"),
        ("up.example:8080", "up.example:8080"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("{request.header.x-tenant}.up.example", "a.up.example"),
        // What the exchange lacks leaves the host as it is.
        ("{request.header.x-none}.up.example", "example.com"),
    ] {
        let mut proxy = Proxy::configure(json!({ "host": host })).unwrap();
        let exchange = proxy.request(request("GET", "/").header("x-tenant", "a"));
        assert_eq!(exchange.forwarded().authority(), seen);
    }
}

#[test]
fn what_a_client_twists_is_its_own_mistake() {
    let climbing = r#"{"regex":{"pattern":"^/x(.*)$","replace":"/y/$1"}}"#;
    for target in ["/x../secret", "/x..", "/x./a"] {
        assert_eq!(proxy(climbing).request(request("GET", target)).reply().status, 400, "{target}");
    }
    let exchange = proxy(climbing).request(request("GET", "/x..a/b"));
    assert_eq!(exchange.forwarded().path_with_query(), "/y/..a/b");

    let mut host = proxy(r#"{"host":"{request.header.x-tenant}.up.example"}"#);
    for tenant in ["a/b", "a@b", "a b", "é"] {
        let exchange = host.request(request("GET", "/").header("x-tenant", tenant));
        assert_eq!(exchange.reply().status, 400, "{tenant}");
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_a_reason() {
    for (config, why) in [
        (json!({}), "nothing is rewritten"),
        (json!({ "query": {} }), "nothing is rewritten"),
        (json!({ "strip_prefix": "api" }), "`api` is no prefix of a path"),
        (json!({ "strip_prefix": "/" }), "is no prefix"),
        (json!({ "strip_prefix": "//a" }), "is no prefix"),
        (json!({ "add_prefix": "/a?b" }), "is no prefix"),
        (json!({ "add_prefix": "/a b" }), "is no prefix"),
        (json!({ "add_prefix": "/a/../b" }), "is no prefix"),
        (json!({ "regex": { "pattern": "(", "replace": "" } }), "is no regular expression"),
        (json!({ "regex": { "pattern": "a", "replace": "$1" } }), "uses the group `1`"),
        (json!({ "regex": { "pattern": "a", "replace": "a b" } }), "cannot be part of a path"),
        (json!({ "regex": { "pattern": "a", "replace": "/a#b" } }), "cannot be part of a path"),
        (json!({ "regex": { "pattern": "a" } }), "missing field `replace`"),
        (json!({ "host": "http://a" }), "is no host"),
        (json!({ "host": "" }), "is no host"),
        (json!({ "host": "{client.adress}" }), "unknown variable"),
        (json!({ "query": { "delete": ["a"] } }), "unknown field `delete`"),
    ] {
        let error = Proxy::configure(config.clone()).err().unwrap();
        assert!(error.to_string().contains(why), "{config}: {error}");
    }
    let schema: Value = Proxy::schema();
    assert!(schema["properties"]["regex"]["properties"]["pattern"].is_object());
}
