//! Calls through the chain's own trait, as the proxy makes them.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use weir_core::chain::{Chain, Exchange, Middleware, Step, Terminal, Transforms};
use weir_core::config::{ComponentSource, Grants, Isolation, OnFailure, Plugin, PluginLimits};
use weir_core::error::Error;
use weir_core::outbound;
use weir_wasm::Host;

/// The trivial plugin, ready on this thread.
pub fn member(host: &Host) -> Rc<dyn Middleware> {
    member_of(host, Isolation::Worker)
}

/// The same, isolated like this.
pub fn member_of(host: &Host, isolation: Isolation) -> Rc<dyn Middleware> {
    let plugin = Plugin {
        name: "trivial".into(),
        component: ComponentSource::BuiltIn("trivial".into()),
        config: "{}".into(),
        grants: Grants::default(),
        limits: PluginLimits::default(),
        on_failure: OnFailure::Reject,
        isolation,
        place: "bench".into(),
    };
    let loaded = host.load(&plugin).expect("the plugin loads");
    loaded.member(Some(loaded.prepare().expect("an instance")), &outbound::nobody())
}

/// The same member several times.
pub fn of(member: &Rc<dyn Middleware>, length: usize) -> Chain {
    Chain::new(vec![member.clone(); length])
}

/// One request hook.
pub fn on_request(member: &dyn Middleware, exchange: Box<Exchange>) -> Box<Exchange> {
    match member.on_request(exchange) {
        Step::Ready(exchange, Ok(_)) => exchange,
        Step::Ready(_, Err(failure)) => panic!("the hook failed: {failure:?}"),
        Step::Pending(_) => panic!("the trivial plugin waits for nothing"),
    }
}

/// Both hooks, on whichever instances there are for them.
pub async fn both_hooks(member: &dyn Middleware, exchange: Box<Exchange>) -> Box<Exchange> {
    let mut exchange = returned(member.on_request(exchange)).await;
    exchange.response = Some(http::Response::new(()).into_parts().0);
    returned(member.on_response(exchange)).await
}

async fn returned<T>(step: Step<T>) -> Box<Exchange> {
    let (exchange, outcome) = match step {
        Step::Ready(exchange, outcome) => (exchange, outcome),
        Step::Pending(waiting) => waiting.await,
    };
    if let Err(failure) = outcome {
        panic!("the hook failed: {failure:?}");
    }
    exchange
}

/// The request hooks of a chain, none of which waits, and behind them nothing to do.
pub fn run(chain: &Chain, exchange: Box<Exchange>) -> Box<Exchange> {
    let mut nothing = Nothing;
    let mut running = pin!(chain.run(exchange, &mut nothing));
    match running.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready((exchange, _, _)) => exchange,
        Poll::Pending => panic!("the trivial plugin waits for nothing"),
    }
}

/// Answers at once.
struct Nothing;

impl Terminal for Nothing {
    fn takes_body(&self) -> bool {
        false
    }

    async fn answer(&mut self, _: &mut Exchange, _: Transforms) -> Result<(), Box<Error>> {
        Ok(())
    }
}
