//! What all instances of a plugin share, on all workers, and over reloads.
//!
//! In: the plugin's name and quota. Out: its limiter, its store, its metrics, room for what is kept,
//! the time. Never: mixes two plugins' keys: each name has its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::limiter::Limiter;
use super::store::Store;
use crate::clock::Clock;
use crate::quota::{Account, Held, Holding, Payer, Quota, UsedUp};
use crate::telemetry::metrics::{Metrics, PluginMetrics};

/// Of one plugin.
#[derive(Debug)]
pub struct Shared {
    pub name: Arc<str>,
    pub limiter: Arc<Limiter>,
    pub store: Arc<Store>,
    pub metrics: PluginMetrics,
    /// What all of this may hold.
    pub quota: Quota,
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
#[derive(Debug)]
struct Kept {
    limiter: Arc<Limiter>,
    store: Arc<Store>,
    account: Arc<Account>,
}

impl Registry {
    /// The plugin's, made if it is new.
    pub fn shared(
        &self,
        name: &Arc<str>,
        quota: usize,
        metrics: &Metrics,
        clock: &Clock,
    ) -> Arc<Shared> {
        let metrics = metrics.plugin(name);
        let mut plugins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = plugins.entry(name.clone()).or_insert_with(|| Kept {
            limiter: Arc::default(),
            store: Arc::default(),
            account: metrics.account().clone(),
        });
        Arc::new(Shared {
            name: name.clone(),
            limiter: kept.limiter.clone(),
            store: kept.store.clone(),
            quota: Quota::new(kept.account.clone(), quota),
            metrics,
            clock: clock.clone(),
            epoch: clock.now(),
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
    /// Room for bytes that are kept for an exchange of a client. What the plugin keeps only to be
    /// quicker, or tells little, gives way to them.
    pub fn hold(&self, holding: Holding, bytes: usize, client: &str) -> Result<Held, UsedUp> {
        let held = self.try_hold(holding, bytes, client).or_else(|| {
            if bytes <= self.quota.limit() {
                self.store.give_way(bytes, &self.quota);
                self.limiter.give_way(bytes, self.clock.now(), &self.quota);
            }
            self.try_hold(holding, bytes, client)
        });
        held.ok_or_else(|| self.quota.refuse_client(holding, bytes, client))
    }

    /// The same, where nothing gives way.
    pub fn try_hold(&self, holding: Holding, bytes: usize, client: &str) -> Option<Held> {
        self.quota.hold(holding, bytes, client)
    }

    /// Drops some of what has expired. To be called now and then.
    pub fn sweep(&self) {
        let now = self.clock.now();
        self.limiter.sweep(now, &self.quota);
        self.store.sweep(now, &self.quota);
    }

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

/// The store gives way to whatever else is to be kept.
impl Payer for Shared {
    fn charge(&self, holding: Holding, bytes: usize) -> bool {
        if self.quota.charge(holding, bytes) {
            return true;
        }
        self.store.give_way(bytes, &self.quota);
        self.quota.charge(holding, bytes)
    }

    fn release(&self, holding: Holding, bytes: usize) {
        self.quota.release(holding, bytes);
    }

    fn refuse(&self, holding: Holding, wanted: usize) -> UsedUp {
        self.quota.refuse(holding, wanted)
    }
}
