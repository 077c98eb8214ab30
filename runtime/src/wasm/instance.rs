//! One instance of a plugin, and calls into it.
//!
//! In: an exchange for the time of a call. Out: the exchange, and what the hook answered or why it
//! did not. Never: runs two calls at once, or anything after it trapped.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use wasmtime::component::{
    ComponentNamedList, InstancePre, Lift, Lower, Resource, ResourceAny, TypedFunc,
};
use wasmtime::{Engine, Store};

use super::bindings::{self, About, RequestHandle, ResponseHandle};
use super::component::Exports;
use super::deadline::{self, Budget};
use super::fault::Fault;
use super::functions::{Functions, OpenTransform, Transformed};
use super::reply;
use super::shared::Shared;
use super::state::{Phase, State};
use super::ticker::Pulse;
use crate::chain::{Exchange, Summary, Verdict};
use crate::telemetry::metrics::InstanceGuard;

/// CPU time that `describe` and `configure` may take. More than a hook's: they may parse large
/// tables, and run where no request waits, except once after a trap.
pub(super) const SET_UP_LIMIT: Duration = Duration::from_secs(1);

/// How instances of a plugin are made.
pub struct Template {
    pub engine: Engine,
    pub before: InstancePre<State>,
    pub exports: Exports,
    /// Calls run on fibers.
    pub suspends: bool,
    /// Bytes.
    pub memory: usize,
    /// CPU time of a hook call.
    pub limit: Duration,
    pub keeps_backup: bool,
    pub shared: Arc<Shared>,
}

/// One instance.
pub struct Instance {
    store: Store<State>,
    functions: Functions,
    suspends: bool,
    limit: Duration,
    /// Calls so far.
    pub calls: u32,
    /// It trapped, or a call was given up half-way.
    pub broken: bool,
    _counted: InstanceGuard,
}

impl Template {
    /// Makes an instance; it must be configured before its first hook.
    pub fn instantiate(&self, pulse: &Pulse) -> Result<Instance, Fault> {
        let counted = self.shared.metrics.instance();
        let state = State::new(self.shared.clone(), self.memory, self.keeps_backup);
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.caps);
        deadline::watch(&mut store, self.suspends);
        store.data_mut().budget = Budget::new(SET_UP_LIMIT);
        store.set_epoch_deadline(1);
        let beat = pulse.beat();
        let made = if self.suspends {
            drive(self.before.instantiate_async(&mut store))
        } else {
            self.before.instantiate(&mut store)
        };
        drop(beat);
        let functions =
            made.and_then(|instance| Functions::find(&instance, &mut store, &self.exports));
        let functions =
            functions.map_err(|error| Fault::trap(&error, store.data().caps.refused))?;
        Ok(Instance {
            store,
            functions,
            suspends: self.suspends,
            limit: self.limit,
            calls: 0,
            broken: false,
            _counted: counted,
        })
    }
}

impl Instance {
    /// What the plugin says of itself.
    pub fn describe(&mut self, pulse: &Pulse) -> Result<About, Fault> {
        let function = self.functions.describe;
        self.call_alone(pulse, function, (), SET_UP_LIMIT).map(|(about,)| about)
    }

    /// Hands over the configuration; to be done once. The inner error is the plugin's own.
    pub fn configure(&mut self, pulse: &Pulse, config: &str) -> Result<Result<(), String>, Fault> {
        let function = self.functions.configure;
        self.call_alone(pulse, function, (config.to_owned(),), SET_UP_LIMIT).map(|(answer,)| answer)
    }

    /// The request hook.
    pub fn on_request(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
    ) -> (Box<Exchange>, Result<Verdict, Fault>) {
        let Some(function) = self.functions.on_request else {
            return (exchange, Ok(Verdict::Forward));
        };
        let handle = |call| (Resource::new_own(call),);
        self.call(pulse, function, exchange, Phase::Request, handle, verdict)
    }

    /// The request hook, on a fiber.
    pub async fn on_request_suspending(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
    ) -> (Box<Exchange>, Result<Verdict, Fault>) {
        let Some(function) = self.functions.on_request else {
            return (exchange, Ok(Verdict::Forward));
        };
        let handle = |call| (Resource::new_own(call),);
        self.call_suspending(pulse, function, exchange, Phase::Request, handle, verdict).await
    }

    /// The response hook.
    pub fn on_response(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
    ) -> (Box<Exchange>, Result<(), Fault>) {
        let Some(function) = self.functions.on_response else {
            return (exchange, Ok(()));
        };
        self.call(pulse, function, exchange, Phase::Response, handles, done)
    }

