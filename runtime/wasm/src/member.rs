//! A plugin as a member of chains, on one worker.
//!
//! In: exchanges. Out: what the plugin's hooks made of them. Never: lets what a plugin does wrong
//! hurt more than the exchange at hand: a trap costs an instance, and nobody else is told.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use weir_core::chain::{Exchange, Failure, Hooks, Middleware, Step, Summary, Transform, Verdict};
use weir_core::config::OnFailure;
use weir_core::outbound::Outbound;
use weir_core::telemetry::metrics::Hook;

use super::call::{Call, OnComplete, OnRequest, OnResponse, OpenRequestBody, OpenResponseBody};
use super::fault::Fault;
use super::functions::TransformFunctions;
use super::instance::Instance;
use super::loaded::{LoadedPlugin, PreparedInstance};
use super::pool::{InstancePool, Lent};
use super::transform::GuestTransform;

/// The plugin, on one worker.
struct Member {
    pool: Arc<InstancePool>,
    /// The instance that serves calls which return at once: never two at a time on a worker.
    warm: Cell<Option<Box<Instance>>>,
}

/// What comes of asking a guest for a transform.
type Opened = Step<Option<Box<dyn Transform>>>;

impl LoadedPlugin {
    /// The plugin as a chain member of the calling worker. Without an instance, the first call
    /// makes one.
    ///
    /// What it calls, `outbound` calls for it.
    pub fn member(
        self: &Arc<Self>,
        prepared: Option<PreparedInstance>,
        outbound: &Arc<dyn Outbound>,
    ) -> Rc<dyn Middleware> {
        let warm = Cell::new(prepared.map(|prepared| prepared.0));
        Rc::new(Member { pool: InstancePool::new(self.clone(), outbound.clone()), warm })
    }

    /// Logs and counts a failure.
    fn failed(&self, hook: Hook, exchange: &Exchange, fault: Fault) -> Box<Failure> {
        self.report(hook, &exchange.route, &exchange.request_id(), fault)
    }
}

impl Middleware for Member {
    fn name(&self) -> &Arc<str> {
        &self.pool.plugin.name
    }

    fn hooks(&self) -> Hooks {
        self.pool.plugin.hooks()
    }

    fn fields(&self) -> &[Box<str>] {
        &self.pool.plugin.fields
    }

    fn on_failure(&self) -> OnFailure {
        self.pool.plugin.on_failure
    }

    fn on_request(&self, exchange: Box<Exchange>) -> Step<Verdict> {
        self.call(Hook::Request, exchange, OnRequest)
    }

    fn on_response(&self, exchange: Box<Exchange>) -> Step<()> {
        self.call(Hook::Response, exchange, OnResponse)
    }

    fn open_request_transform(&self, exchange: Box<Exchange>) -> Opened {
        self.open(Hook::RequestBody, exchange, OpenRequestBody)
    }

    fn open_response_transform(&self, exchange: Box<Exchange>) -> Opened {
        self.open(Hook::ResponseBody, exchange, OpenResponseBody)
    }

    fn on_complete(&self, exchange: Box<Exchange>, summary: &Summary) -> Step<()> {
        self.call(Hook::Completion, exchange, OnComplete(summary.into()))
    }

    fn retire(&self) {
        if let Some(warm) = self.warm.take() {
            self.pool.end(warm, None);
        }
        self.pool.retire();
    }
}

impl Member {
    /// A hook: at once where that is to be had, else aside.
    fn call<C: Call>(&self, hook: Hook, exchange: Box<Exchange>, call: C) -> Step<C::Output> {
        let pool = &self.pool;
        if pool.plugin.template.runs_on_fibers() {
            return self.aside(hook, exchange, call);
        }
        let (mut instance, _room) = match self.warm.take().or_else(|| pool.take_idle()) {
            Some(instance) => (instance, None),
            None => match pool.restored(exchange.client.key) {
                Some((instance, place, made_for)) => (instance, Some((place, made_for))),
                None => return self.aside(hook, exchange, call),
            },
        };
        let metrics = pool.plugin.metrics();
        let called = metrics.called(hook);
        let (exchange, result) = instance.call(&pool.pulse, exchange, call);
        metrics.returned(hook, called);
        match pool.may_serve_again(&instance) {
            true => self.warm.set(Some(instance)),
            false => pool.end(instance, None),
        }
        match result {
            Ok(value) => Step::Ready(exchange, Ok(value)),
            Err(fault) => {
                let failure = pool.plugin.failed(hook, &exchange, fault);
                Step::Ready(exchange, Err(failure))
            }
        }
    }

    /// A hook that may wait, or take its time.
    fn aside<C: Call>(&self, hook: Hook, exchange: Box<Exchange>, call: C) -> Step<C::Output> {
        let pool = self.lending();
        Step::Pending(Box::pin(async move {
            let (exchange, result, _) = lend_and_call(&pool, hook, exchange, call).await;
            let result = result.map_err(|fault| pool.plugin.failed(hook, &exchange, fault));
            (exchange, result)
        }))
    }

    /// Opens a body transform, on an instance of its own.
    fn open<C>(&self, hook: Hook, exchange: Box<Exchange>, call: C) -> Opened
    where
        C: Call<Output = Option<TransformFunctions>>,
    {
        let pool = self.lending();
        Step::Pending(Box::pin(async move {
            match lend_and_call(&pool, hook, exchange, call).await {
                (exchange, Ok(Some(transform)), Some(lent)) => {
                    let open = GuestTransform::new(hook, lent, transform, &exchange);
                    (exchange, Ok(Some(Box::new(open) as Box<dyn Transform>)))
                }
                (exchange, Ok(_), _) => (exchange, Ok(None)),
                (exchange, Err(fault), _) => {
                    let failure = pool.plugin.failed(hook, &exchange, fault);
                    (exchange, Err(failure))
                }
            }
        }))
    }

    /// The pool, with every idle instance in it.
    fn lending(&self) -> Arc<InstancePool> {
        if let Some(warm) = self.warm.take() {
            self.pool.give_back(warm, None);
        }
        self.pool.clone()
    }
}

/// A call on an instance that is lent for it. The instance is there still where one was to be had.
async fn lend_and_call<C: Call>(
    pool: &Arc<InstancePool>,
    hook: Hook,
    exchange: Box<Exchange>,
    call: C,
) -> (Box<Exchange>, Result<C::Output, Fault>, Option<Lent>) {
    let due = pool.due(C::PHASE, exchange.due);
    let mut lent = match pool.lend(&exchange.client, C::PHASE, due).await {
        Ok(lent) => lent,
        Err(fault) => return (exchange, Err(fault), None),
    };
    let Some((instance, terms)) = lent.parts(due) else {
        return (exchange, Err(Fault::unavailable("the instance is gone")), None);
    };
    let metrics = pool.plugin.metrics();
    let called = metrics.called(hook);
    let (exchange, result) = instance.call_aside(terms, exchange, call).await;
    metrics.returned(hook, called);
    (exchange, result, Some(lent))
}
