//! A plugin as a member of chains, on one worker.
//!
//! In: exchanges. Out: what the plugin's hooks made of them. Never: lets what a plugin does wrong
//! hurt more than the exchange at hand: a trap costs an instance, repeated traps a pause.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::backoff::Backoff;
use super::bindings;
use super::fault::Fault;
use super::functions::OpenTransform;
use super::instance::Instance;
use super::plugin::{LoadedPlugin, PreparedInstance};
use super::ticker::Pulse;
use super::transform::GuestTransform;
use crate::chain::{Exchange, Failure, Hooks, Middleware, Step, Summary, Transform, Verdict};
use crate::config::{Isolation, OnFailure};
use crate::telemetry::metrics::{Hook, PluginMetrics};

/// Calls after which an instance is replaced, so that what a guest leaks stays bounded.
const MAX_CALLS: u32 = 100_000;
/// Idle instances kept for hooks that wait and bodies under way.
const MAX_SPARE: usize = 16;

/// The plugin, on one worker.
pub struct Member {
    desk: Arc<Desk>,
    /// The instance that serves calls which return at once: never two at a time on a worker.
    warm: Cell<Option<Box<Instance>>>,
}

/// What calls that outlast a borrow of the member need as well.
pub struct Desk {
    pub plugin: Arc<LoadedPlugin>,
    pub pulse: Arc<Pulse>,
    // Boxed, for an instance is handed from place to place and has a kilobyte.
    #[allow(clippy::vec_box)]
    spare: Mutex<Vec<Box<Instance>>>,
    backoff: Mutex<Backoff>,
    /// The last call lost its instance: look at `backoff`. Spares the good ones a lock.
    failing: AtomicBool,
}

/// What comes of asking a guest for a transform.
type Opened = (Box<Exchange>, Result<Option<OpenTransform>, Fault>);

impl LoadedPlugin {
    /// The plugin as a chain member of the calling worker.
    pub fn member(self: &Arc<Self>, prepared: PreparedInstance) -> Rc<dyn Middleware> {
        let pulse = self.ticker.pulse(self.template.limit);
        let desk = Arc::new(Desk {
            plugin: self.clone(),
            pulse,
            spare: Mutex::default(),
            backoff: Mutex::default(),
            failing: AtomicBool::new(false),
        });
        Rc::new(Member { desk, warm: Cell::new(Some(prepared.0)) })
    }
}

impl Middleware for Member {
    fn name(&self) -> &Arc<str> {
        &self.desk.plugin.name
    }

    fn hooks(&self) -> Hooks {
        self.desk.plugin.hooks()
    }

    fn on_failure(&self) -> OnFailure {
        self.desk.plugin.on_failure
    }

    fn on_request(&self, exchange: Box<Exchange>) -> Step<Verdict> {
        if self.desk.plugin.suspends() {
            return self.suspending(Hook::Request, exchange, async |instance, pulse, exchange| {
                instance.on_request_suspending(pulse, exchange).await
            });
        }
        self.at_once(Hook::Request, exchange, Instance::on_request)
    }

    fn on_response(&self, exchange: Box<Exchange>) -> Step<()> {
        if self.desk.plugin.suspends() {
            return self.suspending(Hook::Response, exchange, async |instance, pulse, exchange| {
                instance.on_response_suspending(pulse, exchange).await
            });
        }
        self.at_once(Hook::Response, exchange, Instance::on_response)
    }

    fn open_request_transform(&self, exchange: Box<Exchange>) -> Step<Option<Box<dyn Transform>>> {
        if self.desk.plugin.suspends() {
            let call = async |instance: &mut Instance, pulse: &Pulse, exchange| {
                instance.open_request_transform_suspending(pulse, exchange).await
            };
            return self.open_suspending(Hook::RequestBody, exchange, call);
        }
        self.open(Hook::RequestBody, exchange, Instance::open_request_transform)
    }

    fn open_response_transform(&self, exchange: Box<Exchange>) -> Step<Option<Box<dyn Transform>>> {
        if self.desk.plugin.suspends() {
            let call = async |instance: &mut Instance, pulse: &Pulse, exchange| {
                instance.open_response_transform_suspending(pulse, exchange).await
            };
            return self.open_suspending(Hook::ResponseBody, exchange, call);
        }
        self.open(Hook::ResponseBody, exchange, Instance::open_response_transform)
    }

