//! Reading a configuration, at the start and for a reload.
//!
//! In: where it is, and files that are held as they were. Out: what may be built, or all that is wrong,
//! with what plugins say of it. Never: builds or serves it.

use std::time::SystemTime;

use weir_core::config::{self, Config, Held, Problem, Refused};
use weir_wasm::Host;

use super::build;
use super::options::{Options, StartError};

pub(super) fn load(options: &Options, held: Held) -> Result<Config, Box<Refused>> {
    let names: Vec<&str> = options.built_ins.iter().map(|(name, _)| *name).collect();
    config::read(&options.source, &options.environment, &names, held)
}

pub(super) fn warn(warnings: &[Problem]) {
    for warning in warnings {
        tracing::warn!("{}", warning.as_warning());
    }
}

pub(super) fn all_problems(refused: Refused, host: &Host, now: SystemTime) -> StartError {
    match build::problems(refused, host, now) {
        Some(problems) => StartError::Config(problems),
        None => StartError::system("the configuration was refused, and nothing says why"),
    }
}
