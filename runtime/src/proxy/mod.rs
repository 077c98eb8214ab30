//! The proxy: one request's life, in order.
//!
//! In: a request from hyper and the connection it came on. Out: the response for hyper, and when
//! its last byte is gone, a log line and counts. Never: knows of Wasm, or blocks its worker.
//!
//! [`serve`] is the drawing of the crate's front page as code: [`admission`] makes the request safe
//! to route and forward, the chain decides, [`forward`] finds an endpoint, [`respond`] answers what
//! no endpoint answered, and [`completion`] tells log, metrics and plugins how it went.

mod admission;
mod body;
mod completion;
mod forward;
mod respond;
mod transform;
mod upgrade;
mod worker;

use std::rc::Rc;

use http::{Request, Response};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;

pub use body::ResponseBody;
pub use worker::{Connection, Listener, NO_ROUTE, Route, Snapshot, Worker};

use crate::chain::{Chain, Exchange, Outcome, Reached, Transforms};
use crate::error::{Error, Kind, Side};
use crate::http::Body;
use completion::Completion;
use respond::{Answer, Form};

/// Serves one request. Never fails: what goes wrong becomes a response.
pub async fn serve(
    worker: Rc<Worker>,
    connection: Rc<Connection>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    let snapshot = worker.snapshot();
    let mut completion = Completion::new(worker, snapshot.clone(), &connection, &request);
    let Some(listener) = snapshot.listener(completion.listener) else {
        let error = Error::new(Kind::DestinationUnavailable, Side::Proxy, "listener was removed");
        return respond::error(completion, error, Form::Problem);
    };
    let admitted = match admission::admit(listener, &connection, request, &mut completion) {
        Ok(admitted) => admitted,
        Err(refused) => {
            let form = respond::form(&refused.head.headers);
            completion.refused = Some(refused.head);
            return respond::error(completion, refused.error, form);
        }
    };
    let admission::Admitted { mut exchange, route, upgrade, client_upgrade } = admitted;
    let chain = listener.chain(route);

    let (back, outcome, reached) = chain.on_request(exchange).await;
    exchange = back;
    completion.reached = reached;
    let answer = match outcome {
        Outcome::Respond { plugin, reply } => {
            completion.plugin = Some(plugin);
            if !reply.delay.is_zero() {
                Box::pin(tokio::time::sleep(reply.delay)).await;
            }
            respond::reply(reply)
        }
        Outcome::Failed(failure) => respond::failed(&failure, &exchange, &mut completion),
        Outcome::Forward => match route.and_then(|route| snapshot.routes.get(route)) {
            None => {
                let error = Error::new(Kind::DestinationNotFound, Side::Downstream, "no route");
                respond::answer(error, &exchange, &mut completion)
            }
            Some(route) => {
                let transforms = chain.request_transforms(exchange).await;
                exchange = transforms.0;
                match transforms.1 {
                    Err(failure) => respond::failed(&failure, &exchange, &mut completion),
                    Ok(transforms) => {
                        let (back, answer) =
                            forward::forward(exchange, route, transforms, upgrade, &mut completion)
                                .await;
                        exchange = back;
                        match answer {
                            Ok(answer) => answer,
                            Err(error) => respond::answer(error, &exchange, &mut completion),
                        }
                    }
                }
            }
        },
    };
    finish(chain, exchange, reached, answer, client_upgrade, completion).await
}

/// The way back: response hooks, body transforms, and the response as hyper sends it.
async fn finish(
    chain: &Chain,
    mut exchange: Box<Exchange>,
    reached: Reached,
    answer: Answer,
    client_upgrade: Option<OnUpgrade>,
    mut completion: Box<Completion>,
) -> Response<ResponseBody> {
    let Answer { parts, body, mut lease, mut upgrade, idle } = answer;
    let streamed = matches!(body, Body::Incoming(..));
    exchange.response = Some(parts);
    exchange.response_body = body;
    let (back, failed) = chain.on_response(exchange, reached).await;
    exchange = back;
    let (transforms, failed) = match failed {
        Some(failure) => (Transforms::new(), Some(failure)),
        None => match chain.response_transforms(exchange, reached).await {
            (back, Ok(transforms)) => {
                exchange = back;
                (transforms, None)
            }
            (back, Err(failure)) => {
                exchange = back;
                (Transforms::new(), Some(failure))
            }
        },
    };
    if let Some(failure) = failed {
        let Answer { parts, body, .. } = respond::failed(&failure, &exchange, &mut completion);
        exchange.response = Some(parts);
        exchange.response_body = body;
        lease = None;
        upgrade = None;
    }
    let mut body = std::mem::take(&mut exchange.response_body);
    // Hooks change the head in place; there is no call that takes it away.
    let Some(mut parts) = exchange.response.take() else {
        let error =
            Error::new(Kind::ProxyInternalError, Side::Proxy, "the response's head is gone");
        return respond::error(completion, error, Form::Problem);
    };
    if !transforms.is_empty() && !body.is_end_stream() {
        body = transform::rewrite(body, transforms);
        transform::reframe(&mut parts.headers, None);
    } else if streamed && !matches!(body, Body::Incoming(..)) {
        // A plugin put another body in the place of the endpoint's.
        transform::reframe(&mut parts.headers, body.size_hint().exact());
    }
    if let (Some(client), Some(upstream)) = (client_upgrade, upgrade) {
        completion.answered(&parts, exchange);
        return upgrade::switch(parts, client, upstream, lease, completion);
    }
    respond::finish_head(&mut parts, &body, &exchange);
    completion.answered(&parts, exchange);
    Response::from_parts(parts, ResponseBody::new(body, lease, idle, completion))
}