    /// The response hook, on a fiber.
    pub async fn on_response_suspending(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
    ) -> (Box<Exchange>, Result<(), Fault>) {
        let Some(function) = self.functions.on_response else {
            return (exchange, Ok(()));
        };
        self.call_suspending(pulse, function, exchange, Phase::Response, handles, done).await
    }

    /// The completion hook.
    pub fn on_complete(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
        summary: &Summary,
    ) -> (Box<Exchange>, Result<(), Fault>) {
        let Some(function) = self.functions.on_complete else {
            return (exchange, Ok(()));
        };
        let arguments = |call| (Resource::new_own(call), summary.into());
        self.call(pulse, function, exchange, Phase::Complete, arguments, |(), _| Ok(()))
    }

    /// The completion hook, on a fiber.
    pub async fn on_complete_suspending(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
        summary: bindings::Summary,
    ) -> (Box<Exchange>, Result<(), Fault>) {
        let Some(function) = self.functions.on_complete else {
            return (exchange, Ok(()));
        };
        let arguments = |call| (Resource::new_own(call), summary);
        let none = |(), _: &Exchange| Ok(());
        self.call_suspending(pulse, function, exchange, Phase::Complete, arguments, none).await
    }

    /// Asks whether the request's body is to be transformed.
    pub fn open_request_transform(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
    ) -> (Box<Exchange>, Result<Option<OpenTransform>, Fault>) {
        let Some(functions) = &self.functions.request_body else {
            return (exchange, Ok(None));
        };
        let (open, opened) = (functions.open, functions.opened());
        let handle = |call| (Resource::new_own(call),);
        self.call(pulse, open, exchange, Phase::Request, handle, opened)
    }

    /// Asks whether the request's body is to be transformed, on a fiber.
    pub async fn open_request_transform_suspending(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
    ) -> (Box<Exchange>, Result<Option<OpenTransform>, Fault>) {
        let Some(functions) = &self.functions.request_body else {
            return (exchange, Ok(None));
        };
        let (open, opened) = (functions.open, functions.opened());
        let handle = |call| (Resource::new_own(call),);
        self.call_suspending(pulse, open, exchange, Phase::Request, handle, opened).await
    }

    /// Asks whether the response's body is to be transformed.
    pub fn open_response_transform(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
    ) -> (Box<Exchange>, Result<Option<OpenTransform>, Fault>) {
        let Some(functions) = &self.functions.response_body else {
            return (exchange, Ok(None));
        };
        let (open, opened) = (functions.open, functions.opened());
        self.call(pulse, open, exchange, Phase::Response, handles, opened)
    }

    /// Asks whether the response's body is to be transformed, on a fiber.
    pub async fn open_response_transform_suspending(
        &mut self,
        pulse: &Pulse,
        exchange: Box<Exchange>,
    ) -> (Box<Exchange>, Result<Option<OpenTransform>, Fault>) {
        let Some(functions) = &self.functions.response_body else {
            return (exchange, Ok(None));
        };
        let (open, opened) = (functions.open, functions.opened());
        self.call_suspending(pulse, open, exchange, Phase::Response, handles, opened).await
    }

    /// One chunk through a transform.
    pub fn push(
        &mut self,
        pulse: &Pulse,
        transform: &OpenTransform,
        chunk: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        // The type is looked at anew each time, for it has the chunk's lifetime in it; the chunk
        // is then copied once, into the guest.
        let function = transform.push.typed::<(ResourceAny, &[u8]), Transformed>(&self.store);
        self.transform(pulse, function, (transform.resource, chunk))
    }

    /// What is left after the last chunk.
    pub fn finish(&mut self, pulse: &Pulse, transform: &OpenTransform) -> Result<Vec<u8>, Fault> {
        let function = transform.finish.typed::<(ResourceAny,), Transformed>(&self.store);
        self.transform(pulse, function, (transform.resource,))
    }

    /// Drops the guest's side. An instance that fails at it is broken.
    pub fn close_transform(&mut self, pulse: &Pulse, transform: OpenTransform) {
        if self.broken {
            return;
        }
        self.grant(self.limit);
        let beat = pulse.beat();
        let dropped = if self.suspends {
            drive(transform.resource.resource_drop_async(&mut self.store))
        } else {
            transform.resource.resource_drop(&mut self.store)
        };
        drop(beat);
        self.broken |= dropped.is_err();
    }

    fn transform<P>(
        &mut self,
        pulse: &Pulse,
        function: wasmtime::Result<TypedFunc<P, Transformed>>,
        arguments: P,
    ) -> Result<Vec<u8>, Fault>
    where
        P: ComponentNamedList + Lower,
    {
        let function = function.map_err(|error| Fault::unavailable(error.to_string()))?;
        let (answer,) = self.call_alone(pulse, function, arguments, self.limit)?;
        answer.map_err(|message| Fault::error(&message))
    }

