//! Counters, gauges and histograms in the proxy's `/metrics`, named `weir_plugin_NAME`, with the
//! plugin's name as the label `plugin`.
//!
//! Names and label names: `[a-z_][a-z0-9_]*`, at most 512 bytes as a label's value, at most 16 labels.
//! At most 64 names a plugin and 256 label sets a name, within the plugin's `limits.quota`. What exceeds
//! that, is malformed, or has the name of one of the proxy's own metrics (such as `calls_total`), is
//! dropped, counted in `weir_plugin_metrics_dropped_total`, and told in the log once for each name. In
//! tests, [`testing::Plugin::dropped_metrics`](crate::testing::Plugin::dropped_metrics) tells.
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
