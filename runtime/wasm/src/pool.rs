//! The instances of a plugin on one worker: lent to one call at a time, and never too many.
//!
//! In: calls that want an instance. Out: one that is idle, or a new one, or the next that is given
//! back, or a clear refusal. Never: makes one more than `limits.instances`, lets a call wait longer
//! than `limits.wait`, or keeps instances of a plugin that no new exchange will call.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use weir_core::client::ClientKey;
use weir_core::clock;
use weir_core::config::Isolation;
use weir_core::http::Client;
use weir_core::outbound::Outbound;
use weir_core::shares::{Share, Shares};

use super::aside::Terms;
use super::backoff::Backoff;
use super::capacity::{MadeFor, Purpose};
use super::fault::Fault;
use super::instance::Instance;
use super::loaded::LoadedPlugin;
use super::long_calls::LongCalls;
use super::state::Phase;
use super::ticker::Pulse;

/// Calls after which an instance is replaced, so that what a guest leaks stays bounded.
const MAX_CALLS: u32 = 100_000;
/// Idle instances that are kept; what a busy moment made more is given up.
const MAX_IDLE: usize = 16;
/// Bytes of memory that idle instances keep together, but for one, which may have grown to its
/// limit: a guest never gives memory back, and a password's hash may have taken 64 MiB of it.
const MAX_IDLE_MEMORY: usize = 32 << 20;
/// Calls that may wait, for each instance there may be. A waiting call holds its request's head.
const WAITING_PER_INSTANCE: usize = 16;

/// The plugin's instances on one worker.
pub struct InstancePool {
    pub plugin: Arc<LoadedPlugin>,
    pub pulse: Arc<Pulse>,
    long_calls: LongCalls,
    /// One for each call under way, and the queue for them.
    places: Arc<Shares>,
    /// The same, of completion hooks alone: at most half of all.
    afterwards: Arc<Shares>,
    // Boxed, for an instance is handed from place to place and has a kilobyte.
    #[allow(clippy::vec_box)]
    idle: Mutex<Vec<Box<Instance>>>,
    backoff: Mutex<Backoff>,
    /// The last instance could not be made: look at `backoff`. Spares the good ones a lock.
    failing: AtomicBool,
    retired: AtomicBool,
    /// Who makes its instances' calls to others.
    outbound: Arc<dyn Outbound>,
}

/// An instance, for the length of a call or of a body. Dropping it gives it back.
pub struct Lent {
    instance: Option<Box<Instance>>,
    pool: Arc<InstancePool>,
    client: ClientKey,
    place: Option<Share>,
    _afterwards: Option<Share>,
    /// Where it was made for this call.
    _made_for: Option<MadeFor>,
}

impl InstancePool {
    pub fn new(plugin: Arc<LoadedPlugin>, outbound: Arc<dyn Outbound>) -> Arc<InstancePool> {
        let most = plugin.instances;
        Arc::new(InstancePool {
            pulse: plugin.ticker.pulse(plugin.template.limit),
            long_calls: LongCalls::of(most, plugin.wait),
            places: Shares::new(most, most.saturating_mul(WAITING_PER_INSTANCE)),
            afterwards: {
                let half = most.div_ceil(2);
                Shares::new(half, half.saturating_mul(WAITING_PER_INSTANCE))
            },
            idle: Mutex::default(),
            backoff: Mutex::default(),
            failing: AtomicBool::new(false),
            retired: AtomicBool::new(false),
            outbound,
            plugin,
        })
    }

    /// An idle instance, without a place: for a call that returns before anybody else can ask.
    pub fn take_idle(&self) -> Option<Box<Instance>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// One that is made at once, where that runs nothing of the guest: for such a call, too.
    pub fn restored(&self, client: ClientKey) -> Option<(Box<Instance>, Share, MadeFor)> {
        let template = &self.plugin.template;
        let place = self.places.try_take(client)?;
        let made_for = template.capacity.admit(client, template.weight)?;
        let instance = template.restored(Purpose::Request)?.ok()?;
        Some((instance, place, made_for))
    }

    /// An instance, as soon as there is one for this client, for calls in this phase that are `due` then.
    pub async fn lend(
        self: &Arc<Self>,
        of: &Arc<Client>,
        phase: Phase,
        due: Option<Instant>,
    ) -> Result<Lent, Fault> {
        let client = of.key;
        // Nobody waits for what is done afterwards, so that it keeps nobody waiting.
        let afterwards = match phase {
            Phase::Complete => Some(self.place(&self.afterwards, client, due).await?),
            _ => None,
        };
        let place = self.place(&self.places, client, due).await?;
        let (mut instance, made_for) = match self.take_idle() {
            Some(idle) => (idle, None),
            None => self.make(client, due).await?,
        };
        if self.plugin.template.calls_out {
            instance.lend(&self.outbound, of);
        }
        let (instance, pool) = (Some(instance), self.clone());
        let (place, _afterwards, _made_for) = (Some(place), afterwards, made_for);
        Ok(Lent { instance, pool, client, place, _afterwards, _made_for })
    }

