//! What answers a request that every plugin forwarded.
//!
//! In: the request, and what serves it. Out: an answer in the exchange, or the error to answer with.
//! Never: asks a plugin.
//!
//! Another kind of terminal (a cache, a component of its own, files) is one more [`Target`], and a file
//! beside [`forward`] that answers for it.

use http_body::Body as _;
use weir_core::chain::{self, Exchange, Transforms};
use weir_core::error::{Error, Kind, Side};

use super::completion::Completion;
use super::entry;
use super::forward;
use super::respond;
use super::route::Target;
use super::underway::Underway;
use super::upload::too_long;
use super::wants::Wants;
use super::worker::Binding;

/// What answers a request: this hop, where it must go no further, or what its route leads to.
pub struct Terminal<'a> {
    pub binding: &'a Binding,
    pub completion: &'a mut Completion,
    pub wants: &'a mut Wants,
}

impl chain::Terminal for Terminal<'_> {
    fn takes_body(&self) -> bool {
        self.wants.last.is_none() && self.binding.route.is_some()
    }

    async fn answer(
        &mut self,
        exchange: &mut Exchange,
        transforms: Transforms,
    ) -> Result<(), Box<Error>> {
        if let Some(last) = self.wants.last.take() {
            respond::last(*last, exchange);
            return Ok(());
        }
        let Some(route) = &self.binding.route else {
            let error = Error::new(Kind::DestinationNotFound, Side::Downstream, "no route");
            return Err(Box::new(error));
        };
        // What announces its length, or is here as a whole, need not be read to be refused.
        if exchange.request_body.size_hint().lower() > exchange.body_limit {
            return Err(Box::new(too_long(exchange.body_limit)));
        }
        // Also those that whoever rewrites the body has set.
        if self.wants.no_twins {
            entry::drop_twins(exchange, self.completion);
        }
        let upstream = match &route.target {
            Target::Upstreams(upstreams) => upstreams.choose(),
            Target::Nothing => None,
        };
        let Some(upstream) = upstream else {
            let detail = format!("route {} has no upstream and no plugin replied", route.name);
            let error = Error::new(Kind::ProxyConfigurationError, Side::Proxy, detail);
            return Err(Box::new(error.with_status(503)));
        };
        let chain = &self.binding.chain;
        // Nothing took time yet where no hook was called.
        let now = chain.asks_nobody().then_some(exchange.started);
        let mut underway = Underway::new(exchange, self.completion, self.wants);
        let to = (upstream, route.timeout);
        let forwarded = forward::forward(&mut underway, to, chain.guarded(), transforms, now).await;
        underway.over();
        forwarded
    }
}
