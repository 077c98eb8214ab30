//! Where a plugin looks for credentials, as its schema tells: a value of the configuration that is
//! annotated with `x-weir-credential` names the place.
//!
//! In: the configuration and the schema. Out: the names of query parameters, which stand in targets and
//! so in logs. Never: fails; what says nothing of credentials has none.

use serde_json::Value;

/// The annotation; its value says what kind of place is named.
const ANNOTATION: &str = "x-weir-credential";
/// Keywords that hold schemas for the value itself.
const ALTERNATIVES: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Levels that are looked into.
const MAX_DEPTH: usize = 16;
/// Most names; nobody has more places.
const MOST: usize = 64;

/// The query parameters in which a plugin looks for credentials.
pub fn parameters(config: &str, schema: &str) -> Box<[Box<str>]> {
    let mut names = Vec::new();
    if let (Ok(config), Ok(schema)) = (serde_json::from_str(config), serde_json::from_str(schema)) {
        look(Some(&config), &schema, 0, &mut names);
    }
    names.truncate(MOST);
    names.into()
}

fn look(value: Option<&Value>, schema: &Value, depth: usize, names: &mut Vec<Box<str>>) {
    if depth > MAX_DEPTH || names.len() > MOST {
        return;
    }
    let value = value.or(schema.get("default"));
    if schema[ANNOTATION] == "query" {
        take(value, names);
    }
    for keyword in ALTERNATIVES {
        for schema in schema[keyword].as_array().into_iter().flatten() {
            look(value, schema, depth + 1, names);
        }
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        look(value.and_then(|value| value.get(key)), schema, depth + 1, names);
    }
    for item in value.and_then(Value::as_array).into_iter().flatten() {
        look(Some(item), &schema["items"], depth + 1, names);
    }
}

/// A name, or a list of them.
fn take(value: Option<&Value>, names: &mut Vec<Box<str>>) {
    match value {
        Some(Value::String(name)) if !name.is_empty() => names.push(name.as_str().into()),
        Some(Value::Array(all)) => all.iter().for_each(|name| take(Some(name), names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotated_values_name_parameters() {
        let schema = r#"{"properties": {
            "query": {"type": "string", "x-weir-credential": "query"},
            "header": {"type": "string", "x-weir-credential": "header"},
            "more": {"items": {"x-weir-credential": "query"}},
            "own": {"properties": {"p": {"x-weir-credential": "query", "default": "token"}}},
            "either": {"anyOf": [{"x-weir-credential": "query"}, {"type": "boolean"}]}}}"#;
        let config = r#"{"query": "k", "header": "x-key", "more": ["a", "b"], "own": {},
            "either": "e", "other": "o"}"#;
        let mut names = parameters(config, schema).to_vec();
        names.sort();
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        assert_eq!(names, ["a", "b", "e", "k", "token"]);
        assert!(parameters("{}", "").is_empty());
        assert!(parameters("{}", "true").is_empty());
    }
}
