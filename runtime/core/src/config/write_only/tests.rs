use serde_json::json;

use super::*;

#[test]
fn what_one_alternative_calls_secret_is() {
    let document = json!({
        "$defs": { "secret": { "type": "string", "writeOnly": true }, "loop": { "$ref": "#/$defs/loop" } },
        "properties": {
            "plain": { "type": "string" },
            "secret": { "type": "string", "writeOnly": true },
            "named": { "$ref": "#/$defs/secret" },
            "either": { "anyOf": [{ "type": "string" }, { "$ref": "#/$defs/secret" }] },
            "list": { "items": { "writeOnly": true }, "prefixItems": [{ "type": "string" }] },
            "table": { "additionalProperties": { "$ref": "#/$defs/secret" } },
            "loop": { "$ref": "#/$defs/loop" },
            "elsewhere": { "$ref": "other.json" },
            "nowhere": { "$ref": "#/$defs/none" },
            "unlike": { "writeOnly": false },
        },
        "patternProperties": { "^x-": { "writeOnly": true } },
        "allOf": [{ "properties": { "split": { "writeOnly": true } } }],
    });
    let steps = Steps::default();
    let schema = WriteOnly::of(&document, &steps);
    for (name, secret) in [
        ("plain", false),
        ("unlike", false),
        ("secret", true),
        ("named", true),
        ("either", true),
        ("loop", false),
        ("elsewhere", true),
        ("nowhere", true),
        ("split", true),
        ("x-y", true),
        ("other", false),
    ] {
        assert_eq!(schema.member(name).is_write_only(), secret, "{name}");
    }
    assert!(schema.member("list").item(0).is_write_only());
    assert!(schema.member("table").member("any").is_write_only());
}

/// Two references each to the next: 2^64 ways to the end, and one look at each.
#[test]
fn doubling_references_are_looked_at_once() {
    let mut all = serde_json::Map::new();
    for n in 0..64 {
        let next = format!("#/$defs/d{}", n + 1);
        all.insert(format!("d{n}"), json!({ "allOf": [{ "$ref": next }, { "$ref": next }] }));
    }
    all.insert("d64".to_owned(), json!({ "writeOnly": true }));
    let document = json!({ "$defs": all, "$ref": "#/$defs/d0" });
    let steps = Steps::default();
    assert!(WriteOnly::of(&document, &steps).is_write_only());
}

#[test]
fn secrets_are_found_by_the_place_of_their_value() {
    let document = json!({
        "properties": { "a/b": { "items": { "writeOnly": true } }, "plain": {} },
        "additionalProperties": { "properties": { "key": { "writeOnly": true } } },
    });
    let config = json!({ "a/b": [1, 2], "plain": 3, "other": { "key": 4, "name": 5 } });
    assert_eq!(
        secrets_of(&config, &document),
        ["/config/a~1b/0", "/config/a~1b/1", "/config/other/key"]
    );
}

/// What is not looked at may be a secret.
#[test]
fn of_a_schema_that_is_too_large_everything_is_hidden() {
    let many: Vec<Value> = (0..2_000).map(|n| json!({ "title": n.to_string() })).collect();
    let patterns = (0..2_000).map(|n| (format!("^{n}$"), json!({}))).collect();
    for document in [
        json!({ "additionalProperties": { "allOf": many } }),
        json!({ "patternProperties": Value::Object(patterns) }),
    ] {
        let config: serde_json::Map<String, Value> =
            (0..100).map(|n| (format!("k{n}"), json!(n))).collect();
        let found = secrets_of(&Value::Object(config), &document);
        assert!(
            (1..=100).contains(&found.len()) && found.iter().all(|at| at != "/config"),
            "{found:?}"
        );
    }
}
