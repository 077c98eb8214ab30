use weir_sdk::serde_json::{Value, json};
use weir_sdk::testing::{self, request, response};

use super::Headers;

type Lines<'a> = &'a [(&'a str, &'a str)];

/// Side, edits, the head before, the values of some fields after (joined by `|`, `-` for none).
const EDITS: &[(&str, Lines, Lines)] = &[
    (r#"{"set":{"X-A":"1"}}"#, &[], &[("x-a", "1")]),
    (r#"{"set":{"x-a":"1"}}"#, &[("x-a", "0"), ("X-A", "00")], &[("x-a", "1")]),
    (r#"{"set":{"x-a":""}}"#, &[("x-a", "0")], &[("x-a", "")]),
    (r#"{"set":{"x-a":"{{a}}"}}"#, &[], &[("x-a", "{a}")]),
    (r#"{"add":{"x-a":"1"}}"#, &[("x-a", "0")], &[("x-a", "0|1")]),
    (r#"{"add":{"x-a":["1","2"]}}"#, &[("x-a", "0")], &[("x-a", "0|1|2")]),
    (r#"{"add":{"x-a":[]}}"#, &[], &[("x-a", "-")]),
    (r#"{"set_if_absent":{"x-a":"1"}}"#, &[("x-a", "0")], &[("x-a", "0")]),
    (r#"{"set_if_absent":{"x-a":"1"}}"#, &[("x-b", "0")], &[("x-a", "1"), ("x-b", "0")]),
    (r#"{"set_if_absent":{"x-a":"1"}}"#, &[("x-a", "")], &[("x-a", "")]),
    (
        r#"{"remove":["X-A","x-none"]}"#,
        &[("x-a", "0"), ("x-a", "1"), ("x-b", "2")],
        &[("x-a", "-"), ("x-b", "2")],
    ),
    (r#"{"rename":{"x-a":"X-B"}}"#, &[("x-a", "0"), ("x-a", "1")], &[("x-a", "-"), ("x-b", "0|1")]),
    (r#"{"rename":{"x-a":"x-b"}}"#, &[("x-a", "0"), ("x-b", "1")], &[("x-a", "-"), ("x-b", "0")]),
    (r#"{"rename":{"x-a":"x-b"}}"#, &[("x-b", "1")], &[("x-a", "-"), ("x-b", "1")]),
    // The order: remove, rename, set, set_if_absent, add.
    (
        r#"{"remove":["x-b"],"rename":{"x-a":"x-b"}}"#,
        &[("x-a", "0"), ("x-b", "1")],
        &[("x-b", "0")],
    ),
    (
        r#"{"remove":["x-a"],"rename":{"x-a":"x-b"}}"#,
        &[("x-a", "0")],
        &[("x-a", "-"), ("x-b", "-")],
    ),
    (
        r#"{"rename":{"x-a":"x-b"},"set":{"x-a":"new"}}"#,
        &[("x-a", "0")],
        &[("x-a", "new"), ("x-b", "0")],
    ),
    (r#"{"remove":["x-a"],"add":{"x-a":"1"}}"#, &[("x-a", "0")], &[("x-a", "1")]),
    (
        r#"{"rename":{"x-a":"x-b"},"set_if_absent":{"x-b":"1"},"add":{"x-b":"2"}}"#,
        &[("x-a", "0")],
        &[("x-b", "0|2")],
    ),
    (
        r#"{"set":{"x-a":"1"},"set_if_absent":{"x-a":"2"},"add":{"x-a":"3"}}"#,
        &[],
        &[("x-a", "1|3")],
    ),
    // Variables, also those that a client fills with what no field may hold.
    (r#"{"set":{"x-a":"{client.address}"}}"#, &[], &[("x-a", "192.0.2.1")]),
    (
        r#"{"set":{"x-a":"{route}/{request.method} {request.id}"}}"#,
        &[],
        &[("x-a", "test/GET request-1")],
    ),
    (r#"{"set":{"x-a":"{attribute.none}"}}"#, &[("x-a", "forged")], &[("x-a", "")]),
    (r#"{"set":{"x-a":"<{request.query.q}>"}}"#, &[], &[("x-a", "<a  b: c>")]),
    (r#"{"add":{"x-a":"{request.query.q}"}}"#, &[("x-a", "0")], &[("x-a", "0|a  b: c")]),
];

fn target() -> testing::FakeRequest {
    request("GET", "/?q=a%0d%0ab:%20c")
}

fn joined(values: Vec<weir_sdk::FieldValue>) -> String {
    if values.is_empty() {
        return "-".into();
    }
    let values: Vec<_> = values.iter().map(|value| value.as_str().unwrap()).collect();
    values.join("|")
}

#[test]
fn a_request_is_edited() {
    for (edits, before, after) in EDITS {
        let edits: Value = weir_sdk::serde_json::from_str(edits).unwrap();
        let config = json!({ "request": edits });
        let mut proxy = testing::Plugin::<Headers>::configure(config).unwrap();
        let message =
            before.iter().fold(target(), |message, (name, value)| message.header(name, value));
        let exchange = proxy.exchange(message, response(200).header("x-a", "same"));
        for (name, value) in *after {
            assert_eq!(joined(exchange.forwarded().header_values(name)), *value, "{edits} {name}");
        }
        assert_eq!(joined(exchange.response().header_values("x-a")), "same", "{edits}");
    }
}

#[test]
fn a_response_is_edited() {
    for (edits, before, after) in EDITS {
        let edits: Value = weir_sdk::serde_json::from_str(edits).unwrap();
        let config = json!({ "response": edits });
        let mut proxy = testing::Plugin::<Headers>::configure(config).unwrap();
        let message =
            before.iter().fold(response(200), |message, (name, value)| message.header(name, value));
        let exchange = proxy.exchange(target().header("x-a", "same"), message);
        for (name, value) in *after {
            assert_eq!(joined(exchange.response().header_values(name)), *value, "{edits} {name}");
        }
        assert_eq!(joined(exchange.forwarded().header_values("x-a")), "same", "{edits}");
    }
}

#[test]
fn bytes_that_are_no_text_are_renamed_and_copied_as_they_are() {
    let config = json!({ "request": {
        "rename": { "x-a": "x-b" }, "set": { "x-c": "{request.header.x-d}" },
    } });
    let mut proxy = testing::Plugin::<Headers>::configure(config).unwrap();
    let exchange = proxy.request(request("GET", "/").header("x-a", b"\xff").header("x-d", b"\xfe"));
    assert_eq!(exchange.forwarded().header_values("x-b")[0], b"\xff"[..]);
    assert_eq!(exchange.forwarded().header_values("x-c")[0], b"\xfe"[..]);
}

#[test]
fn nothing_configured_changes_nothing() {
    let mut proxy = testing::Plugin::<Headers>::configure(json!({})).unwrap();
    let exchange = proxy.exchange(request("GET", "/").header("x-a", "0"), response(204));
    assert_eq!(exchange.forwarded().header("x-a"), Some("0"));
    assert_eq!(exchange.response().status(), 204);
}

#[test]
fn what_exceeds_the_limits_is_the_hooks_error() {
    let config = json!({ "request": { "set": { "x-a": "{request.header.x-b}" } } });
    let mut proxy = testing::Plugin::<Headers>::configure(config).unwrap();
    let exchange = proxy.request(request("GET", "/").header("x-b", "b".repeat(45_000)));
    assert!(exchange.error().to_string().contains("exceed the listener's limits"));
}

#[test]
fn what_could_never_work_is_refused_with_a_reason() {
    for (config, why) in [
        (json!({ "request": { "set": { "x a": "1" } } }), "is no name of a header field"),
        (json!({ "request": { "remove": [""] } }), "is no name of a header field"),
        (
            json!({ "request": { "set": { "Host": "a" } } }),
            "request.set.host: the field `host` belongs to the proxy",
        ),
        (
            json!({ "response": { "remove": ["Transfer-Encoding"] } }),
            "response.remove[0]: the field `transfer-encoding`",
        ),
        (
            json!({ "response": { "rename": { "a": "content-length" } } }),
            "`content-length` belongs",
        ),
        (
            json!({ "response": { "rename": { "a": "b", "b": "c" } } }),
            "`b` is a new name and an old one",
        ),
        (json!({ "response": { "rename": { "a": "A" } } }), "`a` is a new name and an old one"),
        (
            json!({ "response": { "rename": { "a": "c", "b": "c" } } }),
            "rename.b: another field is renamed to `c`",
        ),
        (
            json!({ "request": { "set": { "x": "a\r\nb: c" } } }),
            "request.set.x: the value \"a\\r\\nb: c\" has control",
        ),
        (
            json!({ "request": { "add": { "x": ["a", "{client.adress}"] } } }),
            "unknown variable `{client.adress}`",
        ),
        (json!({ "request": { "add": { "x": "{" } } }), "has no partner"),
        (json!({ "request": { "add": { "x": ["a", "\n"] } } }), "request.add.x[1]: the value"),
        (
            json!({ "request": { "add": { "te": "a" } }, "response": { "set": { "te": "a" } } }),
            "\nresponse.set.te: ",
        ),
        (json!({ "request": { "add": { "x": 1 } } }), "a value or a list of values"),
        (json!({ "request": { "delete": ["x"] } }), "unknown field `delete`"),
        (json!({ "requests": {} }), "unknown field `requests`"),
    ] {
        let error = testing::Plugin::<Headers>::configure(config.clone()).err().unwrap();
        assert!(error.to_string().contains(why), "{config}: {error}");
    }
}
