//! Metrics in the fake proxy, by the rules of the real one.
//!
//! In: names, labels and numbers as a plugin gives them. Out: values, and what was dropped and why.
//! Never: keeps a sample that the proxy would drop.

use std::collections::BTreeMap;

const MAX_NAMES: usize = 64;
const MAX_LABEL_SETS: usize = 256;
const MAX_LABELS: usize = 16;
const MAX_BYTES: usize = 512;

/// The proxy's own metrics of a plugin, without `weir_plugin_`.
const RESERVED: [&str; 10] = [
    "calls_total",
    "duration_seconds",
    "failures_total",
    "instances",
    "log_dropped_total",
    "memory_bytes",
    "memory_refused_total",
    DROPPED,
    "outbound_total",
    "outbound_duration_seconds",
];
const DROPPED: &str = "metrics_dropped_total";
const HISTOGRAMS: [&str; 2] = ["duration_seconds", "outbound_duration_seconds"];
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// Sorted by name.
type Labels = Vec<(String, String)>;

/// Everything a plugin has counted.
#[derive(Default)]
pub(crate) struct Metrics {
    families: BTreeMap<String, Family>,
    dropped: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

struct Family {
    kind: Kind,
    /// The value, or every observation.
    series: BTreeMap<Labels, Vec<f64>>,
}

// === impl Metrics ===

impl Metrics {
    pub(crate) fn count(&mut self, name: &str, labels: &[(&str, &str)], by: u64) {
        self.with(Kind::Counter, name, labels, |values| {
            *values = vec![values.iter().sum::<f64>() + by as f64];
        });
    }

    pub(crate) fn gauge(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.with(Kind::Gauge, name, labels, |values| *values = vec![value]);
    }

    pub(crate) fn observe(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        if value.is_nan() {
            return self.dropped.push(format!("`{name}`: the value is no number"));
        }
        self.with(Kind::Histogram, name, labels, |values| values.push(value));
    }

    /// The values of a series; none where there is no such.
    pub(crate) fn values(&self, name: &str, labels: &[(&str, &str)]) -> Vec<f64> {
        if name == DROPPED {
            return vec![self.dropped.len() as f64];
        }
        let series = self.families.get(name).map(|family| &family.series);
        series.and_then(|series| series.get(&sorted(labels))).cloned().unwrap_or_default()
    }

    /// What was dropped, with the reason.
    pub(crate) fn dropped(&self) -> &[String] {
        &self.dropped
    }

    fn with(
        &mut self,
        kind: Kind,
        name: &str,
        labels: &[(&str, &str)],
        act: impl FnOnce(&mut Vec<f64>),
    ) {
        match self.check(kind, name, labels) {
            Err(why) => self.dropped.push(format!("`{name}`: {why}")),
            Ok(()) => {
                let family = self.families.entry(name.into());
                let family = family.or_insert_with(|| Family { kind, series: BTreeMap::new() });
                act(family.series.entry(sorted(labels)).or_default());
            }
        }
    }

    fn check(&self, kind: Kind, name: &str, labels: &[(&str, &str)]) -> Result<(), &'static str> {
        if !is_name(name) {
            return Err("the name is not [a-z_][a-z0-9_]* of at most 512 bytes");
        }
        let legal = |(key, value): &(&str, &str)| {
            is_name(key)
                && !key.starts_with("__")
                && !["plugin", "le"].contains(key)
                && value.len() <= MAX_BYTES
        };
        let all = sorted(labels);
        let is_twice = all.windows(2).any(|pair| pair[0].0 == pair[1].0);
        if labels.len() > MAX_LABELS || !labels.iter().all(legal) || is_twice {
            return Err("its labels are not legal");
        }
        match self.families.get(name) {
            Some(family) if family.kind != kind => {
                return Err("the name is in use for a metric of another type");
            }
            Some(family) => {
                let is_new = !family.series.contains_key(&all);
                return if is_new && family.series.len() >= MAX_LABEL_SETS {
                    Err("it has 256 label sets already")
                } else {
                    Ok(())
                };
            }
            None if self.families.len() >= MAX_NAMES => {
                return Err("the plugin has 64 metrics already");
            }
            None => {}
        }
        if RESERVED.contains(&name) {
            return Err("the proxy has a metric of that name");
        }
        let is_histogram =
            |name: &str| self.families.get(name).is_some_and(|it| it.kind == Kind::Histogram);
        for suffix in SUFFIXES {
            let base = name.strip_suffix(suffix);
            if base.is_some_and(|base| HISTOGRAMS.contains(&base)) {
                return Err("the proxy has a metric of that name");
            }
            let longer = format!("{name}{suffix}");
            if base.is_some_and(is_histogram)
                || (kind == Kind::Histogram && self.families.contains_key(&longer))
            {
                return Err("the name is in use for a metric of another type");
            }
        }
        Ok(())
    }
}

/// `[a-z_][a-z0-9_]*`
fn is_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit();
    let first = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    first && text.len() <= MAX_BYTES && text.bytes().all(legal)
}

fn sorted(labels: &[(&str, &str)]) -> Labels {
    let mut all: Labels =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    all.sort();
    all
}
