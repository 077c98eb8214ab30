//! What a `Host` is made with.

use std::path::PathBuf;

use weir_core::clock::Clock;
use weir_core::telemetry::metrics::Metrics;

use super::apart::Loader;

/// A built-in plugin: its name and its component.
pub type BuiltIn = (&'static str, &'static [u8]);

/// What a [`Host`](super::Host) is made with.
#[derive(Debug, Clone, Default)]
pub struct HostOptions {
    /// Where compiled components are kept; none: nowhere.
    pub cache_dir: Option<PathBuf>,
    pub metrics: Metrics,
    pub clock: Clock,
    /// What `component = "NAME"` means. Trusted: compiled in this process.
    pub built_ins: &'static [BuiltIn],
    /// Where all other components are compiled.
    pub loader: Loader,
}
