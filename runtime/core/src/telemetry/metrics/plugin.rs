//! What plugins cost and how they fail.
//!
//! In: hook calls, failures, instances, what is held for them. Out: `weir_plugin_calls_total`,
//! `weir_plugin_duration_seconds`, `weir_plugin_failures_total`, `weir_plugin_instances`,
//! `weir_plugin_memory_bytes`, `weir_plugin_memory_refused_total`, `weir_plugin_log_dropped_total`,
//! `weir_plugin_outbound_total`, `weir_plugin_outbound_duration_seconds`.
//! Never: reads the clock for each call: durations are sampled, one call in [`SAMPLE`] of each worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::cell::{Durations, DurationsSum, Sharded};
use super::custom::{Names, PluginCustomMetrics};
use super::exposition::Exposition;
use super::series::SeriesMap;
use crate::clock;
use crate::quota::{Account, Holding};

/// One call in so many is timed, the first included. A power of two.
const SAMPLE: u64 = 16;

/// Bounds of `weir_plugin_duration_seconds`, in nanoseconds: 1 µs to 1 s.
const BOUNDS: [u64; 15] = [
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
];

/// Labels of `reason`; whatever else a failure says is counted as the last.
const REASONS: [&str; 10] = [
    "trap",
    "deadline",
    "memory",
    "quota",
    "error",
    "invalid-reply",
    "unavailable",
    "busy",
    "timeout",
    "other",
];

/// Labels of `outcome`, of calls to others: as the contract numbers its failures, behind what was answered; and
/// those that nobody waited for to their end, or whose plugin could not have the answer.
const OUTCOMES: [&str; 8] =
    ["answered", "denied", "invalid", "unavailable", "timeout", "too-large", "broken", "given-up"];

/// What came of a call to somebody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    Answered,
    /// As the contract numbers it.
    Failed(usize),
    GivenUp,
}

/// The handle of one plugin.
#[derive(Debug, Clone)]
pub struct PluginMetrics(Arc<Inner>);

/// What the host calls of a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hook {
    Configure,
    Request,
    Response,
    RequestBody,
    ResponseBody,
    Completion,
}

/// One instance of a plugin; dropping it ends it.
#[derive(Debug)]
pub struct InstanceGuard(PluginMetrics);

#[derive(Debug)]
struct Inner {
    cells: Sharded<Cells>,
    custom: Arc<PluginCustomMetrics>,
    account: Arc<Account>,
}

#[derive(Debug, Default)]
struct Cells {
    hooks: [HookCells; Hook::ALL.len()],
    instances: AtomicI64,
    lines_dropped: AtomicU64,
    outbound: OutboundCells,
}

#[derive(Debug, Default)]
struct OutboundCells {
    outcomes: [AtomicU64; OUTCOMES.len()],
    duration: Durations,
}

#[derive(Debug, Default)]
struct HookCells {
    calls: AtomicU64,
    duration: Durations,
    failures: [AtomicU64; REASONS.len()],
}

impl PluginMetrics {
    pub(super) fn new(name: &str, names: Names) -> Self {
        let custom = Arc::new(PluginCustomMetrics::new(name, names));
        let account = Arc::default();
        PluginMetrics(Arc::new(Inner { cells: Sharded::new(), custom, account }))
    }

    /// A hook is about to be called. Gives the time where this call is one to be timed; hand it
    /// to [`PluginMetrics::returned`].
    #[inline]
    pub fn called(&self, hook: Hook) -> Option<Instant> {
        let cells = self.0.cells.local().hooks.get(hook as usize)?;
        let before = cells.calls.fetch_add(1, Relaxed);
        before.is_multiple_of(SAMPLE).then(clock::now)
    }

    /// The hook returned, whatever came of it.
    #[inline]
    pub fn returned(&self, hook: Hook, called: Option<Instant>) {
        let Some(called) = called else { return };
        if let Some(cells) = self.0.cells.local().hooks.get(hook as usize) {
            cells.duration.observe(&BOUNDS, clock::since(called));
        }
    }

    /// A hook failed; `reason` is a word of `chain::Failure`.
    pub fn failed(&self, hook: Hook, reason: &str) {
        let at = REASONS.iter().position(|known| *known == reason).unwrap_or(REASONS.len() - 1);
        let cells = self.0.cells.local().hooks.get(hook as usize);
        if let Some(cell) = cells.and_then(|cells| cells.failures.get(at)) {
            cell.fetch_add(1, Relaxed);
        }
    }

    /// A line that the plugin logged was dropped.
    pub fn line_dropped(&self) {
        self.0.cells.local().lines_dropped.fetch_add(1, Relaxed);
    }

    /// A call to somebody else is over.
    pub fn called_out(&self, outcome: CallOutcome, took: Duration) {
        let cells = &self.0.cells.local().outbound;
        let at = match outcome {
            CallOutcome::Answered => 0,
            CallOutcome::Failed(number) => number + 1,
            CallOutcome::GivenUp => OUTCOMES.len() - 1,
        };
        if let Some(cell) = cells.outcomes.get(at) {
            cell.fetch_add(1, Relaxed);
        }
        cells.duration.observe(&BOUNDS, took);
    }

    /// An instance was made.
    pub fn instance(&self) -> InstanceGuard {
        self.0.cells.local().instances.fetch_add(1, Relaxed);
        InstanceGuard(self.clone())
    }

    /// What the plugin itself registers.
    pub fn custom(&self) -> &Arc<PluginCustomMetrics> {
        &self.0.custom
    }

    /// What is held for the plugin.
    pub fn account(&self) -> &Arc<Account> {
        &self.0.account
    }
}

