//! A plugin's configuration against the schema that the plugin gives of it.
//!
//! In: `config` as JSON text, `describe().config-schema`. Out: every violation, with its place; and
//! where secrets are. Never: tells a value: it may be a secret.

#[cfg(test)]
mod tests;
mod violation;

use serde_json::{Map, Value};
use weir_core::config::{Flaw, secrets_of};

use super::problem::Problem;

/// Problems of one plugin's table; nobody reads more at once.
const MAX_PROBLEMS: usize = 100;

/// Checks a configuration, and finds the values in it that the schema calls `writeOnly`: JSON
/// pointers into the plugin's table, such as `/config/secret`.
///
/// # Errors
/// Every violation, or that the schema itself is none.
pub fn check(config: &str, schema: &str) -> Result<Vec<String>, Vec<Problem>> {
    let config: Value = serde_json::from_str(config)
        .map_err(|error| vec![at("", format!("the configuration is no JSON object: {error}"))])?;
    if schema.trim().is_empty() {
        let none = config.as_object().is_none_or(Map::is_empty);
        let problem = || at("", "the plugin takes no configuration").hint("remove `config`");
        return if none { Ok(Vec::new()) } else { Err(vec![problem()]) };
    }
    let broken = |error: String| {
        vec![Problem::component(format!(
            "the plugin's own configuration schema is broken: {error}"
        ))]
    };
    let schema: Value = serde_json::from_str(schema).map_err(|error| broken(error.to_string()))?;
    let validator =
        jsonschema::validator_for(&schema).map_err(|error| broken(error.to_string()))?;
    let mut problems = Vec::new();
    for error in validator.iter_errors(&config).take(MAX_PROBLEMS) {
        violation::add(&error, &schema, &mut problems);
    }
    problems.truncate(MAX_PROBLEMS);
    let secrets = secrets_of(&config, &schema);
    if problems.is_empty() {
        return Ok(secrets);
    }
    let secrets: std::sync::Arc<[String]> = secrets.into();
    let told = |problem| Problem { secrets: secrets.clone(), ..problem };
    Err(problems.into_iter().map(told).collect())
}

/// About a place in `config`.
fn at(pointer: &str, message: impl Into<String>) -> Problem {
    Problem::at(format!("/config{pointer}"), Flaw::Said(message.into()))
}
