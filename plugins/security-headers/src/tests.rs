use weir_sdk::serde_json::{Value, json};
use weir_sdk::testing::{self, Exchange, request, response};

use super::SecurityHeaders;

type Proxy = testing::Plugin<SecurityHeaders>;

fn answer(config: Value, scheme: &str, upstream: &[(&str, &str)]) -> Exchange {
    let response =
        upstream.iter().fold(response(200), |response, (name, value)| response.header(name, value));
    Proxy::configure(config).unwrap().exchange(request("GET", "/").scheme(scheme), response)
}

#[test]
fn each_preset_sets_what_it_says() {
    for (preset, name, value) in [
        (json!({}), "x-content-type-options", Some("nosniff")),
        (json!({}), "x-frame-options", Some("SAMEORIGIN")),
        (json!({}), "referrer-policy", Some("strict-origin-when-cross-origin")),
        (json!({}), "strict-transport-security", Some("max-age=31536000")),
        (json!({}), "cache-control", None),
        (json!({}), "permissions-policy", None),
        (json!({ "preset": "default" }), "x-frame-options", Some("SAMEORIGIN")),
        (json!({ "preset": "strict" }), "x-frame-options", Some("DENY")),
        (json!({ "preset": "strict" }), "referrer-policy", Some("no-referrer")),
        (json!({ "preset": "strict" }), "cross-origin-opener-policy", Some("same-origin")),
        (json!({ "preset": "strict" }), "cross-origin-embedder-policy", Some("require-corp")),
        (json!({ "preset": "strict" }), "cross-origin-resource-policy", Some("same-origin")),
        (json!({ "preset": "strict" }), "x-dns-prefetch-control", Some("off")),
        (json!({ "preset": "strict" }), "cache-control", Some("no-store, max-age=0")),
        (
            json!({ "preset": "strict" }),
            "strict-transport-security",
            Some("max-age=31536000; includeSubDomains"),
        ),
        (
            json!({ "preset": "api" }),
            "content-security-policy",
            Some("default-src 'none'; frame-ancestors 'none'"),
        ),
        (json!({ "preset": "api" }), "cache-control", Some("no-store")),
        (json!({ "preset": "api" }), "permissions-policy", None),
    ] {
        let exchange = answer(preset.clone(), "https", &[]);
        assert_eq!(exchange.response().header(name), value, "{preset}");
    }
}

#[test]
fn no_preset_has_a_header_twice_or_an_illegal_value() {
    for preset in ["default", "strict", "api"] {
        let exchange = answer(json!({ "preset": preset }), "https", &[]);
        for name in [
            "strict-transport-security",
            "content-security-policy",
            "x-frame-options",
            "referrer-policy",
        ] {
            assert_eq!(exchange.response().header_values(name).len(), 1, "{preset} {name}");
        }
    }
}

#[test]
fn https_is_promised_on_https_only() {
    for config in [json!({}), json!({ "strict-transport-security": "max-age=1" })] {
        let exchange = answer(config.clone(), "http", &[]);
        assert_eq!(exchange.response().header("strict-transport-security"), None);
        let exchange = answer(config, "https", &[]);
        assert!(exchange.response().header("strict-transport-security").is_some());
    }
    let off = answer(json!({ "strict-transport-security": false }), "https", &[]);
    assert_eq!(off.response().header("strict-transport-security"), None);
}

#[test]
fn each_header_can_be_set_or_left_out() {
    let properties = Proxy::schema()["properties"].clone();
    let names = properties.as_object().unwrap().keys();
    let names: Vec<_> =
        names.filter(|name| !["preset", "keep", "remove"].contains(&name.as_str())).collect();
    assert_eq!(names.len(), 15);
    for name in names {
        for preset in ["default", "strict", "api"] {
            let set = answer(
                json!({ "preset": preset, name: "a" }),
                "https",
                &[(name, "b"), (name, "c")],
            );
            assert_eq!(set.response().header_values(name), ["a"], "{preset} {name}");
            let off = answer(json!({ "preset": preset, name: false }), "https", &[]);
            assert_eq!(off.response().header(name), None, "{preset} {name}");
            // Left out is left alone: the upstream's own passes.
            let off = answer(json!({ "preset": preset, name: false }), "https", &[(name, "b")]);
            assert_eq!(off.response().header(name), Some("b"), "{preset} {name}");
        }
    }
}

#[test]
fn the_upstreams_own_stays_if_wanted() {
    let own = [("x-frame-options", "DENY"), ("strict-transport-security", "max-age=9")];
    let exchange = answer(json!({ "keep": true }), "https", &own);
    assert_eq!(exchange.response().header("x-frame-options"), Some("DENY"));
    assert_eq!(exchange.response().header("strict-transport-security"), Some("max-age=9"));
    assert_eq!(exchange.response().header("x-content-type-options"), Some("nosniff"));
    let exchange = answer(json!({}), "https", &own);
    assert_eq!(exchange.response().header("x-frame-options"), Some("SAMEORIGIN"));
}

#[test]
fn what_names_the_software_goes() {
    let upstream =
        [("server", "a/1"), ("X-Powered-By", "b"), ("x-aspnet-version", "4"), ("x-mine", "c")];
    for (config, left) in [
        (json!({}), [false, false, true, true]),
        (json!({ "preset": "strict" }), [false, false, false, true]),
        (json!({ "remove": [] }), [true, true, true, true]),
        (json!({ "remove": ["X-Mine"] }), [true, true, true, false]),
    ] {
        let exchange = answer(config.clone(), "https", &upstream);
        let there = upstream.map(|(name, _)| exchange.response().header(name).is_some());
        assert_eq!(there, left, "{config}");
    }
}

#[test]
fn a_wrong_configuration_is_refused_with_a_reason() {
    for (config, why) in [
        (json!({ "preset": "paranoid" }), "unknown variant `paranoid`"),
        (json!({ "x-frame-options": true }), "true says no value"),
        (json!({ "x-frame-options": 1 }), "a value or false"),
        (json!({ "x-frame-options": "" }), "x-frame-options: the value is empty"),
        (json!({ "referrer-policy": "a\r\nb: c" }), "has control characters"),
        (json!({ "remove": ["host"] }), "belongs to the proxy"),
        (json!({ "x-frame-option": "DENY" }), "unknown field `x-frame-option`"),
    ] {
        let error = Proxy::configure(config.clone()).err().unwrap();
        assert!(error.to_string().contains(why), "{config}: {error}");
    }
}
