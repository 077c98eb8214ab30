//! Metrics that plugins register while they run, by the `metrics` interface of the contract.
//!
//! In: names, labels and values of a guest, none of which is trusted, and who pays for new ones. Out:
//! `weir_plugin_NAME` families with the label `plugin`. Never: more than [`MAX_NAMES`] names a plugin
//! or [`MAX_LABEL_SETS`] label sets a name, or more than the plugin's quota has room for; what exceeds
//! that, is malformed, or takes a name that means something else, is dropped, counted in
//! `weir_plugin_metrics_dropped_total`, and told in the log once for each name.

mod name;
mod sample;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

#[cfg(test)]
pub use self::name::RESERVED;
pub use self::name::{MAX_LABELS, Names};
use self::sample::{Kind, Labels, Series};
use super::exposition::Exposition;
use crate::quota::{Holding, Payer};

/// Most names of a plugin.
pub const MAX_NAMES: usize = 64;
/// Most label sets of a name.
pub const MAX_LABEL_SETS: usize = 256;
/// Most entries of an instance's memory of series; a guest that permutes its labels gets no more.
const MAX_KNOWN: usize = 512;
/// Most names of a plugin that are told in the log; others are counted only.
const MAX_TOLD: usize = 16;
/// The most of a name that is told.
const TOLD_CHARACTERS: usize = 64;

/// The metrics of one plugin, shared by its instances on all workers and kept over reloads.
#[derive(Debug)]
pub struct PluginCustomMetrics {
    names: Names,
    families: RwLock<BTreeMap<Box<str>, Family>>,
    dropped: AtomicU64,
    told: Mutex<Vec<String>>,
    plugin: Arc<str>,
}

/// An instance's way to the metrics of its plugin: known label sets are found without a lock.
#[derive(Debug)]
pub struct WorkerCustomMetrics {
    shared: Arc<PluginCustomMetrics>,
    hasher: RandomState,
    known: HashMap<u64, Arc<Series>>,
}

/// Why a sample is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// The name is none.
    Name,
    /// There are too many labels, or one has an illegal name, a name twice, or too long a value.
    Labels,
    /// The proxy has a metric of that name.
    Reserved,
    /// The name is in use for another type, by this plugin or another one.
    OtherType,
    /// An observation that is no number.
    NotANumber,
    /// More than [`MAX_NAMES`].
    Names,
    /// More than [`MAX_LABEL_SETS`].
    LabelSets,
    /// `limits.quota`.
    UsedUp,
}

#[derive(Debug)]
struct Family {
    kind: Kind,
    series: BTreeMap<Labels, Arc<Series>>,
}

impl WorkerCustomMetrics {
    pub fn new(shared: Arc<PluginCustomMetrics>) -> Self {
        WorkerCustomMetrics { shared, hasher: RandomState::new(), known: HashMap::new() }
    }

    /// Adds to a counter.
    pub fn count<K: AsRef<str>, V: AsRef<str>>(
        &mut self,
        name: &str,
        labels: &[(K, V)],
        by: u64,
        payer: &impl Payer,
    ) {
        self.with(Kind::Counter, name, labels, payer, |series| series.count(by));
    }

    /// Sets a gauge.
    pub fn gauge<K: AsRef<str>, V: AsRef<str>>(
        &mut self,
        name: &str,
        labels: &[(K, V)],
        value: f64,
        payer: &impl Payer,
    ) {
        self.with(Kind::Gauge, name, labels, payer, |series| series.set(value));
    }

    /// Adds an observation to a histogram with the buckets 5 ms to 10 s. No number is dropped.
    pub fn observe<K: AsRef<str>, V: AsRef<str>>(
        &mut self,
        name: &str,
        labels: &[(K, V)],
        value: f64,
        payer: &impl Payer,
    ) {
        if value.is_nan() {
            return self.shared.dropped(name, Dropped::NotANumber);
        }
        self.with(Kind::Histogram, name, labels, payer, |series| series.observe(value));
    }

    /// A sample with more labels than may be: it is not looked at.
    pub fn too_many_labels(&self, name: &str) {
        self.shared.dropped(name, Dropped::Labels);
    }

    fn with<K: AsRef<str>, V: AsRef<str>>(
        &mut self,
        kind: Kind,
        name: &str,
        labels: &[(K, V)],
        payer: &impl Payer,
        act: impl FnOnce(&Series),
    ) {
        if let Err(why) = name::check(name, labels) {
            return self.shared.dropped(name, why);
        }
        let hash = self.hash(kind, name, labels);
        if let Some(series) = self.known.get(&hash).filter(|it| it.is(kind, name, labels)) {
            return act(series);
        }
        match self.shared.series(kind, name, labels, payer) {
            Err(why) => self.shared.dropped(name, why),
            Ok(series) => {
                act(&series);
                if self.known.len() < MAX_KNOWN {
                    self.known.insert(hash, series);
                }
            }
        }
    }

    fn hash<K: AsRef<str>, V: AsRef<str>>(&self, kind: Kind, name: &str, labels: &[(K, V)]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        (kind, name).hash(&mut hasher);
        for (key, value) in labels {
            (key.as_ref(), value.as_ref()).hash(&mut hasher);
        }
        hasher.finish()
    }
}

impl PluginCustomMetrics {
    pub(super) fn new(plugin: &str, names: Names) -> Self {
        PluginCustomMetrics {
            names,
            families: RwLock::default(),
            dropped: AtomicU64::new(0),
            told: Mutex::default(),
            plugin: plugin.into(),
        }
    }

