//! What a server is started with, and why it does not come to serve.

use std::fmt;

use weir_core::clock::Clock;
use weir_core::config::{Environment, Problems, Source};
use weir_wasm::Loader;

/// What a server is started with.
pub struct Options {
    pub source: Source,
    pub environment: Environment,
    /// Embedded components: name and bytes.
    pub built_ins: &'static [(&'static str, &'static [u8])],
    pub clock: Clock,
    /// Where components that are not embedded are compiled.
    pub loader: Loader,
}

/// Why a configuration did not come to serve.
#[derive(Debug)]
pub enum StartError {
    /// It is wrong.
    Config(Problems),
    /// The system refused something: an address, a thread, a file.
    System(String),
    /// The process ends, and takes nothing new into use.
    Ending,
}

impl From<Problems> for StartError {
    fn from(problems: Problems) -> Self {
        StartError::Config(problems)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Config(problems) => write!(f, "{problems}"),
            StartError::System(what) => f.write_str(what),
            StartError::Ending => f.write_str("the process ends: nothing new is taken into use"),
        }
    }
}

impl std::error::Error for StartError {}
