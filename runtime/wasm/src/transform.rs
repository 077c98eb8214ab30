//! A guest's body transform, as the chain sees it.
//!
//! In: chunks. Out: what the guest makes of them, held on the plugin's quota and in its client's share
//! until it is sent. Never: lets two bodies share an instance: it is pinned from `open` to `finish`,
//! or until this is dropped.

use std::sync::Arc;

use bytes::Bytes;
use weir_core::chain::{Exchange, Failure, Finishing, Pushing, Transform};
use weir_core::http::Client;
use weir_core::quota::Holding;
use weir_core::telemetry::metrics::Hook;

use super::aside::Terms;
use super::fault::Fault;
use super::functions::TransformFunctions;
use super::instance::Instance;
use super::kept::{COST, keep};
use super::pool::Lent;

/// One body on its way through a guest.
pub struct GuestTransform {
    hook: Hook,
    lent: Lent,
    /// Until `finish`.
    open: Option<TransformFunctions>,
    /// Whose exchange it is.
    client: Arc<Client>,
    route: Arc<str>,
    request: String,
}

impl GuestTransform {
    pub fn new(hook: Hook, lent: Lent, transform: TransformFunctions, exchange: &Exchange) -> Self {
        GuestTransform {
            hook,
            lent,
            open: Some(transform),
            client: exchange.client.clone(),
            route: exchange.route.clone(),
            request: exchange.request_id(),
        }
    }

    /// One call, counted, and reported where it fails.
    async fn call(
        &mut self,
        call: impl AsyncFnOnce(&mut Instance, Terms<'_>, &TransformFunctions) -> Result<Vec<u8>, Fault>,
    ) -> Result<Bytes, Box<Failure>> {
        let plugin = self.lent.plugin().clone();
        let (Some((instance, terms)), Some(open)) = (self.lent.parts(None), &self.open) else {
            return Err(self.failed(Fault::unavailable("the body ended already")));
        };
        let metrics = plugin.metrics();
        let called = metrics.called(self.hook);
        let result = call(instance, terms, open).await;
        metrics.returned(self.hook, called);
        result.and_then(|bytes| self.keep(bytes)).map_err(|fault| self.failed(fault))
    }

    /// The guest's memory is let go at `finish`, and what it gave may wait long for a slow reader.
    fn keep(&self, bytes: Vec<u8>) -> Result<Bytes, Fault> {
        if bytes.is_empty() {
            return Ok(Bytes::new());
        }
        let shared = &self.lent.plugin().template.shared;
        let cost = bytes.capacity() + COST;
        let held = shared.hold(Holding::Bodies, cost, &self.client.address);
        held.map(|held| keep(Arc::new(bytes), held)).map_err(|why| Fault::used_up(&why))
    }

    fn failed(&self, fault: Fault) -> Box<Failure> {
        self.lent.plugin().report(self.hook, &self.route, &self.request, fault)
    }
}

impl Transform for GuestTransform {
    fn push(mut self: Box<Self>, chunk: Bytes) -> Pushing {
        Box::pin(async move {
            let pushed = self
                .call(async |instance, terms, open| instance.push(terms, open, chunk).await)
                .await;
            pushed.map(|bytes| (self as Box<dyn Transform>, bytes))
        })
    }

    fn finish(mut self: Box<Self>) -> Finishing {
        Box::pin(async move {
            let finished =
                self.call(async |instance, terms, open| instance.finish(terms, open).await).await;
            self.open = None;
            finished
        })
    }
}

impl Drop for GuestTransform {
    fn drop(&mut self) {
        // Given up half-way, or by the guest: it may hold what it keeps for this body.
        if self.open.is_some()
            && let Some((instance, _)) = self.lent.parts(None)
        {
            instance.broken = true;
        }
    }
}