impl Drop for InstanceGuard {
    fn drop(&mut self) {
        self.0.0.cells.local().instances.fetch_sub(1, Relaxed);
    }
}

impl Hook {
    const ALL: [Hook; Hook::Completion as usize + 1] = [
        Hook::Configure,
        Hook::Request,
        Hook::Response,
        Hook::RequestBody,
        Hook::ResponseBody,
        Hook::Completion,
    ];

    /// The label.
    pub fn as_str(self) -> &'static str {
        match self {
            Hook::Configure => "configure",
            Hook::Request => "request",
            Hook::Response => "response",
            Hook::RequestBody => "request-body",
            Hook::ResponseBody => "response-body",
            Hook::Completion => "completion",
        }
    }
}

pub(super) fn expose(plugins: &SeriesMap<Arc<str>, PluginMetrics>, out: &mut Exposition) {
    let mut calls = out.counter("weir_plugin_calls_total", "Hook calls.");
    each_hook(plugins, |labels, shards| {
        let count: u64 = shards.iter().map(|shard| shard.calls.load(Relaxed)).sum();
        if count > 0 {
            calls.sample(labels, count as f64);
        }
    });
    let mut duration = out.histogram(
        "weir_plugin_duration_seconds",
        "Duration of hook calls, one in 16 calls of each worker timed.",
    );
    each_hook(plugins, |labels, shards| {
        let mut sum = DurationsSum::default();
        shards.iter().for_each(|shard| sum.add(&shard.duration));
        if !sum.is_empty() {
            duration.durations(labels, &BOUNDS, &sum);
        }
    });
    let mut failures = out.counter("weir_plugin_failures_total", "Hook calls that failed.");
    each_hook(plugins, |labels, shards| {
        for (at, reason) in REASONS.iter().enumerate() {
            let cells = shards.iter().filter_map(|shard| shard.failures.get(at));
            let count: u64 = cells.map(|cell| cell.load(Relaxed)).sum();
            if count > 0 {
                let mut labels = labels.to_vec();
                labels.push(("reason", reason));
                failures.sample(&labels, count as f64);
            }
        }
    });
    let mut instances = out.gauge("weir_plugin_instances", "Instances in memory.");
    plugins.each(|plugin, PluginMetrics(inner)| {
        let cells = inner.cells.iter();
        let count: i64 = cells.map(|shard| shard.instances.load(Relaxed)).sum();
        instances.sample(&[("plugin", plugin)], count as f64);
    });
    let mut lines = out.counter(
        "weir_plugin_log_dropped_total",
        "Log lines of a plugin beyond those that one call may write.",
    );
    plugins.each(|plugin, PluginMetrics(inner)| {
        let count = inner.cells.sum(|shard| &shard.lines_dropped);
        if count > 0 {
            lines.sample(&[("plugin", plugin)], count as f64);
        }
    });
    outbound(plugins, out);
    let mut memory = out.gauge(
        "weir_plugin_memory_bytes",
        "What is held for a plugin outside of its instances; bounded by limits.quota.",
    );
    each_holding(plugins, |labels, account, holding| {
        memory.sample(labels, account.held(holding) as f64);
    });
    let mut refused = out.counter(
        "weir_plugin_memory_refused_total",
        "How often something was not kept for a plugin, because limits.quota was used up.",
    );
    each_holding(plugins, |labels, account, holding| {
        let count = account.refused(holding);
        if count > 0 {
            refused.sample(labels, count as f64);
        }
    });
}

fn outbound(plugins: &SeriesMap<Arc<str>, PluginMetrics>, out: &mut Exposition) {
    let mut calls = out.counter("weir_plugin_outbound_total", "Calls of a plugin to upstreams.");
    plugins.each(|plugin, PluginMetrics(inner)| {
        for (at, outcome) in OUTCOMES.iter().enumerate() {
            let cells = inner.cells.iter().filter_map(|shard| shard.outbound.outcomes.get(at));
            let count: u64 = cells.map(|cell| cell.load(Relaxed)).sum();
            if count > 0 {
                calls.sample(&[("plugin", plugin), ("outcome", outcome)], count as f64);
            }
        }
    });
    let mut duration = out.histogram(
        "weir_plugin_outbound_duration_seconds",
        "Duration of a plugin's calls to upstreams.",
    );
    plugins.each(|plugin, PluginMetrics(inner)| {
        let mut sum = DurationsSum::default();
        inner.cells.iter().for_each(|shard| sum.add(&shard.outbound.duration));
        if !sum.is_empty() {
            duration.durations(&[("plugin", plugin)], &BOUNDS, &sum);
        }
    });
}

fn each_holding(
    plugins: &SeriesMap<Arc<str>, PluginMetrics>,
    mut visit: impl FnMut(&[(&str, &str)], &Account, Holding),
) {
    plugins.each(|plugin, PluginMetrics(inner)| {
        for holding in Holding::ALL {
            visit(&[("plugin", plugin), ("kind", holding.as_str())], &inner.account, holding);
        }
    });
}

fn each_hook(
    plugins: &SeriesMap<Arc<str>, PluginMetrics>,
    mut visit: impl FnMut(&[(&str, &str)], &[&HookCells]),
) {
    plugins.each(|plugin, PluginMetrics(inner)| {
        for hook in Hook::ALL {
            let shards: Vec<&HookCells> =
                inner.cells.iter().filter_map(|shard| shard.hooks.get(hook as usize)).collect();
            visit(&[("plugin", plugin), ("hook", hook.as_str())], &shards);
        }
    });
}
