//! One instance of a plugin, and calls into it.
//!
//! In: an exchange for the time of a call. Out: the exchange, and what the hook answered or why it
//! did not. Never: runs two calls at once, or anything after it trapped.
//!
//! Each call has two drivers: at once, which is what a hook of microseconds wants, and aside, on a
//! fiber, which lets the guest wait for a peer and the worker go on while the guest is busy.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Lift, Lower, TypedFunc};
use weir_core::chain::Exchange;
use weir_core::telemetry::metrics::InstanceGuard;

use super::aside::{Aside, Terms};
use super::bindings::About;
use super::call::Call;
use super::capacity::Seat;
use super::deadline::Budget;
use super::fault::Fault;
use super::functions::{Functions, TransformFunctions, Transformed};
use super::host::bounds;
use super::set_up::{SET_UP_LIMIT, drive, interrupted};
use super::state::{Phase, State};
use super::ticker::Pulse;

/// One instance.
pub struct Instance {
    store: Store<State>,
    functions: Functions,
    /// CPU time of a hook call.
    limit: Duration,
    /// Setting it up is to end.
    interrupted: Arc<AtomicBool>,
    /// Calls so far.
    pub calls: u32,
    /// It trapped, or a call was given up half-way.
    pub broken: bool,
    _counted: InstanceGuard,
    _seat: Seat,
}

impl Instance {
    /// One that was just made.
    pub fn new(
        store: Store<State>,
        functions: Functions,
        limit: Duration,
        interrupted: Arc<AtomicBool>,
        seat: Seat,
    ) -> Instance {
        let counted = store.data().shared.metrics.instance();
        let (calls, broken) = Default::default();
        let (_counted, _seat) = (counted, seat);
        Instance { store, functions, limit, interrupted, calls, broken, _counted, _seat }
    }

    /// Bytes of its linear memories, which only grow.
    pub fn memory_used(&self) -> usize {
        self.store.data().caps.used
    }

    /// What the plugin says of itself. Blocks.
    pub fn describe(&mut self, pulse: &Pulse) -> Result<About, Fault> {
        let function = self.functions.describe;
        self.set_up(pulse, function, ()).map(|(about,)| about)
    }

    /// Hands over the configuration; to be done once. The inner error is the plugin's own. Blocks.
    pub fn configure(&mut self, pulse: &Pulse, config: &str) -> Result<Result<(), String>, Fault> {
        let function = self.functions.configure;
        self.set_up(pulse, function, (config.to_owned(),)).map(|(answer,)| answer)
    }

    /// The same, while the worker goes on.
    pub async fn configure_aside(
        &mut self,
        terms: Terms<'_>,
        config: &str,
    ) -> Result<Result<(), String>, Fault> {
        let function = self.functions.configure;
        let arguments = (config.to_owned(),);
        let (answer,) = self.alone(terms, function, arguments, SET_UP_LIMIT).await?;
        Ok(answer)
    }

    /// A hook call that returns before anything else on this worker runs.
    pub fn call<C: Call>(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
        call: C,
    ) -> (Box<Exchange>, Result<C::Output, Fault>) {
        let Some(function) = call.function(&self.functions) else {
            return (exchange, Ok(C::absent()));
        };
        self.begin(exchange, C::PHASE, false);
        let beat = pulse.beat();
        let returned = function.call(&mut self.store, call.parameters());
        drop(beat);
        self.end::<C>(returned)
    }

    /// A hook call on a fiber. Given up half-way, the instance is broken.
    pub async fn call_aside<C: Call>(
        &mut self,
        terms: Terms<'_>,
        exchange: Box<Exchange>,
        call: C,
    ) -> (Box<Exchange>, Result<C::Output, Fault>) {
        let Some(function) = call.function(&self.functions) else {
            return (exchange, Ok(C::absent()));
        };
        self.begin(exchange, C::PHASE, true);
        let parameters = call.parameters();
        let returned =
            self.aside(terms, async |store| function.call_async(store, parameters).await).await;
        self.end::<C>(returned)
    }

