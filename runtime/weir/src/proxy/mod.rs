//! The proxy: one request's life, in order.
//!
//! In: a request from a codec and the connection it came on. Out: the response for the codec, and when
//! its last byte is gone, a log line and counts. Never: knows of Wasm, or blocks its worker.
//!
//! [`serve`] is the drawing of the crate's front page as code:
//!
//! | phase | who runs | what may change | where an error goes |
//! |---|---|---|---|
//! | admit | [`admission`]: one host, one path, one length, sizes | the target's normal form is found | [`stopped`] |
//! | route | [`routing`]: a binding, which is a chain and perhaps a route | nothing | [`stopped`] |
//! | enter | [`entry`]: fields of the last hop go, those of the client's address come | the head | [`stopped`] |
//! | request hooks | the chain, in order, until one replies or fails | head, body, attributes | [`respond`], then back up |
//! | the [`terminal`] | what answers when every plugin said forward: of an upstream, [`forward`] | the body passes transforms | [`respond`], then back up |
//! | response hooks | the chain in reverse, from the last plugin that forwarded or replied | head, body, attributes | [`respond`], in the response's place |
//! | finish | [`finish()`]: framing, `Date`, `Via`; after a 101 [`switch()`](switch::switch) | the head | none; a switch that fails ends both connections |
//! | the body | [`download`], with the transforms that hooks opened | bytes | ends the stream or the connection |
//! | completion | [`completion`]: metrics, log, completion hooks | nothing | the daemon's log |
//!
//! What [`stopped`] answers has seen no request hook; the response hooks of the chain it reached add to it,
//! so that a browser's page may read it, unless its listener is gone or its connection's time is over.
//! [`respond`] is the one place that turns an error into an answer.
//!
//! # A walk: the third plugin's response hook refuses
//!
//! A route has the plugins `a`, `b` and `c`, the request was forwarded, an HTTP/1.1 endpoint answered 200, and
//! the response hook of `c` traps.
//!
//! - *Who has run:* the request hooks of `a`, `b` and `c` in this order, the endpoint, the response hook of `c`.
//! - *Who runs next:* the response hooks of `b` and `a`, which still see the endpoint's answer. Where `c` has
//!   `on_failure = "reject"`, which is the default, no transform of the response's body is opened; with `"skip"` all
//!   are, and what follows is as if `c` were not there.
//! - *What the client gets:* from [`respond::rejected`] a 500 with `Proxy-Status: weir; error=proxy_internal_error` in
//!   the answer's place; what `b` and `a` had set on the endpoint's is gone with it. The endpoint's body is dropped
//!   and its connection closed; of HTTP/2 it is the stream that is reset.
//! - *What is logged:* by the host the trap, with its backtrace. In the access log status 500, `upstream_status` 200,
//!   `error` `proxy_internal_error` and its detail `plugin c: trap`; `plugin` is empty, for none replied. The
//!   completion hooks of `a`, `b` and `c` are told the same, and the error is counted by its kind.
//!
//! Another failure than a trap has its reason in the detail. Two have another status: 503 with `Retry-After` where the
//! plugin or its quota was busy, 504 (`http_response_timeout`) where the exchange's time was over. What a hook could not read because
//! a peer broke its body is that peer's error, as it would be without the plugin.

mod accept;
mod admission;
mod ahead;
mod asked;
mod attempts;
pub mod call;
mod completion;
mod download;
mod drain;
mod entry;
mod facts;
mod finish;
mod forward;
mod heading;
mod record;
mod refusal;
mod respond;
mod route;
mod routing;
mod stalled;
mod stopped;
mod streams;
mod switch;
mod terminal;
mod transform;
mod tunnel;
mod underway;
mod upload;
mod wants;
mod worker;

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use http::request::Parts;
use http::{Request, Response};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;
use weir_core::chain::{Chain, Exchange, Outcome, Transforms};
use weir_core::error::{Error, Kind, Side};
use weir_core::http::Body;

pub use download::ResponseBody;
pub use refusal::{Refusal, Refused, stand_in};
pub use route::{Route, Target};
pub use stalled::Allowance;
pub use streams::StreamExecutor;
pub use worker::{Binding, ClientConnection, Listener, NO_ROUTE, Snapshot, StrictPaths, Worker};

use accept::Form;
use completion::Completion;
use heading::{Heading, Told};
use stopped::Stopped;
use terminal::Terminal;
use wants::Wants;

/// Serves one request. Never fails: what goes wrong becomes a response.
///
/// A request without a body has [`Body::Empty`]. `upgrade` gives the client's stream after a 101, where its
/// codec can. What needs no waiting is done at once, so that the future holds little more than boxes: it
/// is moved before it is first polled.
pub fn serve(
    worker: &Rc<Worker>,
    connection: &Rc<ClientConnection>,
    request: Request<Body>,
    upgrade: Option<OnUpgrade>,
) -> impl Future<Output = Result<Response<ResponseBody>, Infallible>> + use<> {
    pass(begin(Completion::new(worker, connection, &request), request, upgrade))
}

/// Serves one stream of a connection that has many, in its own turn: a hundred heads that came together
/// are not made ready and routed together. Boxed, for the codec moves it several times.
pub fn serve_stream(
    worker: &Rc<Worker>,
    connection: &Rc<ClientConnection>,
    request: Request<Body>,
) -> Pin<Box<impl Future<Output = Result<Response<ResponseBody>, Infallible>> + use<>>> {
    let completion = Completion::new(worker, connection, &request);
    Box::pin(async move { pass(begin(completion, request, None)).await })
}