    /// A call with the exchange at hand.
    fn call<P, R, T>(
        &mut self,
        pulse: &Pulse,
        function: TypedFunc<P, R>,
        exchange: Box<Exchange>,
        phase: Phase,
        arguments: impl FnOnce(u32) -> P,
        check: impl FnOnce(R, &Exchange) -> Result<T, Fault>,
    ) -> (Box<Exchange>, Result<T, Fault>)
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift,
    {
        let call = self.begin(exchange, phase);
        let beat = pulse.beat();
        let returned = function.call(&mut self.store, arguments(call));
        drop(beat);
        self.end(returned, check)
    }

    /// The same, on a fiber. Given up half-way, the instance is broken.
    async fn call_suspending<P, R, T>(
        &mut self,
        pulse: &Pulse,
        function: TypedFunc<P, R>,
        exchange: Box<Exchange>,
        phase: Phase,
        arguments: impl FnOnce(u32) -> P,
        check: impl FnOnce(R, &Exchange) -> Result<T, Fault>,
    ) -> (Box<Exchange>, Result<T, Fault>)
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        let call = self.begin(exchange, phase);
        self.broken = true;
        let returned = {
            let running = pin!(function.call_async(&mut self.store, arguments(call)));
            Beating { running, pulse, is_first: true }.await
        };
        self.broken = false;
        self.end(returned, check)
    }

    fn begin(&mut self, exchange: Box<Exchange>, phase: Phase) -> u32 {
        self.calls += 1;
        self.grant(self.limit);
        self.store.data_mut().enter(exchange, phase)
    }

    fn grant(&mut self, limit: Duration) {
        self.store.data_mut().budget = Budget::new(limit);
        self.store.set_epoch_deadline(1);
    }

    fn end<R, T>(
        &mut self,
        returned: wasmtime::Result<R>,
        check: impl FnOnce(R, &Exchange) -> Result<T, Fault>,
    ) -> (Box<Exchange>, Result<T, Fault>) {
        let state = self.store.data_mut();
        let result = match (returned, state.exchange()) {
            (Ok(returned), Some(exchange)) => check(returned, exchange),
            (Ok(_), None) => Err(Fault::unavailable("the exchange is gone")),
            (Err(error), _) => Err(Fault::trap(&error, state.caps.refused)),
        };
        self.broken |= result.as_ref().is_err_and(|fault| fault.fatal);
        (state.leave(result.is_err()), result)
    }

    /// A call without an exchange, which waits for nothing.
    fn call_alone<P, R>(
        &mut self,
        pulse: &Pulse,
        function: TypedFunc<P, R>,
        arguments: P,
        limit: Duration,
    ) -> Result<R, Fault>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        self.grant(limit);
        let beat = pulse.beat();
        let returned = if self.suspends {
            drive(function.call_async(&mut self.store, arguments))
        } else {
            function.call(&mut self.store, arguments)
        };
        drop(beat);
        returned.map_err(|error| {
            self.broken = true;
            Fault::trap(&error, self.store.data().caps.refused)
        })
    }
}

/// A guest on a fiber counts as running while it is polled, not while it waits.
struct Beating<'a, F> {
    running: Pin<&'a mut F>,
    pulse: &'a Pulse,
    /// Not polled yet.
    is_first: bool,
}

impl<F: Future> Future for Beating<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        deadline::resume(std::mem::take(&mut self.is_first));
        let _beat = self.pulse.beat();
        self.running.as_mut().poll(cx)
    }
}

/// Runs a call that waits for nothing: it yields at most because time passed.
fn drive<F: Future>(call: F) -> F::Output {
    let mut call = pin!(call);
    let mut cx = Context::from_waker(Waker::noop());
    let mut is_first = true;
    loop {
        deadline::resume(std::mem::take(&mut is_first));
        if let Poll::Ready(output) = call.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

fn handles(call: u32) -> (Resource<RequestHandle>, Resource<ResponseHandle>) {
    (Resource::new_own(call), Resource::new_own(call))
}

fn verdict(
    (answer,): (Result<bindings::Verdict, String>,),
    exchange: &Exchange,
) -> Result<Verdict, Fault> {
    match answer {
        Ok(bindings::Verdict::Forward) => Ok(Verdict::Forward),
        Ok(bindings::Verdict::Respond(reply)) => {
            reply::check(reply, exchange.head_limits).map(Verdict::Respond)
        }
        Err(message) => Err(Fault::error(&message)),
    }
}

fn done((answer,): (Result<(), String>,), _: &Exchange) -> Result<(), Fault> {
    answer.map_err(|message| Fault::error(&message))
}
