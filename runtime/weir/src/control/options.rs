//! What a server is started with, and why it does not come to serve.
//!
//! In: the command line, or a test. Out: [`Options`]; and [`StartError`]s, with the exit code's reason. Never:
//! reads a file itself.

use std::error::Error;
use std::{fmt, io};

use weir_core::clock::Clock;
use weir_core::config::{Environment, Problems, Source};
use weir_core::error::Chain;
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
    /// The system refused something: an address, a thread, a file. What that was, and what the system
    /// said.
    System(String, Option<Box<dyn Error + Send + Sync>>),
    /// The process ends, and takes nothing new into use.
    Ending,
}

impl StartError {
    /// The system refused something, and says no more of it.
    pub fn system(what: impl Into<String>) -> StartError {
        StartError::System(what.into(), None)
    }

    /// The system refused something, for this reason.
    pub fn refused(
        what: impl Into<String>,
        why: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> StartError {
        StartError::System(what.into(), Some(why.into()))
    }
}

/// An error that says itself what was refused.
impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        StartError::refused("", error)
    }
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
            StartError::System(what, None) => f.write_str(what),
            StartError::System(what, Some(why)) if what.is_empty() => Chain(&**why).fmt(f),
            StartError::System(what, Some(why)) => write!(f, "{what}: {}", Chain(&**why)),
            StartError::Ending => f.write_str("the process ends: nothing new is taken into use"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            StartError::System(_, why) => why.as_ref().map(|why| &**why as &(dyn Error + 'static)),
            StartError::Config(problems) => Some(problems),
            StartError::Ending => None,
        }
    }
}