    /// One chunk through an open transform.
    pub async fn push(
        &mut self,
        terms: Terms<'_>,
        transform: TransformFunctions,
        chunk: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        // The type is looked at anew each time, for it has the chunk's lifetime in it; the chunk
        // is then copied once, into the guest.
        let function = transform.push.typed::<(&[u8],), Transformed>(&self.store);
        let function = function.map_err(|error| Fault::unavailable(&error.to_string()))?;
        let (answer,) = self.alone(terms, function, (chunk,), self.limit).await?;
        self.transformed(answer)
    }

    /// What is left after the last chunk.
    pub async fn finish(
        &mut self,
        terms: Terms<'_>,
        transform: TransformFunctions,
    ) -> Result<Vec<u8>, Fault> {
        let (answer,) = self.alone(terms, transform.finish, (), self.limit).await?;
        self.transformed(answer)
    }

    /// What a transform gave, for the price of taking it over.
    fn transformed(&self, answer: Result<Vec<u8>, String>) -> Result<Vec<u8>, Fault> {
        let bytes = answer.as_ref().map_or_else(String::len, Vec::len);
        self.store.data().budget.pay_nanos(bounds::price(bytes)).map_err(Fault::late)?;
        answer.map_err(|message| Fault::error(&message))
    }

    fn begin(&mut self, exchange: Box<Exchange>, phase: Phase, on_fiber: bool) {
        self.calls += 1;
        self.grant(self.limit, on_fiber);
        self.store.data_mut().enter(exchange, phase);
    }

    fn grant(&mut self, limit: Duration, on_fiber: bool) {
        self.store.data_mut().budget = Budget::new(limit, on_fiber);
        self.store.set_epoch_deadline(1);
    }

    fn end<C: Call>(
        &mut self,
        returned: wasmtime::Result<C::Results>,
    ) -> (Box<Exchange>, Result<C::Output, Fault>) {
        let state = self.store.data_mut();
        let result = match (returned, state.exchange()) {
            (Ok(returned), Some(exchange)) => {
                let paid = state.budget.pay_nanos(bounds::price(C::bytes(&returned)));
                paid.map_err(Fault::late)
                    .and_then(|()| C::check(returned, &self.functions, exchange, state))
            }
            (Ok(_), None) => Err(Fault::unavailable("the exchange is gone")),
            (Err(error), _) => Err(Fault::trap(&error, state.caps.refused)),
        };
        self.broken |= result.as_ref().is_err_and(|fault| fault.fatal);
        (state.leave(result.is_err()), result)
    }

    /// The driver of whatever may wait: on a fiber, in turns. The instance is broken where it fails, or is
    /// given up half-way.
    async fn aside<R>(
        &mut self,
        terms: Terms<'_>,
        call: impl AsyncFnOnce(&mut Store<State>) -> wasmtime::Result<R>,
    ) -> wasmtime::Result<R> {
        self.broken = true;
        let returned = {
            let running = pin!(call(&mut self.store));
            Aside::new(running, terms).await
        };
        self.broken = returned.is_err();
        returned
    }

    /// A call without an exchange.
    async fn alone<P, R>(
        &mut self,
        terms: Terms<'_>,
        function: TypedFunc<P, R>,
        arguments: P,
        limit: Duration,
    ) -> Result<R, Fault>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        self.grant(limit, true);
        let returned =
            self.aside(terms, async |store| function.call_async(store, arguments).await).await;
        returned.map_err(|error| Fault::trap(&error, self.store.data().caps.refused))
    }

    /// The same, where nothing else is to be done.
    fn set_up<P, R>(
        &mut self,
        pulse: &Pulse,
        function: TypedFunc<P, R>,
        arguments: P,
    ) -> Result<R, Fault>
    where
        P: ComponentNamedList + Lower + Send + Sync,
        R: ComponentNamedList + Lift + Send + Sync + 'static,
    {
        self.grant(SET_UP_LIMIT, true);
        self.broken = true;
        let beat = pulse.beat();
        let returned = drive(function.call_async(&mut self.store, arguments), &self.interrupted);
        drop(beat);
        let returned = returned.ok_or_else(interrupted)?;
        self.broken = returned.is_err();
        returned.map_err(|error| Fault::trap(&error, self.store.data().caps.refused))
    }
}
