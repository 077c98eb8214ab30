//! Which parts of a plugin's table its schema calls `writeOnly` (JSON Schema 2020-12, validation, 9.4).
//!
//! In: the schema's document. Out: the schemas that may say something of one value. Never: decides
//! between alternatives: what one of them calls secret is, and so is what cannot be found out.

use regex::Regex;
use serde_json::Value;

/// All schemas that may hold for a value.
pub(super) struct Schema<'a> {
    document: Option<&'a Value>,
    all: Vec<&'a Value>,
    /// One refers to what is not in the document.
    unknown: bool,
}

/// Keywords under which other schemas for the same value stand.
const ALTERNATIVES: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const CONDITIONS: [&str; 3] = ["if", "then", "else"];
const REFERENCES: [&str; 2] = ["$ref", "$dynamicRef"];

impl<'a> Schema<'a> {
    /// Says nothing of any value.
    pub(super) fn none() -> Self {
        Schema { document: None, all: Vec::new(), unknown: false }
    }

    pub(super) fn of(document: &'a Value) -> Self {
        Schema::expanded(Some(document), [document])
    }

    pub(super) fn is_write_only(&self) -> bool {
        let says = |schema: &&Value| schema.get("writeOnly").is_some_and(|flag| flag == true);
        self.unknown || self.all.iter().any(says)
    }

    /// For what stands under a key of a table.
    pub(super) fn member(&self, name: &str) -> Self {
        let of = |schema: &&'a Value| {
            let mut found: Vec<&Value> =
                schema.get("properties").and_then(|all| all.get(name)).into_iter().collect();
            let patterns = schema.get("patternProperties").and_then(Value::as_object);
            for (pattern, schema) in patterns.into_iter().flatten() {
                // What is no pattern here may be one elsewhere.
                if Regex::new(pattern).map_or(true, |pattern| pattern.is_match(name)) {
                    found.push(schema);
                }
            }
            if found.is_empty() {
                let others = ["additionalProperties", "unevaluatedProperties"];
                found.extend(others.iter().filter_map(|key| schema.get(key)));
            }
            found
        };
        Schema::expanded(self.document, self.all.iter().flat_map(of))
    }

    /// For an item of a list.
    pub(super) fn item(&self, at: usize) -> Self {
        let of = |schema: &&'a Value| {
            let placed = schema.get("prefixItems").and_then(|all| all.get(at));
            let others = ["items", "contains", "unevaluatedItems"];
            let others: Vec<&Value> =
                others.into_iter().filter_map(|key| schema.get(key)).collect();
            placed.into_iter().chain(others)
        };
        Schema::expanded(self.document, self.all.iter().flat_map(of))
    }

    /// With all that these refer to, each once, so that a schema of many references costs what it
    /// is long.
    fn expanded(document: Option<&'a Value>, from: impl IntoIterator<Item = &'a Value>) -> Self {
        let mut schema = Schema { document, all: Vec::new(), unknown: false };
        let mut todo: Vec<&Value> = from.into_iter().collect();
        let mut seen = std::collections::HashSet::new();
        while let Some(next) = todo.pop() {
            if !seen.insert(std::ptr::from_ref(next)) {
                continue;
            }
            schema.all.push(next);
            for list in ALTERNATIVES.iter().filter_map(|key| next.get(key)?.as_array()) {
                todo.extend(list);
            }
            todo.extend(CONDITIONS.iter().filter_map(|key| next.get(key)));
            let dependent = next.get("dependentSchemas").and_then(Value::as_object);
            todo.extend(dependent.into_iter().flat_map(|all| all.values()));
            for reference in REFERENCES.iter().filter_map(|key| next.get(key)?.as_str()) {
                match document.zip(reference.strip_prefix('#')) {
                    Some((document, pointer)) => match document.pointer(pointer) {
                        Some(found) => todo.push(found),
                        None => schema.unknown = true,
                    },
                    None => schema.unknown = true,
                }
            }
        }
        schema
    }
}

#[cfg(test)]
mod tests {
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
        let schema = Schema::of(&document);
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
        assert!(Schema::of(&document).is_write_only());
    }
}
