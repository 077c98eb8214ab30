//! Configuration of a plugin: from the JSON the proxy hands over, and its schema.
//!
//! In: JSON text. Out: the plugin, or a text that says where the configuration is wrong.
//! Never: shows a secret.

mod duration;
mod secret;
mod size;
#[cfg(test)]
mod tests;

pub use duration::Duration;
pub use secret::Secret;
pub use size::Size;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use crate::Plugin;

/// The configuration of a plugin that takes none: any key in it is an error.
#[weir_sdk::config]
#[derive(Debug, Default, Clone, Copy)]
pub struct NoConfig {}

/// The JSON Schema (2020-12) of a configuration.
pub(crate) fn schema<C: JsonSchema>() -> String {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = generator.into_root_schema_for::<C>();
    schema.as_value().to_string()
}

/// Reads the configuration and makes the plugin.
pub(crate) fn configure<P: Plugin>(text: &str) -> Result<P, String> {
    let config = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(P::configure(config)?)
}
