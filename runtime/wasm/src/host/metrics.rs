//! `weir:plugin/metrics`.
//!
//! In: names, labels and numbers of a guest. Out: counts in the plugin's own part of `/metrics`.
//! Never: trusts a name; `telemetry` drops and counts what is malformed or too much.

use std::borrow::Cow;

use wasmtime::Result;
use weir_core::telemetry::metrics::{MAX_LABELS, WorkerCustomMetrics};

use super::at_hand::{Context, at_hand};
use super::function::{HostFunction, functions};
use crate::memory::{self, Records, Span};
use crate::shared::Shared;

pub const FUNCTIONS: &[HostFunction] = functions! { "weir:plugin/metrics":
    "count" "(string, list<tuple<string, string>>, u64)" => count;
    "gauge" "(string, list<tuple<string, string>>, f64)" => gauge;
    "observe" "(string, list<tuple<string, string>>, f64)" => observe;
};

type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

fn count(caller: Context<'_>, at: u32, length: u32, labels: u32, of: u32, by: u64) -> Result<()> {
    let (name, labels) = (Span { at, length }, Span { at: labels, length: of });
    sample(caller, name, labels, |metrics, name, labels, shared| {
        metrics.count(name, labels, by, shared);
    })
}

fn gauge(caller: Context<'_>, at: u32, length: u32, labels: u32, of: u32, to: f64) -> Result<()> {
    let (name, labels) = (Span { at, length }, Span { at: labels, length: of });
    sample(caller, name, labels, |metrics, name, labels, shared| {
        metrics.gauge(name, labels, to, shared);
    })
}

fn observe(
    caller: Context<'_>,
    at: u32,
    length: u32,
    labels: u32,
    of: u32,
    value: f64,
) -> Result<()> {
    let (name, labels) = (Span { at, length }, Span { at: labels, length: of });
    sample(caller, name, labels, |metrics, name, labels, shared| {
        metrics.observe(name, labels, value, shared);
    })
}

fn sample(
    mut caller: Context<'_>,
    name: Span,
    labels: Span,
    act: impl FnOnce(&mut WorkerCustomMetrics, &str, &Pairs<'_>, &Shared),
) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let labels = Records::of_pairs(memory, state, labels)?;
    let name = memory::text(memory, state, name)?;
    if labels.len() > MAX_LABELS {
        state.metrics.borrow().too_many_labels(&name);
        return Ok(());
    }
    let text = |span: Span| memory::text(memory, state, span);
    let pairs = labels.pairs(memory).map(|pair| {
        let (name, value) = pair?;
        Ok((text(name)?, text(value)?))
    });
    let pairs = pairs.collect::<Result<Pairs<'_>>>()?;
    act(&mut state.metrics.borrow_mut(), &name, &pairs, &state.shared);
    Ok(())
}
