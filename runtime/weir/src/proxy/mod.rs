//! The proxy: one request's life, in order.
//!
//! In: a request from hyper and the connection it came on. Out: the response for hyper, and when
//! its last byte is gone, a log line and counts. Never: knows of Wasm, or blocks its worker.
//!
//! [`serve`] is the drawing of the crate's front page as code: [`admission`] makes the request safe
//! to route and forward (or has [`stopped`] answer it), the chain decides, [`forward`] finds an endpoint,
//! [`respond`] answers what no endpoint answered, and [`completion`] tells log, metrics and plugins how it went.

mod accept;
mod admission;
mod ahead;
mod asked;
mod attempts;
mod completion;
mod download;
mod drain;
mod finish;
mod forward;
mod heading;
mod refusal;
mod respond;
mod stalled;
mod stopped;
mod streams;
mod switch;
mod transform;
mod tunnel;
mod underway;
mod upgrade;
mod upload;
mod worker;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use weir_core::chain::{Chain, Decision, Exchange, Failure, Reached, Transforms};
use weir_core::error::{Error, Kind, Side};
use weir_core::http::Body;

pub use download::ResponseBody;
pub use refusal::{Refusal, Refused, stand_in};
pub use stalled::Allowance;
pub use streams::StreamExecutor;
pub use worker::{
    Binding, ClientConnection, Listener, NO_ROUTE, Route, Snapshot, StrictPaths, Worker,
};

use completion::Completion;
use heading::Heading;
use respond::Form;
use stopped::Stopped;
use underway::Underway;
use upgrade::Upgrade;