    /// The series of a label set, made if it is new and there is room.
    fn series<K: AsRef<str>, V: AsRef<str>>(
        &self,
        kind: Kind,
        name: &str,
        labels: &[(K, V)],
        payer: &impl Payer,
    ) -> Result<Arc<Series>, Dropped> {
        let labels = sorted(labels)?;
        let families = self.families.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = Self::look(&families, kind, name, &labels)? {
            return Ok(known);
        }
        drop(families);
        let mut families = self.families.write().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have been here between the two locks.
        if let Some(known) = Self::look(&families, kind, name, &labels)? {
            return Ok(known);
        }
        let bytes = kind.bytes(&self.plugin, name, &labels);
        if !payer.charge(Holding::Metrics, bytes) {
            payer.refuse(Holding::Metrics, bytes);
            return Err(Dropped::UsedUp);
        }
        if let Err(taken) = self.names.claim(name, kind) {
            payer.release(Holding::Metrics, bytes);
            return Err(taken);
        }
        let series = Arc::new(Series::new(kind, name, labels.clone()));
        let family = families.entry(name.into());
        let family = family.or_insert_with(|| Family { kind, series: BTreeMap::new() });
        family.series.insert(labels, series.clone());
        Ok(series)
    }

    /// The series, where it is there; none where it may be made.
    fn look(
        families: &BTreeMap<Box<str>, Family>,
        kind: Kind,
        name: &str,
        labels: &Labels,
    ) -> Result<Option<Arc<Series>>, Dropped> {
        match families.get(name) {
            Some(family) if family.kind != kind => Err(Dropped::OtherType),
            Some(family) => match family.series.get(labels) {
                None if family.series.len() >= MAX_LABEL_SETS => Err(Dropped::LabelSets),
                known => Ok(known.cloned()),
            },
            None if families.len() >= MAX_NAMES => Err(Dropped::Names),
            None => Ok(None),
        }
    }

    /// Counts a sample that is dropped, and says so once for each name.
    fn dropped(&self, name: &str, why: Dropped) {
        self.dropped.fetch_add(1, Relaxed);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MAX_TOLD {
            return;
        }
        let shown: String = name.chars().take(TOLD_CHARACTERS).collect();
        if told.contains(&shown) {
            return;
        }
        let plugin = &*self.plugin;
        tracing::warn!(plugin, metric = ?shown, "a plugin's metric is dropped: {}", why.as_str());
        told.push(shown);
    }
}

impl Dropped {
    fn as_str(self) -> &'static str {
        match self {
            Dropped::Name => "the name is not [a-z_][a-z0-9_]* of at most 512 bytes",
            Dropped::Labels => {
                "its labels are not at most 16 of different names [a-z_][a-z0-9_]*, none of them \
                 plugin, le or __…, with values of at most 512 bytes"
            }
            Dropped::Reserved => "the proxy has a metric of that name",
            Dropped::OtherType => "the name is in use for a metric of another type",
            Dropped::NotANumber => "the value is no number",
            Dropped::Names => "the plugin has 64 metrics already",
            Dropped::LabelSets => "it has 256 label sets already",
            Dropped::UsedUp => "`limits.quota` is used up",
        }
    }
}

impl Names {
    /// Frees the names that none of `plugins` has.
    pub(super) fn retain_used(&self, plugins: &[Arc<PluginCustomMetrics>]) {
        let used = |name: &str| {
            plugins.iter().any(|plugin| {
                plugin.families.read().unwrap_or_else(PoisonError::into_inner).contains_key(name)
            })
        };
        // Never both locks at once: `series` takes them in the other order.
        self.free(self.all().into_keys().filter(|name| !used(name)).collect::<Vec<_>>());
    }

    /// Writes what `plugins` have registered.
    pub(super) fn expose(&self, plugins: &[Arc<PluginCustomMetrics>], out: &mut Exposition) {
        let mut dropped = out.counter(
            "weir_plugin_metrics_dropped_total",
            "Samples of a plugin's own metrics that were malformed or beyond the caps.",
        );
        for plugin in plugins {
            dropped.sample(&[("plugin", &plugin.plugin)], plugin.dropped.load(Relaxed) as f64);
        }
        for (name, kind) in self.all() {
            let full = format!("weir_plugin_{name}");
            let mut samples = out.family(kind.metric_type(), &full, "Registered by a plugin.");
            for plugin in plugins {
                let families = plugin.families.read().unwrap_or_else(PoisonError::into_inner);
                let series = families.get(&*name).map(|family| family.series.values());
                series.into_iter().flatten().for_each(|it| it.expose(&plugin.plugin, &mut samples));
            }
        }
    }
}

fn sorted<K: AsRef<str>, V: AsRef<str>>(labels: &[(K, V)]) -> Result<Labels, Dropped> {
    let own = |(key, value): &(K, V)| (key.as_ref().into(), value.as_ref().into());
    let mut labels: Vec<(Box<str>, Box<str>)> = labels.iter().map(own).collect();
    labels.sort();
    let is_twice = |pair: &[(Box<str>, Box<str>)]| matches!(pair, [a, b] if a.0 == b.0);
    if labels.windows(2).any(is_twice) {
        return Err(Dropped::Labels);
    }
    Ok(labels.into())
}
