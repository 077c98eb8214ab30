//! Configuration of a plugin: from the JSON the proxy hands over, and its schema.
//!
//! In: JSON text. Out: the plugin, or everything that is wrong with the configuration, and where.
//! Never: shows a secret.

mod duration;
mod json;
mod name;
#[cfg(feature = "regex")]
mod pattern;
mod secret;
mod size;
#[cfg(feature = "regex")]
mod substitution;
#[cfg(test)]
mod tests;

pub use duration::Duration;
pub use name::FieldName;
#[cfg(not(target_family = "wasm"))]
pub(crate) use name::{is_owned_by_proxy, is_token};
#[cfg(feature = "regex")]
pub use pattern::{Pattern, PatternSet};
pub use secret::Secret;
pub use size::Size;
#[cfg(feature = "regex")]
pub use substitution::{MAX_MATCHES, MAX_SUBJECT, Substitution, TooLong};

use crate::{Error, Plugin};
use json::Read;

/// The configuration of a plugin that takes none: any key in it is an error.
#[weir_sdk::config]
#[derive(Debug, Default, Clone, Copy)]
pub struct NoConfig {}

/// Reads the configuration and makes the plugin.
///
/// # Errors
/// All that is wrong. What could not be read is left out for the plugin's own look at the rest.
pub(crate) fn configure<P: Plugin>(text: &str) -> Result<P, Error> {
    let Read { value, found } = json::read(text)?;
    match P::configure(value) {
        Ok(plugin) => found.nothing().map(|()| plugin),
        Err(error) => Err(found.and(error)),
    }
}
