//! What all instances of a plugin share, on all workers, and over reloads.
//!
//! In: the plugin's name and quota. Out: its limiter, its store, its metrics, room for what is kept,
//! the time. Never: mixes two plugins' keys: each name has its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use weir_core::clock::Clock;
use weir_core::config::{Callable, Grant, Plugin};
use weir_core::quota::{Account, Held, Holding, Payer, Quota, UsedUp};
use weir_core::state::{Limiter, MemoryLimiter, MemoryStore, Store};
use weir_core::telemetry::metrics::{Metrics, PluginMetrics};

/// What it costs to have one entry of the store or the limiter give way.
const GIVEN_WAY: Duration = Duration::from_nanos(200);
/// Calls that go on fibers for one that took long. A hook that does so once, as with what it makes at
/// its first call, is called at once again; one that does so now and then holds its worker up for one
/// call of so many.
pub const ON_FIBERS: u32 = 10_000;

/// Of one plugin.
#[derive(Debug)]
pub struct Shared {
    pub name: Arc<str>,
    /// It is granted to answer requests by itself.
    pub may_reply: bool,
    /// It is granted to write to the log, by whatever way.
    pub may_log: bool,
    /// Whom it may call.
    pub callable: Vec<Callable>,
    /// `limits.wait`
    pub wait: Duration,
    pub limiter: Arc<dyn Limiter>,
    pub store: Arc<dyn Store>,
    pub metrics: PluginMetrics,
    /// What all of this may hold.
    pub quota: Quota,
    pub clock: Clock,
    /// Where the plugin's monotonic clock begins.
    pub epoch: Instant,
    /// How many calls go on fibers still, since a hook was seen to run for longer than a slice.
    on_fibers: AtomicU32,
}

/// Bytes that are to give way.
struct Room {
    of_store: usize,
    of_limiter: usize,
}

/// Of all plugins, by name.
#[derive(Debug, Default)]
pub struct Registry(Mutex<HashMap<Arc<str>, Kept>>);

/// What outlives a plugin's instances.
#[derive(Debug)]
struct Kept {
    limiter: Arc<dyn Limiter>,
    store: Arc<dyn Store>,
    account: Arc<Account>,
}

impl Registry {
    /// The plugin's, made if it is new.
    pub fn shared(&self, plugin: &Plugin, metrics: &Metrics, clock: &Clock) -> Arc<Shared> {
        let name = &plugin.name;
        let metrics = metrics.plugin(name);
        let mut plugins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = plugins.entry(name.clone()).or_insert_with(|| Kept {
            limiter: Arc::new(MemoryLimiter::new()),
            store: Arc::new(MemoryStore::default()),
            account: metrics.account().clone(),
        });
        Arc::new(Shared {
            name: name.clone(),
            may_reply: plugin.grants.allow(Grant::Reply),
            may_log: plugin.grants.allow(Grant::Log),
            callable: plugin.grants.http.clone(),
            wait: plugin.limits.wait,
            limiter: kept.limiter.clone(),
            store: kept.store.clone(),
            quota: Quota::new(kept.account.clone(), plugin.limits.quota),
            metrics,
            clock: clock.clone(),
            epoch: clock.now(),
            on_fibers: AtomicU32::new(0),
        })
    }

    /// Forgets the state of plugins that are gone.
    pub fn retain(&self, mut keep: impl FnMut(&str) -> bool) {
        let mut plugins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plugins.retain(|name, _| keep(name));
    }
}

impl Shared {
    /// Room for bytes that are kept for an exchange of a client. What store and limiter hold beyond
    /// their own parts gives way to them, if that is enough.
    pub fn hold(&self, holding: Holding, bytes: usize, client: &str) -> Result<Held, UsedUp> {
        let held = self.try_hold(holding, bytes, client).or_else(|| {
            let room = self.room(holding, bytes, client)?;
            self.store.give_way(room.of_store, &self.quota);
            self.limiter.give_way(room.of_limiter, self.clock.now(), &self.quota);
            self.try_hold(holding, bytes, client)
        });
        held.ok_or_else(|| self.quota.refuse_client(holding, bytes, client))
    }

    /// What has to be done before [`hold`](Shared::hold) finds room for so many bytes. To be paid
    /// by whoever wants it.
    pub fn price_of_room(&self, holding: Holding, bytes: usize, client: &str) -> Duration {
        let Some(room) = self.room(holding, bytes, client) else { return Duration::ZERO };
        let of_limiter = room.of_limiter / weir_bounds::limiter::ENTRY_BYTES;
        let entries = self.store.entries_in(room.of_store, &self.quota).saturating_add(of_limiter);
        GIVEN_WAY.saturating_mul(u32::try_from(entries).unwrap_or(u32::MAX))
    }

    /// What has to give way. `None`: no giving way would help.
    fn room(&self, holding: Holding, bytes: usize, client: &str) -> Option<Room> {
        let lacking = self.quota.lacking(holding, bytes);
        let of_store = lacking.min(self.quota.spare(Holding::Store));
        let of_limiter = lacking - of_store;
        let helps = of_limiter <= self.quota.spare(Holding::Limiter)
            && self.quota.is_within_share(bytes, client);
        helps.then_some(Room { of_store, of_limiter })
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

    /// A hook takes long: the calls that follow run on fibers, and step aside.
    pub fn takes_long(&self) {
        self.on_fibers.store(ON_FIBERS, Ordering::Relaxed);
    }

    pub fn is_long(&self) -> bool {
        self.on_fibers.load(Ordering::Relaxed) > 0
    }

    /// A hook was called on a fiber.
    pub fn called_on_fiber(&self) {
        let one_less = |left: u32| left.checked_sub(1);
        let _ = self.on_fibers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
    }

    /// Bytes from the system's generator.
    pub fn random(&self, bytes: &mut [u8]) -> wasmtime::Result<()> {
        getrandom::fill(bytes).map_err(|error| wasmtime::Error::msg(error.to_string()))
    }
}

/// What the store holds beyond its own part gives way to whatever else is to be kept.
impl Payer for Shared {
    fn charge(&self, holding: Holding, bytes: usize) -> bool {
        if self.quota.charge(holding, bytes) {
            return true;
        }
        let lacking = self.quota.lacking(holding, bytes);
        if lacking > self.quota.spare(Holding::Store) {
            return false;
        }
        self.store.give_way(lacking, &self.quota);
        self.quota.charge(holding, bytes)
    }

    fn release(&self, holding: Holding, bytes: usize) {
        self.quota.release(holding, bytes);
    }

    fn refuse(&self, holding: Holding, wanted: usize) -> UsedUp {
        self.quota.refuse(holding, wanted)
    }
}
