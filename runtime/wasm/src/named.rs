//! Which fields a plugin's configuration tells of.
//!
//! In: the configuration, and the schema with its defaults. Out: every word of them that could be a
//! field's name: which the plugin sets or checks. Never: knows what a key means, but for those that
//! say what browsers may be shown (`expose…`), which sets and checks nothing; a word too many only
//! guards a name that nobody uses.

use serde_json::Value;

/// Most words; a configuration with more guards the first.
const MOST: usize = 1024;
/// A longer word that stands alone is none.
const LONGEST_ALONE: usize = 64;
/// How a variable names a field.
const VARIABLE: &str = "request.header.";

/// The words of a configuration and of its schema's defaults.
pub fn fields(config: &str, schema: &str) -> Box<[Box<str>]> {
    let mut words = Vec::new();
    if let Ok(config) = serde_json::from_str::<Value>(config) {
        collect(&config, &mut words);
    }
    if let Ok(schema) = serde_json::from_str::<Value>(schema) {
        defaults(&schema, &mut words);
    }
    words.into()
}

fn collect(value: &Value, words: &mut Vec<Box<str>>) {
    match value {
        Value::String(text) => take(text, words),
        Value::Array(values) => values.iter().for_each(|value| collect(value, words)),
        Value::Object(members) => {
            for (key, value) in members.iter().filter(|(key, _)| !key.starts_with("expose")) {
                take(key, words);
                collect(value, words);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The values of `default`, wherever a schema has them.
fn defaults(schema: &Value, words: &mut Vec<Box<str>>) {
    match schema {
        Value::Array(values) => values.iter().for_each(|value| defaults(value, words)),
        Value::Object(members) => members.iter().for_each(|(key, value)| match key.as_str() {
            "default" => collect(value, words),
            _ => defaults(value, words),
        }),
        _ => {}
    }
}

/// A text that is one word, and otherwise the words that have what only a name of several has.
fn take(text: &str, words: &mut Vec<Box<str>>) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let alone = !text.is_empty() && text.len() <= LONGEST_ALONE && text.chars().all(is_word);
    for word in text.split(|c| !is_word(c)) {
        let (word, is_name) = match word.strip_prefix(VARIABLE) {
            Some(name) => (name, true),
            None => (word, alone || word.contains(['-', '_', '.'])),
        };
        if is_name && words.len() < MOST {
            words.push(word.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_keys_values_variables_and_defaults() {
        let config = r#"{"set": {"X-User": "a"}, "remove": ["x-old"], "key": "{request.header.x-team}:b",
            "realm": "plain words", "deep": [{"header": "x_deep"}], "claims": {"sub": "user"},
            "by": "{request.header.team}", "expose_headers": ["x-shown"], "n": 1}"#;
        let schema = r#"{"properties": {"header": {"type": "string", "default": "x-api-key"}}}"#;
        let fields = fields(config, schema);
        for name in ["X-User", "x-old", "x-team", "x_deep", "x-api-key", "user", "team"] {
            assert!(fields.iter().any(|field| &**field == name), "{name}: {fields:?}");
        }
        for name in ["plain", "words", "x-shown"] {
            assert!(!fields.iter().any(|field| &**field == name), "{name}: {fields:?}");
        }
    }
}
