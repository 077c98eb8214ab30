//! Metrics that plugins register while they run, by the `metrics` interface of the contract.
//!
//! In: names, labels and values of a guest, none of which is trusted. Out: `weir_plugin_NAME`
//! families with the label `plugin`. Never: more than [`MAX_NAMES`] names a plugin or
//! [`MAX_LABEL_SETS`] label sets a name; what exceeds that, is malformed, or takes a name that
//! means another type, is dropped and counted in `weir_plugin_metrics_dropped_total`.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use prometheus::DEFAULT_BUCKETS;
use prometheus::proto::MetricType;

use super::exposition::Exposition;
use super::plugin::PluginMetrics;
use super::series::SeriesMap;

/// Most names of a plugin.
pub const MAX_NAMES: usize = 64;
/// Most label sets of a name.
pub const MAX_LABEL_SETS: usize = 256;
/// Most labels of a sample; more are malformed.
const MAX_LABELS: usize = 16;
/// Most bytes of a name or a label's value; more are malformed.
const MAX_BYTES: usize = 512;
/// Most entries of a worker's cache; a guest that permutes its labels gets no more than this.
const MAX_CACHED: usize = 4096;

/// What follows `weir_plugin_` in the families of [`super::plugin`].
const RESERVED: [&str; 5] =
    ["calls_total", "duration_seconds", "failures_total", "instances", "metrics_dropped_total"];
const HISTOGRAM_SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The metrics of one plugin, shared by its instances on all workers and kept over reloads.
#[derive(Debug)]
pub struct PluginCustomMetrics {
    names: Names,
    families: RwLock<BTreeMap<String, Family>>,
    dropped: AtomicU64,
    plugin: Arc<str>,
}

/// A worker's way to the metrics of one plugin: known label sets are found without a lock.
#[derive(Debug)]
pub struct WorkerCustomMetrics {
    shared: Arc<PluginCustomMetrics>,
    hasher: RandomState,
    cache: HashMap<u64, Cached>,
}

/// The type of every name of every plugin: one family has one type.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Arc<Mutex<BTreeMap<String, Kind>>>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

#[derive(Debug)]
struct Family {
    kind: Kind,
    children: BTreeMap<Labels, Arc<Child>>,
}

/// Sorted by name.
type Labels = Vec<(String, String)>;

/// One label set's value.
#[derive(Debug)]
enum Child {
    Counter(AtomicU64),
    /// The bits of an `f64`.
    Gauge(AtomicU64),
    Histogram(Observations),
}

#[derive(Debug, Default)]
struct Observations {
    /// As [`DEFAULT_BUCKETS`], and one for what is beyond.
    buckets: [AtomicU64; DEFAULT_BUCKETS.len() + 1],
    /// The bits of an `f64`.
    sum: AtomicU64,
}

#[derive(Debug)]
struct Cached {
    kind: Kind,
    name: String,
    labels: Labels,
    child: Arc<Child>,
}

/// Why a sample is dropped.
#[derive(Debug)]
struct Dropped;

impl WorkerCustomMetrics {
    pub fn new(shared: Arc<PluginCustomMetrics>) -> Self {
        WorkerCustomMetrics { shared, hasher: RandomState::new(), cache: HashMap::new() }
    }

    /// Adds to a counter.
    pub fn count<K: AsRef<str>, V: AsRef<str>>(&mut self, name: &str, labels: &[(K, V)], by: u64) {
        self.with(Kind::Counter, name, labels, |child| child.count(by));
    }

    /// Sets a gauge.
    pub fn gauge<K: AsRef<str>, V: AsRef<str>>(
        &mut self,
        name: &str,
        labels: &[(K, V)],
        value: f64,
    ) {
        self.with(Kind::Gauge, name, labels, |child| child.set(value));
    }

    /// Adds an observation to a histogram with the buckets 5 ms to 10 s. No number is dropped.
    pub fn observe<K: AsRef<str>, V: AsRef<str>>(
        &mut self,
        name: &str,
        labels: &[(K, V)],
        value: f64,
    ) {
        if value.is_nan() {
            self.shared.dropped.fetch_add(1, Relaxed);
            return;
        }
        self.with(Kind::Histogram, name, labels, |child| child.observe(value));
    }