    fn on_complete(&self, exchange: Box<Exchange>, summary: &Summary) -> Step<()> {
        if self.desk.plugin.suspends() {
            let summary = bindings::Summary::from(summary);
            return self.suspending(
                Hook::Completion,
                exchange,
                async |instance, pulse, exchange| {
                    instance.on_complete_suspending(pulse, exchange, summary).await
                },
            );
        }
        self.at_once(Hook::Completion, exchange, |instance, pulse, exchange| {
            instance.on_complete(pulse, exchange, summary)
        })
    }
}

impl Member {
    /// A hook that returns without waiting.
    fn at_once<T>(
        &self,
        hook: Hook,
        exchange: Box<Exchange>,
        call: impl FnOnce(&mut Instance, &Pulse, Box<Exchange>) -> (Box<Exchange>, Result<T, Fault>),
    ) -> Step<T> {
        let desk = &*self.desk;
        let warm = self.warm.take().map_or_else(|| desk.obtain(), Ok);
        let mut instance = match warm {
            Ok(instance) => instance,
            Err(fault) => {
                let failure = desk.failed(hook, &exchange, fault);
                return Step::Ready(exchange, Err(failure));
            }
        };
        let metrics = desk.metrics();
        let called = metrics.called(hook);
        let (exchange, result) = call(&mut instance, &desk.pulse, exchange);
        metrics.returned(hook, called);
        match result {
            Ok(value) => {
                desk.succeeded();
                self.keep(instance);
                Step::Ready(exchange, Ok(value))
            }
            Err(fault) => {
                self.keep(instance);
                let failure = desk.failed(hook, &exchange, fault);
                Step::Ready(exchange, Err(failure))
            }
        }
    }

    /// Opens a body transform, on an instance of its own.
    fn open(
        &self,
        hook: Hook,
        exchange: Box<Exchange>,
        call: impl FnOnce(&mut Instance, &Pulse, Box<Exchange>) -> Opened,
    ) -> Step<Option<Box<dyn Transform>>> {
        let desk = &self.desk;
        let mut instance = match self.warm.take().map_or_else(|| desk.obtain(), Ok) {
            Ok(instance) => instance,
            Err(fault) => {
                let failure = desk.failed(hook, &exchange, fault);
                return Step::Ready(exchange, Err(failure));
            }
        };
        let called = desk.metrics().called(hook);
        let (exchange, result) = call(&mut instance, &desk.pulse, exchange);
        desk.metrics().returned(hook, called);
        let result = desk.opened(hook, instance, &exchange, result);
        Step::Ready(exchange, result)
    }

    /// The same, where the guest may wait before it answers.
    fn open_suspending(
        &self,
        hook: Hook,
        exchange: Box<Exchange>,
        call: impl AsyncFnOnce(&mut Instance, &Pulse, Box<Exchange>) -> Opened + 'static,
    ) -> Step<Option<Box<dyn Transform>>> {
        let desk = self.desk.clone();
        let warm = self.warm.take().map_or_else(|| desk.obtain(), Ok);
        Step::Pending(Box::pin(async move {
            let mut instance = match warm {
                Ok(instance) => instance,
                Err(fault) => {
                    let failure = desk.failed(hook, &exchange, fault);
                    return (exchange, Err(failure));
                }
            };
            let called = desk.metrics().called(hook);
            let (exchange, result) = call(&mut instance, &desk.pulse, exchange).await;
            desk.metrics().returned(hook, called);
            let result = desk.opened(hook, instance, &exchange, result);
            (exchange, result)
        }))
    }

    /// The instance waits for the next call here.
    fn keep(&self, instance: Box<Instance>) {
        if self.desk.may_serve_again(&instance) {
            self.warm.set(Some(instance));
        }
    }

