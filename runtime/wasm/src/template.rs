//! How instances of a plugin are made.
//!
//! In: a compiled component linked to the host, and a configuration. Out: configured instances, made
//! at once by the control side, or aside by a worker. Never: serves a request with one that did not
//! take its configuration.

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
use super::set_up::{SET_UP_LIMIT, drive, interrupted};
use super::shared::Shared;
use super::slice;
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
}

impl Template {
    /// Whether calls run on fibers, which costs a little and lets them wait and step aside.
    pub fn runs_on_fibers(&self) -> bool {
        self.suspends || self.limit > PROMPT || self.shared.is_long()
    }

    /// Makes an instance, which must be configured before its first hook. Blocks.
    pub fn instantiate(&self, pulse: &Pulse) -> Result<Instance, Fault> {
        let seat = self.seat(Purpose::Control)?;
        let mut store = self.store();
        let beat = pulse.beat();
        let made = drive(self.parts.parts.instantiate(&mut store, &self.linker), &self.interrupted);
        drop(beat);
        let made = made.ok_or_else(interrupted)?;
        self.finish(store, made, seat)
    }

    /// A configured instance, made while the worker goes on.
    pub async fn configured(&self, config: &str, terms: Terms<'_>) -> Result<Box<Instance>, Fault> {
        let seat = self.seat(Purpose::Request)?;
        let mut store = self.store();
        let made = {
            let making = pin!(self.parts.parts.instantiate(&mut store, &self.linker));
            Aside::new(making, terms).await
        };
        let mut instance = Box::new(self.finish(store, made, seat)?);
        instance.configure_aside(terms, config).await?.map_err(refused)?;
        Ok(instance)
    }

    /// The same, at once. Blocks.
    pub fn configured_at_once(&self, config: &str, pulse: &Pulse) -> Result<Box<Instance>, Fault> {
        let mut instance = Box::new(self.instantiate(pulse)?);
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
        store.data_mut().budget = Budget::new(SET_UP_LIMIT, true);
        store.set_epoch_deadline(1);
        store
    }

    fn finish(
        &self,
        mut store: Store<State>,
        made: wasmtime::Result<wasmtime::Instance>,
        seat: Seat,
    ) -> Result<Instance, Fault> {
        let functions = made
            .and_then(|instance| Functions::find(&instance, &mut store, &self.parts.parts.plan));
        match functions {
            Ok(functions) => {
                let interrupted = self.interrupted.clone();
                Ok(Instance::new(store, functions, self.limit, interrupted, seat))
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
