//! Requests that are refused before any plugin is asked, and their answers.
//!
//! In: what the guard of an HTTP/1.1 connection found, or admission. Out: an answer with the one form,
//! the log line and the counts of any other, and with what the response hooks of its chain add: the
//! route's, where the request got so far, else the listener's own. A browser's page could not read it
//! without. Never: asks a request hook, or shows a plugin what was not made safe.

use http::Response;
use http::header::{HOST, HeaderValue};
use weir_core::chain::{Exchange, Transforms};
use weir_core::error::Error;
use weir_core::http::{Body, framing};

use super::admission;
use super::ask_back;
use super::completion::Completion;
use super::download::ResponseBody;
use super::finish::finish;
use super::heading::Heading;
use super::refusal::Refused;
use super::respond::{self, Form};
use super::transform;
use super::worker::Listener;

/// A request that goes no further.
pub enum Stopped {
    /// Nobody adds to its answer.
    Answered(Box<Response<ResponseBody>>),
    /// Plugins do.
    Refused(Box<Exchange>, Box<Completion>, Error, Form),
}

/// Answers a refused request, or leaves that to the plugins that add to it.
pub fn refuse(refused: Refused, listener: &Listener, mut completion: Box<Completion>) -> Stopped {
    let Refused { error, mut head } = refused;
    let form = respond::form(&head.headers);
    let mut shown = framing::reduced(&head);
    let mut heading = Heading::of(&head);
    let connection = completion.connection.clone();
    let host = heading.field(&HOST).cloned().unwrap_or(const { HeaderValue::from_static("") });
    // Address and scheme are the client's, also where a trusted proxy speaks for it.
    let (forwarded, own) = (&connection.forwarded, &connection.client);
    let client = match forwarded.is_trusted(&listener.trusted) {
        true => forwarded.pass_on(&mut head.headers, &host, own, &listener.trusted),
        false => None,
    };
    let client = client.map_or_else(|| own.clone(), Into::into);
    heading.client = Some(client.clone());
    completion.heading = Some(Box::new(heading));
    let binding = completion.binding.take().unwrap_or_else(|| listener.unrouted.clone());
    // A connection whose time is over has this turn and no other, and hooks may take longer.
    if binding.chain.adds_nothing() || connection.activity.overdue().is_some() {
        return Stopped::Answered(Box::new(respond::error(completion, error, form)));
    }
    completion.binding = Some(binding);
    shown.headers.entry(HOST).or_insert(host);
    let mut exchange = admission::exchange(listener, shown, None, Body::Empty, client, &completion);
    completion.failed(&error);
    completion.closes = true;
    respond::put(&error, form, &mut exchange);
    Stopped::Refused(exchange, completion, error, form)
}

impl Stopped {
    /// The response, once its plugins have added to it. Where one of them fails it goes out as it was:
    /// there is nothing in a refusal that a plugin could have held back.
    pub async fn answer(self) -> Response<ResponseBody> {
        let (mut exchange, mut completion, error, form) = match self {
            Stopped::Answered(answer) => return *answer,
            Stopped::Refused(exchange, completion, error, form) => {
                (exchange, completion, error, form)
            }
        };
        let mut transforms = Transforms::new();
        if let Some(binding) = completion.binding.take() {
            let chain = &binding.chain;
            let (back, opened) = ask_back(chain, exchange, chain.whole()).await;
            exchange = back;
            match opened {
                Ok(opened) => transforms = opened,
                Err(_) => respond::put(&error, form, &mut exchange),
            }
        }
        let body = std::mem::take(&mut exchange.response_body);
        // Hooks change the head in place; there is no call that takes it away.
        let Some(mut parts) = exchange.response.take() else {
            return respond::error(completion, error, form);
        };
        let body = transform::rewrite_response(&mut parts, body, transforms);
        if let Some(heading) = &mut completion.heading {
            heading.attributes = std::mem::take(&mut exchange.attributes);
        }
        let body = finish(&mut parts, body, &completion);
        completion.begin_answer(parts.status);
        Response::from_parts(parts, ResponseBody::new(body, completion))
    }
}