/// An exchange that may be shown to plugins and forwarded.
struct Begun {
    exchange: Box<Exchange>,
    /// What serves it. Given up with the response's head: what the body needs is in the completion.
    binding: Rc<Binding>,
    wants: Wants,
    completion: Box<Completion>,
}

/// Everything that needs no waiting: admit, route, enter.
fn begin(
    mut completion: Box<Completion>,
    request: Request<Body>,
    upgrade: Option<OnUpgrade>,
) -> Result<Begun, Box<Stopped>> {
    let snapshot = completion.worker.snapshot();
    let connection = completion.connection.clone();
    let Some(listener) = snapshot.listener(connection.listener.get()) else {
        let error = Error::new(Kind::DestinationUnavailable, Side::Proxy, "listener was removed");
        let answer = respond::error(completion, error, Form::Problem);
        return Err(Box::new(Stopped::Answered(Box::new(answer))));
    };
    completion.asked.via = listener.via;
    if let Some(refused) = connection.refusal.take(&connection.activity) {
        let place = (listener, &listener.unrouted);
        return Err(Box::new(stopped::refuse(*refused, place, completion)));
    }
    let (mut head, body) = request.into_parts();
    let mut binding = &listener.unrouted;
    let place = (listener, &mut binding);
    match enter(place, &connection, &mut head, &body, upgrade, &mut completion) {
        Err(error) => {
            drop(body);
            let refused = Refused { error, head };
            Err(Box::new(stopped::refuse(refused, (listener, binding), completion)))
        }
        Ok(ready) => {
            let place = (listener, &**binding);
            let (exchange, wants) = entry::begin(place, head, body, ready, &mut completion);
            tracing::debug!(
                request = %exchange.id, client = %exchange.client.address,
                method = %exchange.request.method, uri = %completion.shown(&exchange.request.uri),
                route = &*exchange.route, "request"
            );
            Ok(Begun { exchange, binding: binding.clone(), wants, completion })
        }
    }
}

/// Admits a request, finds what serves it, and makes its head ready for that.
fn enter<'a>(
    (listener, binding): (&'a Listener, &mut &'a Rc<Binding>),
    connection: &ClientConnection,
    head: &mut Parts,
    body: &Body,
    upgrade: Option<OnUpgrade>,
    completion: &mut Completion,
) -> Result<entry::Ready, Error> {
    let admitted = admission::admit(listener, head)?;
    let routed = routing::route(listener, &admitted);
    *binding = routed.binding;
    completion.bind(routed.binding);
    if let Some(error) = routed.refused {
        return Err(error);
    }
    let named = admitted.named();
    let place = (listener, &**routed.binding);
    entry::prepare(place, connection, head, body, named, upgrade, completion)
}

/// The way down and back: request hooks, the terminal, response hooks.
async fn pass(begun: Result<Begun, Box<Stopped>>) -> Result<Response<ResponseBody>, Infallible> {
    let Begun { mut exchange, binding, mut wants, mut completion } = match begun {
        Ok(begun) => begun,
        Err(stopped) => return Ok(Box::pin(stopped.answer()).await),
    };
    let chain = &binding.chain;
    if !chain.is_empty() {
        completion.told = Told::heading(Heading::brief(&exchange));
    }
    let mut terminal =
        Terminal { binding: &binding, completion: &mut completion, wants: &mut wants };
    let (back, outcome, reached) = chain.run(exchange, &mut terminal).await;
    exchange = back;
    completion.reached = reached;
    match outcome {
        Outcome::Answered => {}
        Outcome::Replied { plugin, reply } => {
            completion.facts.plugin = Some(plugin);
            if !reply.delay.is_zero() {
                let _held_back = completion.connection.activity.delay();
                Box::pin(tokio::time::sleep(reply.delay)).await;
            }
            respond::reply(*reply, &mut exchange);
        }
        Outcome::Failed(failure) => respond::rejected(&failure, &mut exchange, &mut completion),
        Outcome::Unanswered(error) => respond::answer(*error, &mut exchange, &mut completion),
    }
    Ok(finish(chain, exchange, &mut wants, completion).await)
}

/// The way back: response hooks, body transforms, and the response as hyper sends it.
async fn finish(
    chain: &Chain,
    mut exchange: Box<Exchange>,
    wants: &mut Wants,
    mut completion: Box<Completion>,
) -> Response<ResponseBody> {
    let streamed = exchange.response_body.is_from_endpoint();
    // What a request hook could not read is no fault of the response.
    exchange.peer_error = None;
    let (back, opened) = chain.run_back(exchange, completion.reached).await;
    exchange = back;
    let transforms = opened.unwrap_or_else(|failure| {
        respond::rejected(&failure, &mut exchange, &mut completion);
        wants.upgrade = None;
        Transforms::new()
    });
    // To read a body that waits to be asked for would be to ask for it.
    if completion.leaves_unread()
        && completion.asked.is_http1()
        && completion.lease.is_none()
        && !wants.to_be_asked
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
    if let Some(client) = wants.switched() {
        let _ = finish::finish(&mut parts, Body::Empty, &completion);
        completion.answered(&parts, exchange);
        return switch::switch(parts, client, completion);
    }
    let body = finish::finish(&mut parts, body, &completion);
    completion.answered(&parts, exchange);
    Response::from_parts(parts, ResponseBody::new(body, completion))
}

#[cfg(test)]
mod tests;
