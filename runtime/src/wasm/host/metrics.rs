//! `weir:plugin/metrics`.
//!
//! In: names, labels and numbers of a guest. Out: counts in the plugin's own part of `/metrics`.
//! Never: trusts a name; `telemetry` drops and counts what is malformed or too much.

use wasmtime::Result;

use super::{Context, Interface};

type Labels = Vec<(String, String)>;

pub(super) fn link(metrics: &mut Interface<'_>) -> Result<()> {
    metrics.func_wrap(
        "count",
        |mut store: Context, (name, labels, by): (String, Labels, u64)| {
            store.data_mut().metrics.count(&name, &labels, by);
            Ok(())
        },
    )?;
    metrics.func_wrap(
        "gauge",
        |mut store: Context, (name, labels, value): (String, Labels, f64)| {
            store.data_mut().metrics.gauge(&name, &labels, value);
            Ok(())
        },
    )?;
    metrics.func_wrap(
        "observe",
        |mut store: Context, (name, labels, value): (String, Labels, f64)| {
            store.data_mut().metrics.observe(&name, &labels, value);
            Ok(())
        },
    )
}
