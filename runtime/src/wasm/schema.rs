//! A plugin's configuration against the schema that the plugin gives of it.
//!
//! In: `config` as JSON text, `describe().config-schema`. Out: every violation, with its place.
//! Never: tells a value: it may be a secret.

use serde_json::{Map, Value};

use super::problem::Problem;

/// Checks a configuration.
///
/// # Errors
/// Every violation, or that the schema itself is none.
pub fn check(config: &str, schema: &str) -> Result<(), Vec<Problem>> {
    let config: Value = serde_json::from_str(config)
        .map_err(|error| vec![at("", format!("the configuration is no JSON object: {error}"))])?;
    if schema.trim().is_empty() {
        let none = config.as_object().is_none_or(Map::is_empty);
        let problem = || at("", "the plugin takes no configuration").hint("remove `config`");
        return if none { Ok(()) } else { Err(vec![problem()]) };
    }
    let broken = |error: String| {
        vec![Problem::component(format!(
            "the plugin's own configuration schema is broken: {error}"
        ))]
    };
    let schema: Value = serde_json::from_str(schema).map_err(|error| broken(error.to_string()))?;
    let validator =
        jsonschema::validator_for(&schema).map_err(|error| broken(error.to_string()))?;
    let problems: Vec<Problem> = validator
        .iter_errors(&config)
        .map(|error| {
            let place = error.instance_path().to_string();
            at(&place, error.masked_with("this value").to_string())
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// About a place in `config`.
pub fn at(pointer: &str, message: impl Into<String>) -> Problem {
    Problem { pointer: Some(format!("/config{pointer}")), message: message.into(), hint: None }
}
