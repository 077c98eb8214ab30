use weir_sdk::serde_json::{from_str, json};
use weir_sdk::testing::{self, request};

use super::Redirect;

type Proxy = testing::Plugin<Redirect>;

/// Configuration, where the request went, where it is sent; `-` if it goes on.
const REDIRECTS: &[(&str, &str, &str)] = &[
    // scheme
    (r#"{"scheme":"https"}"#, "http://a.example/x?y=%20&z", "https://a.example/x?y=%20&z"),
    (r#"{"scheme":"https"}"#, "http://a.example:80/", "https://a.example/"),
    (r#"{"scheme":"https"}"#, "http://a.example:8080/", "https://a.example/"),
    (r#"{"scheme":"https"}"#, "http://[2001:db8::1]:8080/", "https://[2001:db8::1]/"),
    (r#"{"scheme":"https"}"#, "http://[2001:db8::1]/", "https://[2001:db8::1]/"),
    (r#"{"scheme":"https"}"#, "https://a.example/", "-"),
    (r#"{"scheme":"https"}"#, "https://a.example:8443/", "-"),
    (r#"{"scheme":"https","port":8443}"#, "http://a.example:8080/x", "https://a.example:8443/x"),
    (r#"{"scheme":"https","port":8443}"#, "https://a.example:8443/x", "-"),
    (r#"{"scheme":"https","port":443}"#, "https://a.example/x", "-"),
    (r#"{"scheme":"http"}"#, "https://a.example:8443/", "http://a.example/"),
    // A path that looks like a host stays a path.
    (
        r#"{"scheme":"https"}"#,
        "http://a.example//evil.example/",
        "https://a.example//evil.example/",
    ),
    // host
    (r#"{"host":"www.a.example"}"#, "https://a.example/x?y", "https://www.a.example/x?y"),
    (r#"{"host":"www.a.example"}"#, "https://WWW.A.example/x", "-"),
    (r#"{"host":"www.a.example"}"#, "http://a.example:8080/", "http://www.a.example:8080/"),
    (
        r#"{"host":"www.a.example","scheme":"https"}"#,
        "http://www.a.example:8080/",
        "https://www.a.example/",
    ),
    (r#"{"host":"www.a.example","scheme":"https"}"#, "https://www.a.example/", "-"),
    (r#"{"host":"[::1]","port":81}"#, "http://a.example/", "http://[::1]:81/"),
    (r#"{"port":81}"#, "http://a.example:82/", "http://a.example:81/"),
    (r#"{"port":80}"#, "http://a.example:82/", "http://a.example/"),
    (r#"{"port":80}"#, "http://a.example/", "-"),
    // path: a reference without a host is enough
    (r#"{"path":"/new"}"#, "https://a.example/old?x=1", "/new?x=1"),
    (r#"{"path":"/new"}"#, "https://a.example/new?x=1", "-"),
    (r#"{"path":"/new?a=1"}"#, "https://a.example/old", "/new?a=1"),
    (r#"{"path":"/new?a=1"}"#, "https://a.example/old?x", "/new?a=1&x"),
    (r#"{"path":"/new?a=1"}"#, "https://a.example/new?a=1", "-"),
    (r#"{"path":"/new?a=1"}"#, "https://a.example/new?a=1&x", "-"),
    (r#"{"path":"/new","host":"b.example"}"#, "https://a.example/new", "https://b.example/new"),
    (r#"{"path":"/new","host":"b.example"}"#, "https://b.example/new", "-"),
    (r#"{"path":"/new","host":"b.example"}"#, "https://b.example/old", "https://b.example/new"),
    // prefix
    (r#"{"prefix":{"from":"/old","to":"/new"}}"#, "https://a.example/old/x?y", "/new/x?y"),
    (r#"{"prefix":{"from":"/old","to":"/new"}}"#, "https://a.example/old", "/new"),
    (r#"{"prefix":{"from":"/old/","to":"/new/"}}"#, "https://a.example/old/", "/new/"),
    (r#"{"prefix":{"from":"/old","to":"/new"}}"#, "https://a.example/older", "-"),
    (r#"{"prefix":{"from":"/old","to":"/new"}}"#, "https://a.example/new/x", "-"),
    (r#"{"prefix":{"from":"/old","to":"/"}}"#, "https://a.example/old/x", "/x"),
    (r#"{"prefix":{"from":"/old","to":"/"}}"#, "https://a.example/old", "/"),
    (
        r#"{"prefix":{"from":"/old","to":"/"}}"#,
        "https://a.example/old//evil.example",
        "/evil.example",
    ),
    (r#"{"prefix":{"from":"/old","to":"/"}}"#, "https://a.example/old/old/x", "/x"),
    (r#"{"prefix":{"from":"/","to":"/v2"}}"#, "https://a.example/x", "/v2/x"),
    (r#"{"prefix":{"from":"/","to":"/v2"}}"#, "https://a.example/v2/x", "-"),
    (r#"{"prefix":{"from":"/","to":"/v2"}}"#, "https://a.example/v2", "-"),
    (r#"{"prefix":{"from":"/a","to":"/a/b"}}"#, "https://a.example/a/c", "/a/b/c"),
    (r#"{"prefix":{"from":"/a","to":"/a/b"}}"#, "https://a.example/a/b/c", "-"),
    (r#"{"prefix":{"from":"/a","to":"/b"},"host":"b.example"}"#, "https://a.example/c", "-"),
    (
        r#"{"prefix":{"from":"/a","to":"/b"},"host":"b.example"}"#,
        "https://a.example/a",
        "https://b.example/b",
    ),
    // regex
    (
        r#"{"regex":{"pattern":"^/u/([0-9]+)$","replace":"/users/$1"}}"#,
        "https://a.example/u/7?x",
        "/users/7?x",
    ),
    (
        r#"{"regex":{"pattern":"^/u/([0-9]+)$","replace":"/users/$1"}}"#,
        "https://a.example/u/x",
        "-",
    ),
    (
        r#"{"regex":{"pattern":"^/u/([0-9]+)$","replace":"/users?id=$1"}}"#,
        "https://a.example/u/7?x",
        "/users?id=7&x",
    ),
    (
        r#"{"regex":{"pattern":"^/old(.*)$","replace":"$1"}}"#,
        "https://a.example/old//evil.example",
        "/evil.example",
    ),
    (
        r#"{"regex":{"pattern":"^/old(.*)$","replace":"$1"}}"#,
        "https://a.example/oldevil.example",
        "/evil.example",
    ),
    (
        r#"{"regex":{"pattern":"/index\\.html$","replace":"/"}}"#,
        "https://a.example/a/index.html",
        "/a/",
    ),
    (r#"{"regex":{"pattern":"^/x/","replace":"/"}}"#, "https://a.example/x/x/x/a", "/a"),
    // These would go round and round.
    (r#"{"regex":{"pattern":"^/","replace":"/x/"}}"#, "https://a.example/a", "-"),
    (r#"{"regex":{"pattern":"^/(.)(.)$","replace":"/$2$1"}}"#, "https://a.example/ab", "-"),
    (
        r#"{"regex":{"pattern":"^/","replace":"/x/"},"host":"b.example"}"#,
        "https://a.example/a",
        "https://b.example/x/a",
    ),
    (
        r#"{"regex":{"pattern":"^/","replace":"/x/"},"host":"b.example"}"#,
        "https://b.example/x/a",
        "-",
    ),
];

fn go(config: &str, url: &str) -> testing::Exchange {
    let (scheme, rest) = url.split_once("://").unwrap();
    let slash = rest.find('/').unwrap();
    let message = request("GET", &rest[slash..]).scheme(scheme).authority(&rest[..slash]);
    Proxy::configure(from_str(config).unwrap()).unwrap().request(message)
}

#[test]
fn requests_are_sent_where_they_should_have_gone() {
    for (config, url, location) in REDIRECTS {
        let exchange = go(config, url);
        if *location == "-" {
            assert!(exchange.is_forwarded(), "{config} {url}: {:?}", exchange.outcome());
        } else {
            assert_eq!(exchange.reply().status, 308, "{config} {url}");
            assert_eq!(exchange.response().header("location"), Some(*location), "{config} {url}");
        }
    }
}

#[test]
fn who_follows_arrives() {
    for (config, url, location) in REDIRECTS.iter().filter(|(_, _, location)| *location != "-") {
        let next = match location.strip_prefix('/') {
            Some(_) => format!("https://a.example{location}"),
            None => (*location).to_owned(),
        };
        assert!(go(config, &next).is_forwarded(), "{config}: {url} -> {next} goes on and on");
    }
}

#[test]
fn the_status_is_as_configured() {
    for status in [301, 302, 303, 307, 308] {
        let config = json!({ "path": "/new", "status": status }).to_string();
        let exchange = go(&config, "https://a.example/old");
        assert_eq!(exchange.reply().status, status);
    }
}

#[test]
fn what_has_no_path_or_no_host_is_not_lost() {
    let asterisk = |config: &str| {
        let message = request("OPTIONS", "*").scheme("http");
        Proxy::configure(from_str(config).unwrap()).unwrap().request(message)
    };
    let exchange = asterisk(r#"{"scheme":"https"}"#);
    assert_eq!(exchange.response().header("location"), Some("https://example.com"));
    assert!(asterisk(r#"{"path":"/new"}"#).is_forwarded());

    let nowhere = request("GET", "/").scheme("http").authority("");
    let mut proxy = Proxy::configure(json!({ "scheme": "https" })).unwrap();
    assert!(proxy.request(nowhere).is_forwarded());
}

#[test]
fn a_wrong_configuration_is_refused_with_a_reason() {
    for (config, why) in [
        (json!({}), "nothing is redirected"),
        (json!({ "status": 301 }), "nothing is redirected"),
        (json!({ "scheme": "ftp" }), "unknown variant `ftp`"),
        (json!({ "scheme": "https", "status": 304 }), "status: 304 is no redirect"),
        (json!({ "scheme": "https", "status": 200 }), "status: 200 is no redirect"),
        (json!({ "port": 0 }), "port: 0 is no port"),
        (
            json!({ "host": "a:80" }),
            "host: `a:80` is no host; such as \"www.example.com\"; a port goes into `port`",
        ),
        (json!({ "host": "http://a" }), "is no host"),
        (json!({ "host": "a/b" }), "is no host"),
        (json!({ "host": "user@a" }), "is no host"),
        (json!({ "host": "" }), "is no host"),
        (json!({ "host": "{request.query.to}" }), "is no host"),
        (json!({ "path": "new" }), "`new` is no path"),
        (json!({ "path": "//evil.example" }), "is no path"),
        (json!({ "path": "/\\evil.example" }), "is no path"),
        (json!({ "path": "https://evil.example" }), "is no path"),
        (json!({ "path": "/a", "prefix": { "from": "/a", "to": "/b" } }), "exclude each other"),
        (json!({ "prefix": { "from": "/a", "to": "/a/" } }), "are the same"),
        (json!({ "prefix": { "from": "a", "to": "/b" } }), "`a` is no path"),
        (json!({ "prefix": "/a" }), "prefix"),
        (json!({ "regex": { "pattern": "a", "replace": "$1" } }), "uses the group `1`"),
        (json!({ "regex": { "pattern": "a", "replace": "/\\b" } }), "cannot be part of a path"),
        (json!({ "to": "/a" }), "unknown field `to`"),
    ] {
        let error = Proxy::configure(config.clone()).err().unwrap();
        assert!(error.to_string().contains(why), "{config}: {error}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let config = json!({ "prefix": { "from": "a", "to": "b" }, "port": 70000, "status": 304,
        "host": "/x", "path": "/x y", "scheme": "ftp", "regex": { "pattern": "(", "replace": "" } });
    let error = Proxy::configure(config).err().unwrap().to_string();
    for says in [
        "prefix.from: `a` is no path",
        "prefix.to: `b` is no path",
        "port: 70000 is no",
        "status: 304 is no redirect; 301",
        "host: `/x` is no host",
        "path: `/x y` is no path",
        "scheme: unknown variant `ftp`",
        "regex.pattern: `(` is no regular expression",
    ] {
        assert!(error.contains(says), "{says}: {error}");
    }
    assert_eq!(error.lines().count(), 8, "{error}");
}