/// Serves one request. Never fails: what goes wrong becomes a response.
///
/// What needs no waiting is done at once, so that the future holds boxes only: it is moved before
/// it is first polled.
pub fn serve(
    worker: &Rc<Worker>,
    connection: &Rc<ClientConnection>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<ResponseBody>, Infallible>> + use<> {
    pass(begin(Completion::new(worker, connection, &request), request))
}

/// Serves one stream of a connection that has many, in its own turn: a hundred heads that came together
/// are not made ready and routed together. Boxed, for the codec moves it several times.
pub fn serve_stream(
    worker: &Rc<Worker>,
    connection: &Rc<ClientConnection>,
    request: Request<Incoming>,
) -> Pin<Box<impl Future<Output = Result<Response<ResponseBody>, Infallible>> + use<>>> {
    let completion = Completion::new(worker, connection, &request);
    Box::pin(async move { pass(begin(completion, request)).await })
}

/// An exchange that may be routed and forwarded, or what becomes of a request that may not.
type Begun = Result<(Box<Exchange>, Box<Completion>), Box<Stopped>>;

/// Everything that needs no waiting.
fn begin(mut completion: Box<Completion>, request: Request<Incoming>) -> Begun {
    let snapshot = completion.worker.snapshot();
    let connection = completion.connection.clone();
    let Some(listener) = snapshot.listener(connection.listener.get()) else {
        let error = Error::new(Kind::DestinationUnavailable, Side::Proxy, "listener was removed");
        let answer = respond::error(completion, error, Form::Problem);
        return Err(Box::new(Stopped::Answered(Box::new(answer))));
    };
    completion.via = listener.via;
    let admitted = match connection.refusal.take(&connection.activity) {
        None => admission::admit(listener, &connection, request, &mut completion),
        Some(refused) => Err(refused),
    };
    match admitted {
        Ok(exchange) => {
            tracing::debug!(
                request = %exchange.id, client = %exchange.client.address,
                method = %exchange.request.method, uri = %completion.shown(&exchange.request.uri),
                route = &*exchange.route, "request"
            );
            Ok((exchange, completion))
        }
        Err(refused) => Err(Box::new(stopped::refuse(*refused, listener, completion))),
    }
}

/// The way down: request hooks, then the endpoint, or what answers instead of it.
async fn pass(begun: Begun) -> Result<Response<ResponseBody>, Infallible> {
    let (mut exchange, mut completion) = match begun {
        Ok(begun) => begun,
        Err(stopped) => return Ok(Box::pin(stopped.answer()).await),
    };
    // Given up with the response's head: what the body needs is in the completion.
    let Some(binding) = completion.binding.take() else {
        let error = Error::new(Kind::ProxyInternalError, Side::Proxy, "nothing serves the request");
        return Ok(respond::error(completion, error, Form::Problem));
    };
    let (chain, route) = (&binding.chain, binding.route.as_deref());
    if !chain.is_empty() {
        completion.heading = Some(Box::new(Heading::brief(&exchange)));
    }
    let (back, outcome, reached) = chain.on_request(exchange).await;
    exchange = back;
    completion.reached = reached;
    match (outcome, route) {
        (Decision::Respond { plugin, reply }, _) => {
            completion.plugin = Some(plugin);
            if !reply.delay.is_zero() {
                let _held_back = completion.connection.activity.delay();
                Box::pin(tokio::time::sleep(reply.delay)).await;
            }
            respond::reply(*reply, &mut exchange);
        }
        (Decision::Failed(failure), _) => {
            respond::rejected(&failure, &mut exchange, &mut completion);
        }
        (Decision::Forward, _) if completion.last.is_some() => {
            respond::last(completion.last.take(), &mut exchange);
        }
        (Decision::Forward, None) => {
            let error = Error::new(Kind::DestinationNotFound, Side::Downstream, "no route");
            respond::answer(error, &mut exchange, &mut completion);
        }
        (Decision::Forward, Some(route)) => {
            if completion.ambiguous {
                admission::drop_twins(&mut exchange, &completion);
            }
            let (back, transforms) = chain.request_transforms(exchange).await;
            exchange = back;
            match transforms {
                Err(failure) => respond::rejected(&failure, &mut exchange, &mut completion),
                Ok(transforms) => {
                    // Nothing took time yet where no hook was called.
                    let now = chain.asks_nobody().then_some(exchange.started);
                    let underway = Underway::new(&mut exchange, &mut completion);
                    let (of, told) = (&mut *underway.exchange, &mut *underway.completion);
                    let forwarded = forward::forward(of, route, chain, transforms, now, told).await;
                    underway.over();
                    if let Err(error) = forwarded {
                        respond::answer(*error, &mut exchange, &mut completion);
                    }
                }
            }
        }
    }
    Ok(finish(chain, exchange, completion).await)
}

/// The way back: response hooks, body transforms, and the response as hyper sends it.
async fn finish(
    chain: &Chain,
    mut exchange: Box<Exchange>,
    mut completion: Box<Completion>,
) -> Response<ResponseBody> {
    let streamed = exchange.response_body.is_from_endpoint();
    // What a request hook could not read is no fault of the response.
    exchange.peer_error = None;
    let (back, opened) = ask_back(chain, exchange, completion.reached).await;
    exchange = back;
    let transforms = opened.unwrap_or_else(|failure| {
        respond::rejected(&failure, &mut exchange, &mut completion);
        completion.upgrade = None;
        Transforms::new()
    });
    // To read a body that waits to be asked for would be to ask for it.
    if completion.leaves_unread()
        && completion.asked.is_http1()
        && completion.lease.is_none()
        && !completion.expects
    {
        Box::pin(drain::drain(&mut exchange.request_body)).await;
    }
    let (body, replaced) =
        (std::mem::take(&mut exchange.response_body), exchange.response_replaced);
    // Hooks change the head in place; there is no call that takes it away.
    let Some(mut parts) = exchange.response.take() else {
        let error =
            Error::new(Kind::ProxyInternalError, Side::Proxy, "the response's head is gone");
        return respond::error(completion, error, Form::Problem);
    };
    if transforms.is_empty() && streamed && replaced {
        // A plugin put another body in the place of the endpoint's.
        transform::reframe(&mut parts, body.size_hint().exact());
    }
    let body = transform::rewrite_response(&mut parts, body, transforms);
    if let Some(upgrade) = completion.upgrade.take()
        && let Upgrade { client: Some(client), accepted: true, .. } = *upgrade
    {
        let _ = finish::finish(&mut parts, Body::Empty, &completion);
        completion.answered(&parts, exchange);
        return switch::switch(parts, client, completion);
    }
    let body = finish::finish(&mut parts, body, &completion);
    completion.answered(&parts, exchange);
    Response::from_parts(parts, ResponseBody::new(body, completion))
}

/// Has the response hooks asked, and the transforms of the body opened.
async fn ask_back(
    chain: &Chain,
    mut exchange: Box<Exchange>,
    reached: Reached,
) -> (Box<Exchange>, Result<Transforms, Box<Failure>>) {
    exchange.limit_response_head();
    let (exchange, failed) = chain.on_response(exchange, reached).await;
    match failed {
        None => chain.response_transforms(exchange, reached).await,
        Some(failure) => (exchange, Err(failure)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codec moves it before it is first polled.
    #[test]
    fn an_exchange_is_small_to_move() {
        fn size<A, F>(_: impl FnOnce(A) -> F) -> usize {
            size_of::<F>()
        }
        assert!(size(pass) <= 1_344, "{} bytes", size(pass));
        assert!(size_of::<Completion>() <= 336, "{} bytes", size_of::<Completion>());
    }
}