    fn with<K: AsRef<str>, V: AsRef<str>>(
        &mut self,
        kind: Kind,
        name: &str,
        labels: &[(K, V)],
        act: impl FnOnce(&Child),
    ) {
        if labels.len() > MAX_LABELS {
            self.shared.dropped.fetch_add(1, Relaxed);
            return;
        }
        let hash = self.hash(kind, name, labels);
        if let Some(cached) = self.cache.get(&hash).filter(|it| it.is(kind, name, labels)) {
            return act(&cached.child);
        }
        let Ok(child) = self.shared.child(kind, name, labels) else {
            self.shared.dropped.fetch_add(1, Relaxed);
            return;
        };
        act(&child);
        if self.cache.len() < MAX_CACHED {
            let labels = owned(labels);
            self.cache.insert(hash, Cached { kind, name: name.to_owned(), labels, child });
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

impl Cached {
    fn is<K: AsRef<str>, V: AsRef<str>>(&self, kind: Kind, name: &str, labels: &[(K, V)]) -> bool {
        let same = |(own, other): (&(String, String), &(K, V))| {
            own.0 == other.0.as_ref() && own.1 == other.1.as_ref()
        };
        self.kind == kind
            && self.name == name
            && self.labels.len() == labels.len()
            && self.labels.iter().zip(labels).all(same)
    }
}

impl PluginCustomMetrics {
    pub(super) fn new(plugin: &str, names: Names) -> Self {
        PluginCustomMetrics {
            names,
            families: RwLock::default(),
            dropped: AtomicU64::new(0),
            plugin: plugin.into(),
        }
    }

    /// The child of a label set, made if it is new and there is room.
    fn child<K: AsRef<str>, V: AsRef<str>>(
        &self,
        kind: Kind,
        name: &str,
        labels: &[(K, V)],
    ) -> Result<Arc<Child>, Dropped> {
        check(name, labels)?;
        let mut sorted = owned(labels);
        sorted.sort();
        if sorted.windows(2).any(|pair| matches!(pair, [a, b] if a.0 == b.0)) {
            return Err(Dropped);
        }
        let families = self.families.read().unwrap_or_else(PoisonError::into_inner);
        match families.get(name) {
            Some(family) if family.kind != kind => return Err(Dropped),
            Some(family) => match family.children.get(&sorted) {
                Some(child) => return Ok(child.clone()),
                None if family.children.len() >= MAX_LABEL_SETS => return Err(Dropped),
                None => {}
            },
            None if families.len() >= MAX_NAMES => return Err(Dropped),
            None => {}
        }
        drop(families);
        let mut families = self.families.write().unwrap_or_else(PoisonError::into_inner);
        if !families.contains_key(name) {
            // Another worker may have been here between the two locks.
            if families.len() >= MAX_NAMES || !self.names.claim(name, kind) {
                return Err(Dropped);
            }
            families.insert(name.to_owned(), Family { kind, children: BTreeMap::new() });
        }
        let family = families.get_mut(name).filter(|family| family.kind == kind).ok_or(Dropped)?;
        if !family.children.contains_key(&sorted) && family.children.len() >= MAX_LABEL_SETS {
            return Err(Dropped);
        }
        Ok(family.children.entry(sorted).or_insert_with(|| Arc::new(Child::new(kind))).clone())
    }
}

impl Child {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Child::Counter(AtomicU64::new(0)),
            Kind::Gauge => Child::Gauge(AtomicU64::new(0)),
            Kind::Histogram => Child::Histogram(Observations::default()),
        }
    }

    fn count(&self, by: u64) {
        if let Child::Counter(cell) = self {
            cell.fetch_add(by, Relaxed);
        }
    }

    fn set(&self, value: f64) {
        if let Child::Gauge(cell) = self {
            cell.store(value.to_bits(), Relaxed);
        }
    }

    fn observe(&self, value: f64) {
        let Child::Histogram(Observations { buckets, sum }) = self else { return };
        let at = DEFAULT_BUCKETS.iter().position(|bound| value <= *bound);
        if let Some(bucket) = buckets.get(at.unwrap_or(DEFAULT_BUCKETS.len())) {
            bucket.fetch_add(1, Relaxed);
        }
        let add = |bits| Some((f64::from_bits(bits) + value).to_bits());
        // The closure always gives a value, so this cannot fail.
        let _ = sum.fetch_update(Relaxed, Relaxed, add);
    }
}

impl Names {
    /// Whether `name` may be of `kind`; it is from then on.
    fn claim(&self, name: &str, kind: Kind) -> bool {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(name) {
            return *known == kind;
        }
        // A histogram's samples are called `NAME_sum` and so on: no other family may be.
        let taken = RESERVED.contains(&name)
            || HISTOGRAM_SUFFIXES.iter().any(|suffix| {
                let of_histogram = name.strip_suffix(suffix).is_some_and(|base| {
                    base == "duration_seconds" || names.get(base) == Some(&Kind::Histogram)
                });
                let longer = || names.contains_key(&format!("{name}{suffix}"));
                of_histogram || (kind == Kind::Histogram && longer())
            });
        if !taken {
            names.insert(name.to_owned(), kind);
        }
        !taken
    }

