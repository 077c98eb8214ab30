//! `weir:plugin/metrics`.
//!
//! In: names, labels and numbers of a guest. Out: counts in the plugin's own part of `/metrics`.
//! Never: trusts a name; `telemetry` drops and counts what is malformed or too much.

use std::borrow::Cow;

use wasmtime::Result;
use wasmtime::component::{WasmList, WasmStr};
use weir_core::telemetry::metrics::{MAX_LABELS, WorkerCustomMetrics};

use super::{Context, Interface, bounds};
use crate::shared::Shared;

type Labels = WasmList<(WasmStr, WasmStr)>;
type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

pub(super) fn link(metrics: &mut Interface<'_>) -> Result<()> {
    metrics.func_wrap("count", |store: Context, (name, labels, by): (WasmStr, Labels, u64)| {
        sample(store, &name, &labels, |metrics, name, labels, shared| {
            metrics.count(name, labels, by, shared);
        })
    })?;
    metrics.func_wrap(
        "gauge",
        |store: Context, (name, labels, value): (WasmStr, Labels, f64)| {
            sample(store, &name, &labels, |metrics, name, labels, shared| {
                metrics.gauge(name, labels, value, shared);
            })
        },
    )?;
    metrics.func_wrap("observe", |store: Context, (name, labels, value): (WasmStr, Labels, f64)| {
        sample(store, &name, &labels, |metrics, name, labels, shared| {
            metrics.observe(name, labels, value, shared);
        })
    })
}

fn sample(
    mut store: Context<'_>,
    name: &WasmStr,
    labels: &Labels,
    act: impl FnOnce(&mut WorkerCustomMetrics, &str, &Pairs<'_>, &Shared),
) -> Result<()> {
    if labels.len() > MAX_LABELS {
        let name = bounds::text(&store, name)?;
        store.data().metrics.borrow().too_many_labels(&name);
        return Ok(());
    }
    let labels = labels.iter(&mut store)?.collect::<Result<Vec<_>>>()?;
    let name = bounds::text(&store, name)?;
    let text = |text: &WasmStr| bounds::text(&store, text);
    let pairs = labels.iter().map(|(key, value)| Ok((text(key)?, text(value)?)));
    let pairs = pairs.collect::<Result<Pairs<'_>>>()?;
    let state = store.data();
    act(&mut state.metrics.borrow_mut(), &name, &pairs, &state.shared);
    Ok(())
}
