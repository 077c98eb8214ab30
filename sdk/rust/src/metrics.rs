//! Counters, gauges and histograms in the proxy's `/metrics`, named `weir_plugin_NAME`, with the
//! plugin's name as the label `plugin`.
//!
//! Names and label names: `[a-z_][a-z0-9_]*`. At most 64 names a plugin and 256 label sets a name;
//! what exceeds that, or is malformed, is dropped and counted.
//!
//! ```no_run
//! weir_sdk::metrics::count("keys_refused", &[("reason", "unknown")], 1);
//! ```

use crate::host;

/// Adds to a counter.
pub fn count(name: &str, labels: &[(&str, &str)], by: u64) {
    host::metrics::count(name, labels, by);
}

/// Sets a gauge.
pub fn gauge(name: &str, labels: &[(&str, &str)], value: f64) {
    host::metrics::gauge(name, labels, value);
}

/// Adds an observation to a histogram with the proxy's default buckets (seconds).
pub fn observe(name: &str, labels: &[(&str, &str)], value: f64) {
    host::metrics::observe(name, labels, value);
}
