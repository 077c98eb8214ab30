//! Configuration: as written → checked → as used.
//!
//! In: TOML files, the environment. Out: one [`Config`], or every problem at once, each with
//! file:line:column and a hint. Never: opens a socket or starts anything.
//!
//! ```text
//! source ─tree─▶ Node ─overrides─▶ ─interpolate─▶ Node ─check─▶ Config
//!                                     keys (what there is) ──▲   places (where it stands) ──▶ masked
//! ```

mod address;
mod check;
mod environment;
mod field;
pub mod file;
mod interpolate;
#[rustfmt::skip] // a table reads as rows
pub mod keys;
mod masked;
mod matcher;
mod mismatch;
mod model;
mod overrides;
mod places;
mod problem;
mod read;
mod scalar;
mod source;
mod stamp;
mod tree;

#[cfg(test)]
pub(crate) mod cases;
#[cfg(test)]
mod tests;

pub use environment::Environment;
pub use model::*;
pub use places::Places;
pub use problem::{Place, Problem, Problems};
pub use source::Source;
pub use stamp::{Sources, Stamp};

use std::sync::Arc;

use problem::Report;

/// Reads a configuration, with what `environment` overrides and fills in.
///
/// `built_ins` are the names of the embedded components. Reads the files that the configuration
/// names, and checks certificates and keys; components are only looked for.
///
/// # Errors
///
/// Every problem there is, unless files cannot be parsed: then every problem with that.
pub fn load(
    source: &Source,
    environment: &Environment,
    built_ins: &[&str],
) -> Result<Config, Problems> {
    load_with_sources(source, environment, built_ins).0
}

/// As [`load`], with every file that was read, or would have been were it there: what to watch
/// where the configuration is wrong and a file that it names may yet come.
pub fn load_with_sources(
    source: &Source,
    environment: &Environment,
    built_ins: &[&str],
) -> (Result<Config, Problems>, Sources) {
    let report = Report::default();
    let folder = source.folder();
    let mut tree = source::read(source, &report);
    let mut checked = None;
    if let Some(tree) = &mut tree {
        overrides::apply(tree, environment, &report);
        interpolate::interpolate(tree, "", environment, &folder, &report);
        checked = check::check(tree, environment, folder, built_ins, &report);
    }
    let (problems, warnings, sources) = report.finish();
    let read = sources.clone();
    let loaded = match (problems, tree, checked) {
        (None, Some(tree), Some(checked)) => {
            let check::Checked { server, listeners, plugins, routes, upstreams } = checked;
            let places = Arc::new(Places::new(tree));
            Ok(Config { server, listeners, plugins, routes, upstreams, sources, warnings, places })
        }
        (problems, ..) => Err(problems.unwrap_or_else(|| {
            let place = Place::Whole("configuration".into());
            Problem::new(place, "", "it could not be read").into()
        })),
    };
    (loaded, read)
}

/// The effective configuration for people, defaults included, without what is a secret or may be
/// one. `schema_of` gives the schema of a plugin's `config`, by the plugin's name; where there is
/// none, nothing of it is shown.
pub fn masked(
    config: &Config,
    schema_of: &dyn Fn(&str) -> Option<serde_json::Value>,
) -> serde_json::Value {
    config.places.masked(schema_of)
}
