//! What all instances of a plugin share, on all workers, and over reloads.
//!
//! In: the plugin's name. Out: its limiter, its store, its metrics, the time. Never: mixes two
//! plugins' keys: each name has its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::clock::Clock;
use crate::telemetry::metrics::{Metrics, PluginMetrics};

use super::limiter::Limiter;
use super::store::Store;

/// Of one plugin.
#[derive(Debug)]
pub struct Shared {
    pub name: Arc<str>,
    pub limiter: Arc<Limiter>,
    pub store: Arc<Store>,
    pub metrics: PluginMetrics,
    pub clock: Clock,
    /// Where the plugin's monotonic clock begins.
    pub epoch: Instant,
    /// A hook was seen to run for longer than a slice.
    long: AtomicBool,
}

/// Of all plugins, by name.
#[derive(Debug, Default)]
pub struct Registry(Mutex<HashMap<Arc<str>, Kept>>);

/// What outlives a plugin's instances.
type Kept = (Arc<Limiter>, Arc<Store>);

impl Registry {
    /// The plugin's, made if it is new.
    pub fn shared(&self, name: &Arc<str>, metrics: &Metrics, clock: &Clock) -> Arc<Shared> {
        let mut plugins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (limiter, store) = plugins.entry(name.clone()).or_default().clone();
        let metrics = metrics.plugin(name);
        let epoch = clock.now();
        Arc::new(Shared {
            name: name.clone(),
            limiter,
            store,
            metrics,
            clock: clock.clone(),
            epoch,
            long: AtomicBool::new(false),
        })
    }

    /// Forgets the state of plugins that are gone.
    pub fn retain(&self, mut keep: impl FnMut(&str) -> bool) {
        let mut plugins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.retain(|name, _| keep(name));
    }
}

impl Shared {
    /// A hook that was called at once takes long: from now on its calls run on fibers, and step
    /// aside.
    pub fn takes_long(&self) {
        self.long.store(true, Ordering::Relaxed);
    }

    pub fn is_long(&self) -> bool {
        self.long.load(Ordering::Relaxed)
    }

    /// Bytes from the system's generator.
    pub fn random(&self, bytes: &mut [u8]) -> wasmtime::Result<()> {
        getrandom::fill(bytes).map_err(|error| wasmtime::Error::msg(error.to_string()))
    }
}
