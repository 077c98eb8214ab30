//! A configuration against the schema that the plugin gives of it, as the proxy checks it.
//!
//! In: the configuration as JSON, the schema as text. Out: nothing, or every violation with its
//! place. Never: shows a value: it may be a secret.

use serde_json::Value;

/// Checks a configuration.
///
/// # Errors
/// Every violation, or that the schema itself is none.
pub(crate) fn check(config: &Value, schema: &str) -> Result<(), String> {
    let broken = |error: String| format!("the plugin's own schema is broken: {error}");
    let schema: Value = serde_json::from_str(schema).map_err(|error| broken(error.to_string()))?;
    let validator =
        jsonschema::validator_for(&schema).map_err(|error| broken(error.to_string()))?;
    let problems: Vec<String> = validator
        .iter_errors(config)
        .map(|error| format!("{}: {}", error.instance_path(), error.masked_with("this value")))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("; ")) }
}