    /// Frees the names that none of `plugins` has.
    pub(super) fn retain_used(&self, plugins: &[Arc<PluginCustomMetrics>]) {
        let used = |name: &String| {
            plugins.iter().any(|plugin| {
                plugin.families.read().unwrap_or_else(PoisonError::into_inner).contains_key(name)
            })
        };
        // Never both locks at once: `child` takes them in the other order.
        let known: Vec<String> = {
            let names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            names.keys().cloned().collect()
        };
        let unused: Vec<String> = known.into_iter().filter(|name| !used(name)).collect();
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in unused {
            names.remove(&name);
        }
    }

    pub(super) fn expose(
        &self,
        plugins: &SeriesMap<Arc<str>, PluginMetrics>,
        out: &mut Exposition,
    ) {
        let mut all = Vec::new();
        plugins.each(|_, plugin| all.push(plugin.custom().clone()));
        let mut dropped = out.counter(
            "weir_plugin_metrics_dropped_total",
            "Samples of a plugin's own metrics that were malformed or beyond the caps.",
        );
        for plugin in &all {
            dropped.sample(&[("plugin", &plugin.plugin)], plugin.dropped.load(Relaxed) as f64);
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (name, kind) in known {
            let metric_type = match kind {
                Kind::Counter => MetricType::COUNTER,
                Kind::Gauge => MetricType::GAUGE,
                Kind::Histogram => MetricType::HISTOGRAM,
            };
            let full = format!("weir_plugin_{name}");
            let mut samples = out.family(metric_type, &full, "Registered by a plugin.");
            for plugin in &all {
                let families = plugin.families.read().unwrap_or_else(PoisonError::into_inner);
                let Some(family) = families.get(&name) else { continue };
                for (labels, child) in &family.children {
                    let mut pairs = vec![("plugin", &*plugin.plugin)];
                    pairs.extend(labels.iter().map(|(key, value)| (&**key, &**value)));
                    match &**child {
                        Child::Counter(cell) => samples.sample(&pairs, cell.load(Relaxed) as f64),
                        Child::Gauge(cell) => {
                            samples.sample(&pairs, f64::from_bits(cell.load(Relaxed)))
                        }
                        Child::Histogram(Observations { buckets, sum }) => {
                            let counts = buckets.iter().map(|bucket| bucket.load(Relaxed));
                            let sum = f64::from_bits(sum.load(Relaxed));
                            samples.observations(&pairs, DEFAULT_BUCKETS, counts, sum)
                        }
                    };
                }
            }
        }
    }
}

/// Refuses what is no name or label of the contract.
fn check<K: AsRef<str>, V: AsRef<str>>(name: &str, labels: &[(K, V)]) -> Result<(), Dropped> {
    let label = |(key, value): &(K, V)| {
        let key = key.as_ref();
        // `__` is Prometheus's own, `le` a histogram's, `plugin` ours.
        is_name(key)
            && !key.starts_with("__")
            && key != "plugin"
            && key != "le"
            && value.as_ref().len() <= MAX_BYTES
    };
    let good = is_name(name) && labels.len() <= MAX_LABELS && labels.iter().all(label);
    if good { Ok(()) } else { Err(Dropped) }
}

/// `[a-z_][a-z0-9_]*`
fn is_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit();
    let first = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    first && text.len() <= MAX_BYTES && text.bytes().all(legal)
}

fn owned<K: AsRef<str>, V: AsRef<str>>(labels: &[(K, V)]) -> Labels {
    labels.iter().map(|(key, value)| (key.as_ref().into(), value.as_ref().into())).collect()
}
