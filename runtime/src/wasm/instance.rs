//! One instance of a plugin, and calls into it.
//!
//! In: an exchange for the time of a call. Out: the exchange, and what the hook answered or why it
//! did not. Never: runs two calls at once, or anything after it trapped.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use wasmtime::component::{
    ComponentExportIndex, ComponentNamedList, InstancePre, Lift, Lower, Resource, ResourceAny,
    TypedFunc,
};
use wasmtime::{Engine, Store, UpdateDeadline};

use super::bindings::{self, About, RequestHandle, ResponseHandle};
use super::component::Exports;
use super::fault::{DeadlineExceeded, Fault};
use super::reply;
use super::shared::Shared;
use super::state::{Phase, State};
use super::ticker::Pulse;
use crate::chain::{Exchange, Summary, Verdict};
use crate::telemetry::metrics::InstanceGuard;

/// Ticks that `describe` and `configure` may take. More than a hook's: they may parse large tables,
/// and run where no request waits, except once after a trap.
const SET_UP_TICKS: u64 = 1_000;

/// How instances of a plugin are made.
pub struct Template {
    pub engine: Engine,
    pub before: InstancePre<State>,
    pub exports: Exports,
    /// Calls run on fibers.
    pub suspends: bool,
    /// Bytes.
    pub memory: usize,
    /// Ticks of a hook call.
    pub ticks: u64,
    pub keeps_backup: bool,
    pub shared: Arc<Shared>,
}

/// One instance.
pub struct Instance {
    store: Store<State>,
    functions: Functions,
    suspends: bool,
    ticks: u64,
    /// Calls so far.
    pub calls: u32,
    /// It trapped, or a call was given up half-way.
    pub broken: bool,
    _counted: InstanceGuard,
}

type OnRequest = TypedFunc<(Resource<RequestHandle>,), (Result<bindings::Verdict, String>,)>;
type OnResponse =
    TypedFunc<(Resource<RequestHandle>, Resource<ResponseHandle>), (Result<(), String>,)>;
type OnComplete = TypedFunc<(Resource<RequestHandle>, bindings::Summary), ()>;
type OpenRequest = TypedFunc<(Resource<RequestHandle>,), (Option<ResourceAny>,)>;
type OpenResponse =
    TypedFunc<(Resource<RequestHandle>, Resource<ResponseHandle>), (Option<ResourceAny>,)>;
type Push = TypedFunc<(ResourceAny, &'static [u8]), (Result<Vec<u8>, String>,)>;
type Finish = TypedFunc<(ResourceAny,), (Result<Vec<u8>, String>,)>;

struct Functions {
    describe: TypedFunc<(), (About,)>,
    configure: TypedFunc<(String,), (Result<(), String>,)>,
    on_request: Option<OnRequest>,
    on_response: Option<OnResponse>,
    on_complete: Option<OnComplete>,
}

impl Template {
    /// Makes an instance; it must be configured before its first hook.
    pub fn instantiate(&self, pulse: &Pulse) -> Result<Instance, Fault> {
        let counted = self.shared.metrics.instance();
        let state = State::new(self.shared.clone(), self.memory, self.keeps_backup);
        let mut store = Store::new(&self.engine, state);
        store.limiter(|state| &mut state.caps);
        if self.suspends {
            store.epoch_deadline_callback(|mut store| {
                let ticks = &mut store.data_mut().ticks;
                *ticks = ticks.saturating_sub(1);
                if *ticks == 0 { Err(DeadlineExceeded.into()) } else { Ok(UpdateDeadline::Yield(1)) }
            });
            store.data_mut().ticks = SET_UP_TICKS;
            store.set_epoch_deadline(1);
        } else {
            store.set_epoch_deadline(SET_UP_TICKS);
        }
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
            ticks: self.ticks,
            calls: 0,
            broken: false,
            _counted: counted,
        })
    }
}

impl Functions {
    fn find(
        instance: &wasmtime::component::Instance,
        store: &mut Store<State>,
        exports: &Exports,
    ) -> wasmtime::Result<Functions> {
        fn find<P, R>(
            instance: &wasmtime::component::Instance,
            store: &mut Store<State>,
            export: Option<&ComponentExportIndex>,
        ) -> wasmtime::Result<Option<TypedFunc<P, R>>>
        where
            P: ComponentNamedList + Lower,
            R: ComponentNamedList + Lift,
        {
            export.map(|export| instance.get_typed_func(store, export)).transpose()
        }
        Ok(Functions {
            describe: instance.get_typed_func(&mut *store, &exports.describe)?,
            configure: instance.get_typed_func(&mut *store, &exports.configure)?,
            on_request: find(instance, store, exports.on_request.as_ref())?,
            on_response: find(instance, store, exports.on_response.as_ref())?,
            on_complete: find(instance, store, exports.on_complete.as_ref())?,
        })
    }
}

impl Instance {
    /// What the plugin says of itself.
    pub fn describe(&mut self, pulse: &Pulse) -> Result<About, Fault> {
        let function = self.functions.describe;
        self.set_up(pulse, function, ()).map(|(about,)| about)
    }

    /// Hands over the configuration; to be done once. The inner error is the plugin's own.
    pub fn configure(&mut self, pulse: &Pulse, config: &str) -> Result<Result<(), String>, Fault> {
        let function = self.functions.configure;
        self.set_up(pulse, function, (config.to_owned(),)).map(|(answer,)| answer)
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
            Beating { running, pulse }.await
        };
        self.broken = false;
        self.end(returned, check)
    }

    fn begin(&mut self, exchange: Box<Exchange>, phase: Phase) -> u32 {
        self.calls += 1;
        self.grant_ticks(self.ticks);
        self.store.data_mut().enter(exchange, phase)
    }

    fn grant_ticks(&mut self, ticks: u64) {
        if self.suspends {
            self.store.data_mut().ticks = ticks;
            self.store.set_epoch_deadline(1);
        } else {
            self.store.set_epoch_deadline(ticks);
        }
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

    /// A call without an exchange, where nothing waits for it.
    fn set_up<P, R>(
        &mut self,
        pulse: &Pulse,
        function: TypedFunc<P, R>,
        arguments: P,
    ) -> Result<R, Fault>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        self.grant_ticks(SET_UP_TICKS);
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
}

impl<F: Future> Future for Beating<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let _beat = self.pulse.beat();
        self.running.as_mut().poll(cx)
    }
}

/// Runs a call that waits for nothing: it yields at most because time passed.
fn drive<F: Future>(call: F) -> F::Output {
    let mut call = pin!(call);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
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

impl From<&Summary> for bindings::Summary {
    fn from(summary: &Summary) -> Self {
        bindings::Summary {
            status: summary.status,
            request_bytes: summary.request_bytes,
            response_bytes: summary.response_bytes,
            duration_micros: u64::try_from(summary.duration.as_micros()).unwrap_or(u64::MAX),
            upstream: summary.upstream.as_deref().map(str::to_owned),
            error: summary.error.map(str::to_owned),
        }
    }
}
