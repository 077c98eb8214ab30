use weir_sdk::serde_json::{Value, json};
use weir_sdk::testing::{self, FakeRequest, request};

use super::KeyAuth;

fn proxy(config: Value) -> testing::Plugin<KeyAuth> {
    testing::Plugin::configure(config).unwrap()
}

fn three_places() -> Value {
    json!({
        "keys": ["alpha-key", { "key": "beta-key", "name": "beta" }],
        "query": "api_key", "cookie": "key",
    })
}

#[test]
fn a_known_key_opens_and_a_stranger_does_not() {
    let get = || request("GET", "/a?b=1");
    for (request, subject) in [
        (get(), None),
        (get().header("x-api-key", "alpha-key"), Some("")),
        (get().header("X-API-Key", "beta-key"), Some("beta")),
        (get().header("x-api-key", "beta-kez"), None),
        (get().header("x-api-key", "beta-key "), None),
        (get().header("x-api-key", "beta-ke"), None),
        (get().header("x-api-key", ""), None),
        (get().header("x-api-key", b"\xff\xfe"), None),
        (get().header("x-api-key", "beta-key").header("x-api-key", "alpha-key"), None),
        (get().header("x-api-key", "beta-key").header("x-api-key", "beta-key"), None),
        (get().header("other", "beta-key"), None),
        (request("GET", "/?api_key=beta-key"), Some("beta")),
        (request("GET", "/?api_key=beta%2Dkey"), Some("beta")),
        (request("GET", "/?api_key=beta-key&api_key=beta-key"), None),
        (request("GET", "/?api_key=no").header("x-api-key", "beta-key"), None),
        (request("GET", "/?api_key").header("x-api-key", "beta-key"), None),
        (request("GET", "/?api_key=beta-key").header("x-api-key", "no"), None),
        (request("GET", "/?api_key=beta-key").header("cookie", "key=beta-key"), None),
        (get().header("cookie", "key=no").header("x-api-key", "beta-key"), None),
        (get().header("cookie", "a=b; key=beta-key"), Some("beta")),
        (get().header("cookie", "key=no"), None),
        (get().header("cookie", "key=beta-key; key=no"), None),
        (get().header("cookie", "key=no; a=b; key=beta-key"), None),
        (get().header("cookie", "key=beta-key").header("cookie", "key=no"), None),
        (get().header("cookie", "key=beta-key").header("cookie", b"a=\xff; key=no"), None),
    ] {
        let text = format!("{request:?}");
        let exchange = proxy(three_places()).request(request);
        match subject {
            Some(subject) => {
                assert!(exchange.is_forwarded(), "{text}");
                assert_eq!(exchange.attribute("auth.subject").unwrap_or_default(), subject);
                assert_eq!(exchange.attribute("auth.scheme").as_deref(), Some("key"));
            }
            None => {
                assert_eq!(exchange.reply().status, 401, "{text}");
                let response = exchange.response();
                assert_eq!(
                    response.header("www-authenticate"),
                    Some("ApiKey realm=\"restricted\"")
                );
                assert_eq!(exchange.attribute("auth.scheme"), None);
            }
        }
    }
}

#[test]
fn the_key_is_taken_out_unless_told_otherwise() {
    let requests = || -> [FakeRequest; 3] {
        [
            request("GET", "/a?b=%20&c").header("x-api-key", "beta-key"),
            request("GET", "/a?b=%20&api_key=beta-key&c"),
            request("GET", "/a?b=%20&c").header("cookie", "a=1; key=beta-key; c=2"),
        ]
    };
    for request in requests() {
        let exchange = proxy(three_places()).request(request);
        let sent = exchange.forwarded();
        assert_eq!(sent.path_with_query(), "/a?b=%20&c");
        assert_eq!(sent.header("x-api-key"), None);
        assert!(matches!(sent.header("cookie"), None | Some("a=1; c=2")));
    }
    let mut open = three_places();
    open["hide"] = json!(false);
    for request in requests() {
        let exchange = proxy(open.clone()).request(request);
        let sent = exchange.forwarded();
        let all = [
            sent.path_with_query(),
            sent.header("x-api-key").unwrap_or(""),
            sent.header("cookie").unwrap_or(""),
        ];
        assert!(all.concat().contains("beta-key"));
    }
}

#[test]
fn many_keys_are_each_found() {
    let keys: Vec<_> = (0..5_000)
        .map(|n| json!({ "key": format!("key-{n}"), "name": format!("name-{n}") }))
        .collect();
    let mut proxy = proxy(json!({ "keys": keys }));
    for n in [0, 1, 2_500, 4_999] {
        let exchange = proxy.request(request("GET", "/").header("x-api-key", format!("key-{n}")));
        assert_eq!(exchange.attribute("auth.subject"), Some(format!("name-{n}")));
    }
    let exchange = proxy.request(request("GET", "/").header("x-api-key", "key-5000"));
    assert_eq!(exchange.reply().status, 401);
}

#[test]
fn a_wrong_configuration_says_what_to_write_and_shows_no_key() {
    for (config, says) in [
        (json!({}), "missing field `keys`"),
        (json!({ "keys": ["", "topsecret", "\n"], "realm": "\\" }), "\nkeys[2]: it has"),
        (json!({ "keys": [] }), "keys: it is empty"),
        (json!({ "keys": ["topsecret", ""] }), "keys[1]: it is empty"),
        (json!({ "keys": [" topsecret"] }), "keys[0]: it has bytes"),
        (json!({ "keys": ["topsecret\n"] }), "keys[0]: it has bytes"),
        (
            json!({ "keys": ["topsecret", { "key": "topsecret", "name": "b" }] }),
            "keys[1]: one key is there twice",
        ),
        (json!({ "keys": [{ "key": "topsecret" }] }), "did not match"),
        (json!({ "keys": ["topsecret"], "header": "" }), "no place for a key"),
        (json!({ "keys": ["topsecret"], "realm": "a\"b" }), "realm: a realm has no quotes"),
        (json!({ "keys": ["topsecret"], "headr": "" }), "unknown field `headr`"),
    ] {
        let error = testing::Plugin::<KeyAuth>::configure(config).err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
        assert!(!error.contains("topsecret"), "{error}");
    }
}
