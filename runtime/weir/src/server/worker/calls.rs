//! Calls that plugins make to upstreams, on the worker that runs them.
//!
//! In: calls, from fibers of guests, which may hold nothing that is the worker's own. Out: answers, by the
//! worker's connections. Never: makes one whose plugin has given up.

use std::rc::Rc;

use tokio::sync::{mpsc, oneshot};
use weir_core::clock;
use weir_core::error::{Error, Kind, Side};
use weir_core::outbound::{Call, Called, Calling, Outbound};

use super::upstreams::Serving;
use crate::proxy::call;
use crate::upstream::Upstream;

type Answer = Result<Called, Box<Error>>;
type Asked = (Call, oneshot::Sender<Answer>);

/// Where plugins' calls go in.
#[derive(Debug)]
pub struct Calls(mpsc::UnboundedSender<Asked>);

impl Calls {
    /// Bounded by who asks: instances, and calls of each.
    pub fn new() -> (Calls, mpsc::UnboundedReceiver<Asked>) {
        let (asking, asked) = mpsc::unbounded_channel();
        (Calls(asking), asked)
    }
}

impl Outbound for Calls {
    fn call(&self, call: Call) -> Calling {
        let (answering, answer) = oneshot::channel();
        let _ = self.0.send((call, answering));
        Box::pin(async {
            let gone = |_| {
                let detail = "the worker ends";
                Box::new(Error::new(Kind::DestinationUnavailable, Side::Proxy, detail))
            };
            answer.await.map_err(gone)?
        })
    }
}

/// Makes calls until nobody can ask for one any more.
pub async fn make(mut asked: mpsc::UnboundedReceiver<Asked>, serving: Serving) {
    while let Some((call, answering)) = asked.recv().await {
        let is_it = |upstream: &&Rc<Upstream>| upstream.cluster.config.name == call.upstream;
        let upstream = serving.borrow().iter().find(is_it).cloned();
        tokio::task::spawn_local(one(upstream, call, answering));
    }
}

async fn one(upstream: Option<Rc<Upstream>>, call: Call, mut answering: oneshot::Sender<Answer>) {
    let Some(upstream) = upstream else {
        let detail = format!("there is no upstream {} any more", call.upstream);
        let error = Error::new(Kind::DestinationUnavailable, Side::Upstream, detail);
        let _ = answering.send(Err(Box::new(error)));
        return;
    };
    let answered = tokio::select! {
        answered = call::call(&upstream, call) => answered,
        () = answering.closed() => return,
    };
    let (answer, lease, in_flight) = match answered {
        Ok(answered) => answered,
        Err(error) => return drop(answering.send(Err(error))),
    };
    let (read, until_read) = oneshot::channel::<()>();
    let called = Called { head: answer.parts, body: answer.body, connection: Box::new(read) };
    if answering.send(Ok(called)).is_ok() {
        // Nothing is ever sent: it is dropped.
        let _ = until_read.await;
        lease.finish(clock::now());
    }
    drop(in_flight);
}
