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

use bytes::Bytes;
use wasmtime::{Store, WasmParams};
use weir_core::chain::Exchange;
use weir_core::http::Client;
use weir_core::outbound::Outbound;
use weir_core::telemetry::metrics::InstanceGuard;

use super::aside::{Aside, Terms};
use super::call::Call;
use super::capacity::Seat;
use super::contract::{About, Answered};
use super::deadline::Budget;
use super::fault::Fault;
use super::functions::{Functions, GuestFunction, Text, Told, TransformFunctions};
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

    /// Where it is.
    pub fn store(&mut self) -> &mut Store<State> {
        &mut self.store
    }

    /// Bytes of its linear memories, which only grow.
    pub fn memory_used(&self) -> usize {
        self.store.data().caps.used
    }

    /// From now on somebody makes its calls to others, in this client's share.
    pub fn lend(&mut self, by: &Arc<dyn Outbound>, client: &Arc<Client>) {
        self.store.data_mut().calls.lend(by.clone(), client.clone());
    }

    /// What the plugin says of itself. Blocks.
    pub fn describe(&mut self, pulse: &Pulse) -> Result<About, Fault> {
        let function = self.functions.describe.clone();
        self.set_up(pulse, &function, (), Vec::new())
    }

    /// Hands over the configuration; to be done once. The inner error is the plugin's own. Blocks.
    pub fn configure(&mut self, pulse: &Pulse, config: &str) -> Result<Told, Fault> {
        let function = self.functions.configure.clone();
        let (lengths, text) = self.text(config);
        self.set_up(pulse, &function, lengths, text)
    }

    /// The same, while the worker goes on.
    pub async fn configure_aside(&mut self, terms: Terms<'_>, config: &str) -> Result<Told, Fault> {
        let function = self.functions.configure.clone();
        let (lengths, text) = self.text(config);
        self.alone(terms, &function, lengths, text, SET_UP_LIMIT).await
    }

    /// A hook call that returns before anything else on this worker runs.
    pub fn call<C: Call>(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
        call: C,
    ) -> (Box<Exchange>, Result<C::Output, Fault>) {
        if call.function(&self.functions).is_none() {
            return (exchange, Ok(C::absent()));
        }
        self.begin(exchange, C::PHASE, false);
        let beat = pulse.beat();
        let returned = match call.function(&self.functions) {
            Some(found) => {
                let (parameters, texts) = call.parameters(self.store.data().encoding);
                expect::<C::Results>(&mut self.store, texts);
                found.function.call(&mut self.store, parameters)
            }
            None => Ok(()),
        };
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
        let Some(found) = call.function(&self.functions).cloned() else {
            return (exchange, Ok(C::absent()));
        };
        self.begin(exchange, C::PHASE, true);
        let (parameters, texts) = call.parameters(self.store.data().encoding);
        expect::<C::Results>(&mut self.store, texts);
        let function = found.function;
        let returned =
            self.aside(terms, async |store| function.call_async(store, parameters).await).await;
        self.store.data().shared.called_on_fiber();
        self.end::<C>(returned)
    }

    /// One chunk through an open transform.
    pub async fn push(
        &mut self,
        terms: Terms<'_>,
        transform: &TransformFunctions,
        chunk: Bytes,
    ) -> Result<Vec<u8>, Fault> {
        let length = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
        let (lengths, chunk) = ((length, length), vec![chunk]);
        let answer = self.alone(terms, &transform.push, lengths, chunk, self.limit).await?;
        self.transformed(answer)
    }

    /// What is left after the last chunk.
    pub async fn finish(
        &mut self,
        terms: Terms<'_>,
        transform: &TransformFunctions,
    ) -> Result<Vec<u8>, Fault> {
        let answer = self.alone(terms, &transform.finish, (), Vec::new(), self.limit).await?;
        self.transformed(answer)
    }

    /// What a transform gave, for the price of taking it over.
    fn transformed(&self, answer: Result<Vec<u8>, String>) -> Result<Vec<u8>, Fault> {
        let bytes = answer.as_ref().map_or_else(String::len, Vec::len);
        self.store.data().budget.pay_bytes(bytes).map_err(Fault::late)?;
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
        returned: wasmtime::Result<()>,
    ) -> (Box<Exchange>, Result<C::Output, Fault>) {
        let state = self.store.data_mut();
        let came = std::mem::take(&mut state.taken);
        let result = match (returned, C::Results::of(came), state.exchange()) {
            (Ok(()), Some(answer), Some(exchange)) => {
                let paid = state.budget.pay_bytes(answer.bytes());
                paid.map_err(Fault::late)
                    .and_then(|()| C::check(answer, &self.functions, exchange, state))
            }
            (Ok(()), _, _) => Err(Fault::unavailable("the exchange or the answer is gone")),
            (Err(error), _, _) => Err(Fault::trap(&error, state.caps.refused)),
        };
        self.broken |= result.as_ref().is_err_and(|fault| fault.fatal);
        (state.leave(result.is_err()), result)
    }

    /// A text as a function takes it.
    fn text(&self, text: &str) -> (Text, Vec<Bytes>) {
        let (bytes, units) = self.store.data().encoding.encode(text.to_owned());
        ((u32::try_from(bytes.len()).unwrap_or(u32::MAX), units), vec![bytes.into()])
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
        guest: &GuestFunction<P, R>,
        parameters: P,
        texts: Vec<Bytes>,
        limit: Duration,
    ) -> Result<R, Fault>
    where
        P: WasmParams + Send + Sync,
        R: Answered,
    {
        self.grant(limit, true);
        expect::<R>(&mut self.store, texts);
        let function = &guest.function;
        let returned =
            self.aside(terms, async |store| function.call_async(store, parameters).await).await;
        self.store.data_mut().calls.end();
        self.answer(returned)
    }

    /// The same, where nothing else is to be done.
    fn set_up<P, R>(
        &mut self,
        pulse: &Pulse,
        guest: &GuestFunction<P, R>,
        parameters: P,
        texts: Vec<Bytes>,
    ) -> Result<R, Fault>
    where
        P: WasmParams + Send + Sync,
        R: Answered,
    {
        self.grant(SET_UP_LIMIT, true);
        expect::<R>(&mut self.store, texts);
        self.broken = true;
        let beat = pulse.beat();
        let calling = guest.function.call_async(&mut self.store, parameters);
        let returned = drive(calling, &self.interrupted);
        drop(beat);
        let returned = returned.ok_or_else(interrupted)?;
        self.broken = returned.is_err();
        self.answer(returned)
    }

    fn answer<R: Answered>(&mut self, returned: wasmtime::Result<()>) -> Result<R, Fault> {
        let state = self.store.data_mut();
        let came = std::mem::take(&mut state.taken);
        returned.map_err(|error| Fault::trap(&error, state.caps.refused))?;
        R::of(came).ok_or_else(|| Fault::unavailable("the answer is gone"))
    }
}

/// Notes what is handed over with the next call, and how its answer is read.
fn expect<R: Answered>(store: &mut Store<State>, texts: Vec<Bytes>) {
    let state = store.data_mut();
    state.expects = R::EXPECTS;
    state.given = texts.into_iter();
    state.answer.clear();
}
