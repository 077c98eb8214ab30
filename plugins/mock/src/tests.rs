use std::time::Duration;

use weir_sdk::serde_json::{Value, json};
use weir_sdk::testing::{self, request};

use super::Mock;

type Proxy = testing::Plugin<Mock>;

fn proxy(config: Value) -> Proxy {
    Proxy::configure(config).unwrap()
}

fn places() -> Value {
    json!([
        { "path": "/a", "body": "a" },
        { "path": "/m", "method": "GET", "body": "got" },
        { "path": "/m", "method": "POST", "status": 201 },
        { "path": "/deep/special", "body": "special" },
        { "path": "/deep/*", "body": "deep" },
        { "path": "/b*", "body": "star" },
    ])
}

#[test]
fn the_first_path_and_method_that_fit_answer() {
    let mut proxy = proxy(json!({ "paths": places() }));
    for (method, target, status, body) in [
        ("GET", "/a", 200, "a"),
        ("DELETE", "/a?b=c", 200, "a"),
        ("GET", "/m", 200, "got"),
        ("HEAD", "/m", 200, "got"),
        ("POST", "/m", 201, ""),
        ("GET", "/deep/special", 200, "special"),
        ("GET", "/deep/special/x", 200, "deep"),
        ("GET", "/deep/", 200, "deep"),
        ("GET", "/b*", 200, "star"),
    ] {
        let exchange = proxy.request(request(method, target));
        let reply = exchange.reply();
        assert_eq!((reply.status, reply.body.as_slice()), (status, body.as_bytes()), "{target}");
    }
    for (method, target) in
        [("PUT", "/m"), ("GET", "/deep"), ("GET", "/a/"), ("GET", "/bc"), ("OPTIONS", "*")]
    {
        assert!(proxy.request(request(method, target)).is_forwarded(), "{method} {target}");
    }
}

#[test]
fn the_common_reply_is_for_everything_else() {
    for common in [
        json!({ "status": 404 }),
        json!({ "body": "none" }),
        json!({ "headers": { "x-a": "1" } }),
        json!({ "delay": "0s" }),
    ] {
        let mut config = common.clone();
        config["paths"] = places();
        let mut proxy = proxy(config);
        assert_eq!(proxy.request(request("GET", "/a")).reply().body, b"a");
        let status = common["status"].as_u64().unwrap_or(200);
        assert_eq!(u64::from(proxy.request(request("GET", "/x")).reply().status), status);
    }
    let mut empty = proxy(json!({}));
    let exchange = empty.request(request("GET", "/x"));
    assert_eq!((exchange.reply().status, exchange.reply().headers.len()), (200, 0));
}

#[test]
fn status_headers_and_delay_are_as_configured() {
    let mut proxy = proxy(json!({
        "status": 503,
        "headers": { "Retry-After": "1", "x-from": "{client.address}", "x-q": "{request.query.q}" },
        "delay": "1m30s",
    }));
    let exchange = proxy.request(request("GET", "/?q=a%0d%0ab"));
    assert_eq!(exchange.reply().status, 503);
    assert_eq!(exchange.reply().delay, Duration::from_secs(90));
    assert_eq!(exchange.response().header("retry-after"), Some("1"));
    assert_eq!(exchange.response().header("x-from"), Some("192.0.2.1"));
    assert_eq!(exchange.response().header("x-q"), Some("a  b"));
}

#[test]
fn braces_of_other_languages_are_themselves() {
    for (body, sent) in [
        ("plain", "plain"),
        (r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#),
        (r#"{{"a":{"b":1}}}"#, r#"{"a":{"b":1}}"#),
        (r#"{"to":"{client.address}"}"#, r#"{"to":"192.0.2.1"}"#),
        (r#"{"a":{"to":"{client.address}"}}"#, r#"{"a":{"to":"192.0.2.1"}}"#),
        ("{}", "{}"),
        ("{{}}", "{}"),
        ("{ \"a\" : [] }", "{ \"a\" : [] }"),
        ("[{}]", "[{}]"),
        ("{{route}}", "{route}"),
        ("{route}{request.method}", "testGET"),
        ("x{route}", "xtest"),
        ("body { color: red }", "body { color: red }"),
        ("function f() {return 1}", "function f() {return 1}"),
        ("a{color:red}b{{c}}", "a{color:red}b{c}"),
        ("é{route}é", "étesté"),
        ("}", "}"),
        ("{", "{"),
        ("{route", "{route"),
    ] {
        let mut proxy = proxy(json!({ "body": body }));
        let exchange = proxy.request(request("GET", "/"));
        assert_eq!(std::str::from_utf8(&exchange.reply().body), Ok(sent), "{body}");
    }
}

#[test]
fn what_a_client_sent_is_escaped_for_the_type() {
    let target = "/?q=%22%5C%0a%3Cb%3E%26'";
    for (kind, body, sent) in [
        (None, r#"{"q":"{request.query.q}"}"#, r#"{"q":"\"\\\u000a<b>&'"}"#),
        (Some("application/problem+json"), "{request.query.q}", r#"\"\\\u000a<b>&'"#),
        (None, "<p>{request.query.q}</p>", "<p>&quot;\\\n&lt;b&gt;&amp;&#39;</p>"),
        (Some("image/svg+xml"), "{request.query.q}", "&quot;\\\n&lt;b&gt;&amp;&#39;"),
        (Some("text/plain"), "<{request.query.q}>", "<\"\\\n<b>&'>"),
    ] {
        let headers = kind.map_or(json!({}), |kind| json!({ "Content-Type": kind }));
        let mut proxy = proxy(json!({ "body": body, "headers": headers }));
        let exchange = proxy.request(request("GET", target));
        assert_eq!(std::str::from_utf8(&exchange.reply().body), Ok(sent), "{body}");
    }
}

#[test]
fn a_body_without_a_type_gets_one() {
    for (body, kind) in [
        ("hello", "text/plain; charset=utf-8"),
        ("{route}", "text/plain; charset=utf-8"),
        (" {\"a\":1}", "application/json"),
        ("[1]", "application/json"),
        ("{{\"a\":1}}", "application/json"),
        ("<p>", "text/html; charset=utf-8"),
    ] {
        let mut proxy = proxy(json!({ "body": body }));
        let exchange = proxy.request(request("GET", "/"));
        assert_eq!(exchange.response().header("content-type"), Some(kind), "{body}");
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_a_reason() {
    for (config, why) in [
        (json!({ "status": 199 }), "status: 199 is not in 200 to 599"),
        (json!({ "paths": [{ "path": "/a", "status": 600 }] }), "paths[0].status: 600"),
        (json!({ "paths": [{ "path": "a" }] }), "paths[0].path: `a` does not begin with a slash"),
        (json!({ "paths": [{ "status": 200 }] }), "missing field `path`"),
        (json!({ "delay": "6m" }), "delay: this delay is longer than 5 minutes"),
        (json!({ "headers": { "content-length": "1" } }), "belongs to the proxy"),
        (json!({ "headers": { "a b": "1" } }), "is no name of a header field"),
        (json!({ "headers": { "a": "1\n" } }), "has control characters"),
        (json!({ "body": "{client.adress}" }), "body: unknown variable `{client.adress}`"),
        (json!({ "text": "a" }), "unknown field `text`"),
        (
            json!({ "paths": [{ "path": "a" }, { "path": "/b", "status": 9, "body": "{client.x}" }] }),
            "paths[1].body: unknown variable",
        ),
    ] {
        let error = Proxy::configure(config.clone()).err().unwrap();
        assert!(error.to_string().contains(why), "{config}: {error}");
    }
}
