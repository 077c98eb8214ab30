//! How instances of a plugin are made.
//!
//! In: a compiled component linked to the host, and a configuration. Out: configured instances: of a snapshot, for
//! which nothing of the guest runs, or else made at once by the control side, or aside by a worker. Never: serves a
//! request with one that did not take its configuration.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use wasmtime::{Engine, Linker, Store};

use super::aside::{Aside, Terms};
use super::cache::Loaded;
use super::capacity::{Capacity, Purpose, Seat};
use super::deadline::Budget;
use super::fault::Fault;
use super::functions::Functions;
use super::instance::Instance;
use super::parts::Made;
use super::set_up::{SET_UP_LIMIT, drive, interrupted};
use super::shared::Shared;
use super::slice;
use super::snapshot::Snapshot;
use super::state::State;
use super::ticker::Pulse;

/// Hooks that may take longer run on fibers from the start; others once one was seen to take longer than
/// a slice, and that one alone runs to its end at a time. A fiber costs more than many a hook: what comes
/// with the proxy may take so long, and hardly ever does.
const PROMPT: Duration = Duration::from_millis(50);

/// How instances of a plugin are made.
pub struct Template {
    pub engine: Engine,
    pub parts: Arc<Loaded>,
    pub linker: Arc<Linker<State>>,
    /// The component imports a function that waits: it can be called on fibers only.
    pub suspends: bool,
    /// It calls others: who makes its calls is told whenever an instance is lent.
    pub calls_out: bool,
    /// Bytes.
    pub memory: usize,
    /// CPU time of a hook call.
    pub limit: Duration,
    pub keeps_backup: bool,
    pub shared: Arc<Shared>,
    /// Seats that an instance takes.
    pub weight: usize,
    pub capacity: Capacity,
    /// What the control side does with an instance is to end.
    pub interrupted: Arc<AtomicBool>,
    /// A configured instance, where others can begin as it was.
    pub snapshot: Option<Snapshot>,
}

impl Template {
    /// Whether calls run on fibers, which costs a little and lets them wait and step aside.
    pub fn runs_on_fibers(&self) -> bool {
        self.suspends || self.limit > PROMPT || self.shared.is_long()
    }

    /// Makes an instance, which must be configured before its first hook. Blocks.
    pub fn instantiate(&self, pulse: &Pulse) -> Result<(Instance, Made), Fault> {
        let seat = self.seat(Purpose::Control)?;
        let mut store = self.store();
        let beat = pulse.beat();
        let made = drive(self.parts.parts.instantiate(&mut store, &self.linker), &self.interrupted);
        drop(beat);
        let made = made.ok_or_else(interrupted)?;
        self.finish(store, made, seat)
    }

    /// From now on instances begin as this one is, if they can: where there is no room for another one to compare
    /// it with, they are configured as it was.
    pub fn begin_as(&mut self, instance: &mut Instance, made: &Made) {
        let Ok(_seat) = self.seat(Purpose::Control) else { return };
        let mut store = self.store();
        let parts = &self.parts.parts;
        let untouched = parts.instantiate_only(&mut store, &self.linker);
        let taken = untouched.and_then(|untouched| {
            Snapshot::take(parts, (instance.store(), made), (&mut store, &untouched))
        });
        self.snapshot = taken.unwrap_or_else(|error| {
            tracing::debug!(plugin = &*self.shared.name, %error, "no snapshot can be taken");
            None
        });
    }

    /// A configured instance of the snapshot, if there is one. Nothing of the guest runs.
    pub fn restored(&self, purpose: Purpose) -> Option<Result<Box<Instance>, Fault>> {
        let snapshot = self.snapshot.as_ref()?;
        let make = || {
            let seat = self.seat(purpose)?;
            let mut store = self.store();
            let parts = &self.parts.parts;
            let made = parts.instantiate_only(&mut store, &self.linker).and_then(|made| {
                snapshot.restore(parts, &mut store, &made)?;
                Ok(made)
            });
            self.finish(store, made, seat)
        };
        Some(make().map(|(instance, _)| Box::new(instance)))
    }

    /// A configured instance, made while the worker goes on.
    pub async fn configured(&self, config: &str, terms: Terms<'_>) -> Result<Box<Instance>, Fault> {
        if let Some(restored) = self.restored(Purpose::Request) {
            return restored;
        }
        let seat = self.seat(Purpose::Request)?;
        let mut store = self.store();
        let made = {
            let making = pin!(self.parts.parts.instantiate(&mut store, &self.linker));
            Aside::new(making, terms).await
        };
        let mut instance = Box::new(self.finish(store, made, seat)?.0);
        instance.configure_aside(terms, config).await?.map_err(refused)?;
        Ok(instance)
    }

    /// The same, at once. Blocks.
    pub fn configured_at_once(&self, config: &str, pulse: &Pulse) -> Result<Box<Instance>, Fault> {
        if let Some(restored) = self.restored(Purpose::Control) {
            return restored;
        }
        let mut instance = Box::new(self.instantiate(pulse)?.0);
        instance.configure(pulse, config)?.map_err(refused)?;
        Ok(instance)
    }

    fn seat(&self, purpose: Purpose) -> Result<Seat, Fault> {
        self.capacity.take(purpose, &self.shared.name, self.weight).ok_or_else(|| {
            Fault::busy(match purpose {
                Purpose::Control => "every instance that this process may have is in use",
                Purpose::Request => {
                    "no instance is free for this plugin; the rest is kept for others and a reload"
                }
            })
        })
    }

    fn store(&self) -> Store<State> {
        let (shared, encoding) = (self.shared.clone(), self.parts.parts.plan.encoding);
        let state = State::new(shared, self.memory, self.limit, self.keeps_backup, encoding);
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.caps);
        slice::watch(&mut store);
        // The first that is called of it on a fiber says so.
        store.data_mut().budget = Budget::new(SET_UP_LIMIT, false);
        store.set_epoch_deadline(1);
        store
    }

    fn finish(
        &self,
        mut store: Store<State>,
        made: wasmtime::Result<Made>,
        seat: Seat,
    ) -> Result<(Instance, Made), Fault> {
        let exports = &self.parts.parts.exports;
        let found = made.and_then(|made| {
            let functions = Functions::of(made.lifting()?, &mut store, exports)?;
            Ok((functions, made))
        });
        match found {
            Ok((functions, made)) => {
                let interrupted = self.interrupted.clone();
                let instance = Instance::new(store, functions, self.limit, interrupted, seat);
                Ok((instance, made))
            }
            Err(error) => Err(Fault::trap(&error, store.data().caps.refused)),
        }
    }
}

fn refused(message: String) -> Fault {
    let mut fault = Fault::error(&message);
    fault.detail =
        format!("`configure` refused a configuration that it took before: {}", fault.detail);
    Fault { reason: "unavailable", ..fault }
}
