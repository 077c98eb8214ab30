//! Which parts of a plugin's table its schema calls `writeOnly` (JSON Schema 2020-12, validation, 9.4).
//!
//! In: the schema's document. Out: the schemas that may say something of one value, or where in a
//! table the secrets are. Never: decides between alternatives: what one of them calls secret is, and
//! so is what cannot be found out; takes longer than its [`Steps`].

#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::collections::HashSet;

use regex::Regex;
use serde_json::Value;

/// Subschemas that are looked at for one table. What a schema of more says of the rest is not known.
const MAX_STEPS: usize = 100_000;
/// What compiling a pattern costs of them.
const PATTERN: usize = 100;

/// What is left of the work that one table may cost.
pub(super) struct Steps(Cell<usize>);

/// All schemas that may hold for a value.
pub(super) struct WriteOnly<'a> {
    of: Option<(&'a Value, &'a Steps)>,
    all: Vec<&'a Value>,
    /// One refers to what is not in the document, or there was too much to look at.
    unknown: bool,
}

/// JSON pointers to the secrets of a plugin's table, each starting with `/config`.
pub fn secrets_of(config: &Value, document: &Value) -> Vec<String> {
    let steps = Steps::default();
    let mut found = Vec::new();
    look(config, &WriteOnly::of(document, &steps), "/config", &mut found);
    found
}

fn look(value: &Value, schema: &WriteOnly<'_>, pointer: &str, found: &mut Vec<String>) {
    if schema.is_write_only() {
        return found.push(pointer.to_owned());
    }
    match value {
        Value::Object(table) => {
            for (name, value) in table {
                let step = name.replace('~', "~0").replace('/', "~1");
                look(value, &schema.member(name), &format!("{pointer}/{step}"), found);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                look(item, &schema.item(at), &format!("{pointer}/{at}"), found);
            }
        }
        _ => {}
    }
}

/// Keywords under which other schemas for the same value stand.
const ALTERNATIVES: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const CONDITIONS: [&str; 3] = ["if", "then", "else"];
const REFERENCES: [&str; 2] = ["$ref", "$dynamicRef"];

impl Default for Steps {
    fn default() -> Self {
        Steps(Cell::new(MAX_STEPS))
    }
}

impl Steps {
    /// Whether there are so many left, which they are not any more.
    fn take(&self, count: usize) -> bool {
        let left = self.0.get().checked_sub(count);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }
}

impl<'a> WriteOnly<'a> {
    /// Says nothing of any value.
    pub(super) fn nothing() -> Self {
        WriteOnly { of: None, all: Vec::new(), unknown: false }
    }

    pub(super) fn of(document: &'a Value, steps: &'a Steps) -> Self {
        WriteOnly::expanded(Some((document, steps)), [document])
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
                let affordable = self.of.is_some_and(|(_, steps)| steps.take(PATTERN));
                if !affordable || Regex::new(pattern).map_or(true, |known| known.is_match(name)) {
                    found.push(schema);
                }
            }
            if found.is_empty() {
                let others = ["additionalProperties", "unevaluatedProperties"];
                found.extend(others.iter().filter_map(|key| schema.get(key)));
            }
            found
        };
        WriteOnly::expanded(self.of, self.all.iter().flat_map(of))
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
        WriteOnly::expanded(self.of, self.all.iter().flat_map(of))
    }

    /// With all that these refer to, each once, so that a schema of many references costs what it
    /// is long.
    fn expanded(
        of: Option<(&'a Value, &'a Steps)>,
        from: impl IntoIterator<Item = &'a Value>,
    ) -> Self {
        let mut schema = WriteOnly { of, all: Vec::new(), unknown: false };
        let mut todo: Vec<&Value> = from.into_iter().collect();
        let mut seen = HashSet::new();
        while let Some(next) = todo.pop() {
            if !seen.insert(std::ptr::from_ref(next)) {
                continue;
            }
            if !of.is_some_and(|(_, steps)| steps.take(1)) {
                schema.unknown = true;
                break;
            }
            schema.all.push(next);
            for list in ALTERNATIVES.iter().filter_map(|key| next.get(key)?.as_array()) {
                todo.extend(list);
            }
            todo.extend(CONDITIONS.iter().filter_map(|key| next.get(key)));
            let dependent = next.get("dependentSchemas").and_then(Value::as_object);
            todo.extend(dependent.into_iter().flat_map(|all| all.values()));
            for reference in REFERENCES.iter().filter_map(|key| next.get(key)?.as_str()) {
                match of.zip(reference.strip_prefix('#')) {
                    Some(((document, _), pointer)) => match document.pointer(pointer) {
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
