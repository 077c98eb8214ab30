//! Where a configuration has values that its schema calls `writeOnly`.
//!
//! In: both. Out: JSON pointers. Never: takes longer than its steps: a schema that branches without
//! end hides everything instead.

use serde_json::Value;

use super::violation::{below, branches, resolved};

/// Subschemas looked at.
const MAX_STEPS: usize = 20_000;

/// JSON pointers into the plugin's table, each starting with `/config`.
pub(super) fn find(config: &Value, schema: &Value) -> Vec<String> {
    let mut search = Search { root: schema, steps: MAX_STEPS, found: Vec::new() };
    search.look(config, schema, "/config");
    match search.steps {
        0 => vec!["/config".to_owned()],
        _ => search.found,
    }
}

struct Search<'a> {
    root: &'a Value,
    steps: usize,
    found: Vec<String>,
}

impl<'a> Search<'a> {
    fn look(&mut self, value: &Value, schema: &'a Value, pointer: &str) {
        let Some(left) = self.steps.checked_sub(1) else { return };
        self.steps = left;
        let schema = resolved(schema, self.root);
        if schema["writeOnly"] == Value::Bool(true) {
            return self.found.push(pointer.to_owned());
        }
        for branch in branches(schema) {
            self.look(value, branch, pointer);
        }
        match value {
            Value::Object(table) => {
                for (key, value) in table {
                    let step = key.replace('~', "~0").replace('/', "~1");
                    for schema in below(schema, key) {
                        self.look(value, schema, &format!("{pointer}/{step}"));
                    }
                }
            }
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let of_place = schema["prefixItems"].get(i).or_else(|| schema.get("items"));
                    if let Some(schema) = of_place {
                        self.look(item, schema, &format!("{pointer}/{i}"));
                    }
                }
            }
            _ => {}
        }
    }
}
