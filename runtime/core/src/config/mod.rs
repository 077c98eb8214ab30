//! Configuration: as written → checked → as used.
//!
//! In: TOML files, the environment. Out: one [`Config`], or every problem at once, each with
//! file:line:column and a hint, and what is sound nevertheless. Never: opens a socket or starts
//! anything.
//!
//! ```text
//! source ─tree, recover─▶ Node ─overrides─▶ ─interpolate─▶ Node ─check─▶ Config, or Refused
//!                                     keys (what there is) ──▲   places (where it stands) ──▶ masked
//! ```

mod address;
mod check;
mod contents;
mod environment;
mod excerpt;
mod field;
pub mod file;
mod finding;
mod interpolate;
#[rustfmt::skip] // a table reads as rows
pub mod keys;
mod masked;
mod matcher;
mod mismatch;
mod model;
mod nearest;
mod overrides;
mod path;
mod pattern;
pub mod pem;
mod place;
mod places;
mod precedence;
mod problem;
mod read;
mod recover;
mod report;
mod scalar;
mod secret;
mod source;
mod stamp;
mod syntax;
mod told;
mod torn;
mod tree;
mod write_only;

#[cfg(test)]
pub(crate) mod cases;
#[cfg(test)]
mod tests;

pub use contents::{Contents, Held, unfinished};
pub use environment::Environment;
pub use finding::{Finding, Flaw};
pub use mismatch::Wanted;
pub use model::*;
pub use nearest::nearest;
pub use pattern::{Pattern, Steps, TooLong};
pub use place::{Place, Span};
pub use places::Places;
pub(crate) use precedence::precedence;
pub use problem::{Excerpt, Problem, Problems};
pub use source::Source;
pub use stamp::{Sources, Stamp, is_configuration};
pub use write_only::secrets_of;

use std::sync::Arc;

use excerpt::Excerpts;
use report::{Collected, Report};

/// The endpoint of an origin, as `http://host:port` or `https://host:port` name it.
pub fn origin(url: &str) -> Option<Endpoint> {
    address::origin(url).ok()
}

/// A configuration with problems.
#[derive(Debug)]
pub struct Refused {
    /// Never empty.
    pub problems: Vec<Problem>,
    /// Its parts without a problem, so that those who look further at them can say what else is
    /// wrong. Names that are indices mean nothing here.
    pub sound: Config,
}

/// Reads a configuration, with what `environment` overrides and fills in.
///
/// `built_ins` are the names of the embedded components. Reads the files that the configuration names:
/// of certificates and keys it says whether they are PEM, components are only looked for. Files that
/// are `held` are as they were.
///
/// # Errors
///
/// Every problem there is. What stands in a line that is not TOML is not looked at, and nothing is
/// missing that may stand there.
pub fn read(
    source: &Source,
    environment: &Environment,
    built_ins: &[&str],
    held: Held,
) -> Result<Config, Box<Refused>> {
    let report = Report::new(Contents::without(held));
    let folder = source.folder();
    let mut root = source::read(source, &report);
    overrides::apply(&mut root, environment, &report);
    interpolate::interpolate(&mut root, "", environment, &folder, &report);
    let checked = check::check(&root, environment, folder, built_ins, &report);
    let Collected { mut problems, mut warnings, sources, contents, texts } = report.finish();
    let excerpts = Excerpts::new(texts, &root);
    problems.iter_mut().chain(&mut warnings).for_each(|problem| excerpts.add_to(problem));
    let check::Checked { server, listeners, plugins, routes, upstreams, certificates } = checked;
    let places = Arc::new(Places::new(root, excerpts));
    let contents = Arc::new(contents);
    let config = Config {
        server,
        listeners,
        plugins,
        routes,
        upstreams,
        certificates,
        sources,
        contents,
        warnings,
        places,
    };
    match problems.is_empty() {
        true => Ok(config),
        false => Err(Box::new(Refused { problems, sound: config })),
    }
}

/// As [`read()`], without what is sound.
///
/// # Errors
///
/// Every problem there is.
pub fn load(
    source: &Source,
    environment: &Environment,
    built_ins: &[&str],
) -> Result<Config, Problems> {
    read(source, environment, built_ins, Held::new()).map_err(|refused| {
        let Refused { problems, sound } = *refused;
        Problems::of(problems, sound.warnings).unwrap_or_else(|| {
            Problem::new(Place::Whole("configuration".into()), "", "it could not be read").into()
        })
    })
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