    /// Keeps an instance for the next call, if it can serve one. Otherwise both go, and until then the
    /// next one does not get its place.
    pub fn give_back(&self, instance: Box<Instance>, place: Option<Share>) {
        if let Some(ended) = self.keep(instance) {
            self.end(ended, place);
        }
    }

    /// Drops an instance.
    pub fn end(&self, instance: Box<Instance>, place: Option<Share>) {
        self.plugin.reclaimer.take(instance, place);
    }

    /// Gives back what is not kept.
    fn keep(&self, instance: Box<Instance>) -> Option<Box<Instance>> {
        if !self.may_serve_again(&instance) || self.retired.load(Relaxed) {
            return Some(instance);
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let memory: usize = idle.iter().map(|idle| idle.memory_used()).sum();
        let small = memory.saturating_add(instance.memory_used()) <= MAX_IDLE_MEMORY;
        if idle.is_empty() || small && idle.len() < MAX_IDLE {
            idle.push(instance);
            return None;
        }
        Some(instance)
    }

    pub fn may_serve_again(&self, instance: &Instance) -> bool {
        !instance.broken && instance.calls < MAX_CALLS && self.plugin.isolation == Isolation::Worker
    }

    /// No new exchange will call: what is idle goes now, what is lent when it comes back.
    pub fn retire(&self) {
        self.retired.store(true, Relaxed);
        let idle = std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner));
        idle.into_iter().for_each(|idle| self.end(idle, None));
    }

    /// When a call is to be over, of an exchange whose answer is due then. An answer that is late, or
    /// tells of that, is given to its hooks all the same.
    pub fn due(&self, phase: Phase, answer: Instant) -> Option<Instant> {
        match phase {
            Phase::Request => Some(answer),
            Phase::Response => Some(answer.max(clock::now() + self.plugin.wait)),
            // Nobody waits for these.
            Phase::None | Phase::Complete => None,
        }
    }

    fn terms(&self, client: ClientKey, due: Option<Instant>) -> Terms<'_> {
        let (pulse, long_calls) = (&self.pulse, &self.long_calls);
        Terms { pulse, long_calls, client, due, makes_instance: false }
    }

    async fn place(
        &self,
        places: &Arc<Shares>,
        client: ClientKey,
        due: Option<Instant>,
    ) -> Result<Share, Fault> {
        if let Some(place) = places.try_take(client) {
            return Ok(place);
        }
        let (instances, wait) = (self.plugin.instances, self.plugin.wait);
        let Some(waiting) = places.wait(client) else {
            return Err(Fault::busy(format!(
                "of {instances} calls at a time on this worker (limits.instances) none is left for \
                 this client, and as many wait as may"
            )));
        };
        let until = clock::now() + wait;
        let sooner = due.filter(|due| *due < until);
        match tokio::time::timeout_at(sooner.unwrap_or(until).into(), waiting).await {
            Ok(Some(place)) => Ok(place),
            _ if sooner.is_some() => Err(Fault::too_late()),
            Ok(None) | Err(_) => Err(Fault::busy(format!(
                "of {instances} calls at a time on this worker (limits.instances) none was left for \
                 this client within {wait:?} (limits.wait)"
            ))),
        }
    }

    /// A fresh, configured instance. One that cannot be made is tried again after a pause: it is
    /// the only trouble of a plugin that concerns more than one exchange.
    async fn make(
        &self,
        client: ClientKey,
        due: Option<Instant>,
    ) -> Result<(Box<Instance>, Option<MadeFor>), Fault> {
        let clock = &self.plugin.template.shared.clock;
        let backoff = || self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        if self.failing.load(Relaxed) && !backoff().admits(clock.now()) {
            return Err(Fault::unavailable(
                "its instances cannot be made or configured; the next try is made in a while",
            ));
        }
        let template = &self.plugin.template;
        let Some(made_for) = template.capacity.admit(client, template.weight) else {
            return Err(Fault::busy(
                "no instance is free for this client; the rest is kept for others and a reload",
            ));
        };
        let terms = Terms { makes_instance: true, ..self.terms(client, due) };
        match template.configured(&self.plugin.config, terms).await {
            Ok(instance) => {
                if self.failing.swap(false, Relaxed) {
                    backoff().succeeded();
                }
                Ok((instance, Some(made_for)))
            }
            Err(fault) if fault.is_busy() || fault.is_too_late() => Err(fault),
            Err(fault) => {
                self.failing.store(true, Relaxed);
                if let Some(pause) = backoff().failed(clock.now()) {
                    tracing::error!(
                        plugin = &*self.plugin.name,
                        "no instance can be made or configured: not tried again for {} ms",
                        pause.as_millis()
                    );
                }
                Err(fault)
            }
        }
    }
}

impl Lent {
    pub fn plugin(&self) -> &Arc<LoadedPlugin> {
        &self.pool.plugin
    }

    /// The instance, and the terms of a call that is `due` then. It is there until this is dropped.
    pub fn parts(&mut self, due: Option<Instant>) -> Option<(&mut Instance, Terms<'_>)> {
        Some((self.instance.as_mut()?, self.pool.terms(self.client, due)))
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(instance) = self.instance.take() {
            self.pool.give_back(instance, self.place.take());
        }
    }
}