    /// A hook that may wait.
    fn suspending<T: 'static>(
        &self,
        hook: Hook,
        exchange: Box<Exchange>,
        call: impl AsyncFnOnce(
            &mut Instance,
            &Pulse,
            Box<Exchange>,
        ) -> (Box<Exchange>, Result<T, Fault>)
        + 'static,
    ) -> Step<T> {
        let desk = self.desk.clone();
        let warm = self.warm.take().map_or_else(|| desk.obtain(), Ok);
        Step::Pending(Box::pin(async move {
            let mut instance = match warm {
                Ok(instance) => instance,
                Err(fault) => {
                    let failure = desk.failed(hook, &exchange, fault);
                    return (exchange, Err(failure));
                }
            };
            let metrics = desk.metrics();
            let called = metrics.called(hook);
            let (exchange, result) = call(&mut instance, &desk.pulse, exchange).await;
            metrics.returned(hook, called);
            desk.give_back(instance);
            let result = match result {
                Ok(value) => {
                    desk.succeeded();
                    Ok(value)
                }
                Err(fault) => Err(desk.failed(hook, &exchange, fault)),
            };
            (exchange, result)
        }))
    }
}

impl Desk {
    pub fn metrics(&self) -> &PluginMetrics {
        &self.plugin.template.shared.metrics
    }

    /// A guest's answer to whether it transforms a body.
    fn opened(
        self: &Arc<Self>,
        hook: Hook,
        instance: Box<Instance>,
        exchange: &Exchange,
        result: Result<Option<OpenTransform>, Fault>,
    ) -> Result<Option<Box<dyn Transform>>, Box<Failure>> {
        match result {
            Ok(Some(transform)) => {
                let (route, request) = (exchange.route.clone(), exchange.request_id());
                let desk = self.clone();
                let open = GuestTransform::new(desk, hook, instance, transform, route, request);
                Ok(Some(Box::new(open)))
            }
            Ok(None) => {
                self.succeeded();
                self.give_back(instance);
                Ok(None)
            }
            Err(fault) => {
                self.give_back(instance);
                Err(self.failed(hook, exchange, fault))
            }
        }
    }

    /// An idle instance, or a new one unless the plugin is paused.
    fn obtain(&self) -> Result<Box<Instance>, Fault> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(instance) = spare {
            return Ok(instance);
        }
        if self.failing.load(Ordering::Relaxed) {
            let now = self.plugin.template.shared.clock.now();
            let backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
            if !backoff.admits(now) {
                return Err(Fault::unavailable("paused after repeated traps"));
            }
        }
        self.plugin.instance(&self.pulse)
    }

    /// Keeps an instance for the next call, if it can serve one.
    pub fn give_back(&self, instance: Box<Instance>) {
        if !self.may_serve_again(&instance) {
            return;
        }
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < MAX_SPARE {
            spare.push(instance);
        }
    }

    fn may_serve_again(&self, instance: &Instance) -> bool {
        !instance.broken && instance.calls < MAX_CALLS && self.plugin.isolation == Isolation::Worker
    }

    pub fn succeeded(&self) {
        if self.failing.load(Ordering::Relaxed) {
            self.backoff.lock().unwrap_or_else(PoisonError::into_inner).succeeded();
            self.failing.store(false, Ordering::Relaxed);
        }
    }

    /// Logs and counts a failure.
    fn failed(&self, hook: Hook, exchange: &Exchange, fault: Fault) -> Box<Failure> {
        self.report(hook, &exchange.route, &exchange.request_id(), fault)
    }

    pub fn report(&self, hook: Hook, route: &str, request: &str, fault: Fault) -> Box<Failure> {
        let shared = &self.plugin.template.shared;
        shared.metrics.failed(hook, fault.reason);
        let plugin = &*self.plugin.name;
        let Fault { reason, detail, function, fatal } = fault;
        let function = function.unwrap_or_default();
        let hook = hook.as_str();
        if reason == "unavailable" {
            tracing::debug!(plugin, route, request, hook, reason, "plugin failed: {detail}");
        } else {
            tracing::error!(
                plugin,
                route,
                request,
                hook,
                function,
                reason,
                "plugin failed: {detail}"
            );
        }
        if fatal {
            self.failing.store(true, Ordering::Relaxed);
            let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(pause) = backoff.failed(shared.clock.now()) {
                tracing::error!(
                    plugin,
                    "plugin keeps failing: not called for {} ms",
                    pause.as_millis()
                );
            }
        }
        Box::new(Failure { plugin: self.plugin.name.clone(), reason, detail })
    }
}
