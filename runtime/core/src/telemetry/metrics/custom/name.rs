//! Names of plugins' own metrics: what is one, and who has it already.
//!
//! In: names and labels of a guest. Out: that they may be used, or why not. Never: two types of one
//! name, or a name that the proxy's own metrics have.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Dropped, Kind};

/// Most labels of a sample; more are malformed.
pub const MAX_LABELS: usize = 16;
/// Most bytes of a name or a label's value; more are malformed.
pub const MAX_BYTES: usize = 512;

/// What follows `weir_plugin_` in the families of [`super::super::plugin`] and [`super`].
pub const RESERVED: [&str; 10] = [
    "calls_total",
    "duration_seconds",
    "failures_total",
    "instances",
    "log_dropped_total",
    "memory_bytes",
    "memory_refused_total",
    "metrics_dropped_total",
    "outbound_total",
    "outbound_duration_seconds",
];
/// Those that are histograms: their samples have names of their own.
const RESERVED_HISTOGRAMS: [&str; 2] = ["duration_seconds", "outbound_duration_seconds"];
const HISTOGRAM_SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// The type of every name of every plugin: one family has one type.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<Mutex<BTreeMap<String, Kind>>>);

impl Names {
    /// Takes `name` for `kind`, where nobody has it for another.
    pub fn claim(&self, name: &str, kind: Kind) -> Result<(), Dropped> {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = names.get(name) {
            return if *known == kind { Ok(()) } else { Err(Dropped::OtherType) };
        }
        if RESERVED.contains(&name) {
            return Err(Dropped::Reserved);
        }
        // A histogram's samples are called `NAME_sum` and so on: no other family may be.
        for suffix in HISTOGRAM_SUFFIXES {
            if let Some(base) = name.strip_suffix(suffix) {
                if RESERVED_HISTOGRAMS.contains(&base) {
                    return Err(Dropped::Reserved);
                }
                if names.get(base) == Some(&Kind::Histogram) {
                    return Err(Dropped::OtherType);
                }
            }
            if kind == Kind::Histogram && names.contains_key(&format!("{name}{suffix}")) {
                return Err(Dropped::OtherType);
            }
        }
        names.insert(name.to_owned(), kind);
        Ok(())
    }

    /// Every name there is.
    pub fn all(&self) -> BTreeMap<String, Kind> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Frees names.
    pub fn free(&self, unused: impl IntoIterator<Item = String>) {
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for name in unused {
            names.remove(&name);
        }
    }
}

/// Refuses what is no name or label of the contract.
pub fn check<K: AsRef<str>, V: AsRef<str>>(name: &str, labels: &[(K, V)]) -> Result<(), Dropped> {
    if !is_name(name) {
        return Err(Dropped::Name);
    }
    let legal = |(key, value): &(K, V)| {
        let key = key.as_ref();
        // `__` is Prometheus's own, `le` a histogram's, `plugin` ours.
        is_name(key)
            && !key.starts_with("__")
            && key != "plugin"
            && key != "le"
            && value.as_ref().len() <= MAX_BYTES
    };
    let good = labels.len() <= MAX_LABELS && labels.iter().all(legal);
    if good { Ok(()) } else { Err(Dropped::Labels) }
}

/// `[a-z_][a-z0-9_]*`
fn is_name(text: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit();
    let first = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    first && text.len() <= MAX_BYTES && text.bytes().all(legal)
}
