//! Requests that are refused before any plugin is asked, and their answers.
//!
//! In: what the guard of an HTTP/1.1 connection found, or admission. Out: an answer with the one form,
//! the log line and the counts of any other, and with what the response hooks of its chain add: the
//! route's, where the request got so far, else the listener's own. A browser's page could not read it
//! without. Never: asks a request hook, or shows a plugin what was not made safe.

use std::rc::Rc;

use http::Response;
use http::header::{HOST, HeaderValue};
use weir_core::chain::{Exchange, Transforms};
use weir_core::error::Error;
use weir_core::http::framing;

use super::accept::Form;
use super::completion::Completion;
use super::download::ResponseBody;
use super::entry;
use super::finish::finish;
use super::heading::{Heading, Told};
use super::refusal::Refused;
use super::respond;
use super::transform;
use super::worker::{Binding, Listener};

/// A request that goes no further.
pub enum Stopped {
    /// Nobody adds to its answer.
    Answered(Box<Response<ResponseBody>>),
    /// Plugins do.
    Refused(Box<Exchange>, Rc<Binding>, Box<Completion>, Error, Form),
}

/// Answers a refused request, or leaves that to the plugins that add to it.
pub fn refuse(
    refused: Refused,
    (listener, binding): (&Listener, &Rc<Binding>),
    mut completion: Box<Completion>,
) -> Stopped {
    let Refused { error, mut head } = refused;
    let form = Form::wanted_by(&head.headers);
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
    completion.told = Told::heading(heading);
    // A connection whose time is over has this turn and no other, and hooks may take longer.
    if binding.chain.adds_nothing() || connection.activity.overdue().is_some() {
        return Stopped::Answered(Box::new(respond::error(completion, error, form)));
    }
    shown.headers.entry(HOST).or_insert(host);
    let mut exchange = entry::exchange((listener, binding), shown, client, &completion);
    completion.failed(&error);
    completion.closes = true;
    respond::put(&error, form, &mut exchange);
    Stopped::Refused(exchange, binding.clone(), completion, error, form)
}

impl Stopped {
    /// The response, once its plugins have added to it. Where one of them fails it goes out as it was:
    /// there is nothing in a refusal that a plugin could have held back.
    pub async fn answer(self) -> Response<ResponseBody> {
        let (exchange, binding, mut completion, error, form) = match self {
            Stopped::Answered(answer) => return *answer,
            Stopped::Refused(exchange, binding, completion, error, form) => {
                (exchange, binding, completion, error, form)
            }
        };
        let chain = &binding.chain;
        let (mut exchange, opened) = chain.run_back(exchange, chain.whole()).await;
        let transforms = opened.unwrap_or_else(|_| {
            respond::put(&error, form, &mut exchange);
            Transforms::new()
        });
        let body = std::mem::take(&mut exchange.response_body);
        // Hooks change the head in place; there is no call that takes it away.
        let Some(mut parts) = exchange.response.take() else {
            return respond::error(completion, error, form);
        };
        let body = transform::rewrite_response(&mut parts, body, transforms);
        if let Told::Heading(heading) = &mut completion.told {
            heading.attributes = std::mem::take(&mut exchange.attributes);
        }
        let body = finish(&mut parts, body, &completion);
        completion.begin_answer(parts.status);
        Response::from_parts(parts, ResponseBody::new(body, completion))
    }
}
