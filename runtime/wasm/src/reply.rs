//! From what a guest replies to a response that can be sent.
//!
//! In: a `reply` of the contract, and whose. Out: a [`Reply`] with legal fields whose body the plugin
//! pays for, or why it is none. Never: repairs one: a plugin that makes illegal replies has a bug
//! that should be seen.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use weir_bounds::reply::MAX_DELAY_MILLIS;
use weir_core::chain::{Exchange, Reply};
use weir_core::quota::Holding;

use super::contract::{self, HeaderError};
use super::fault::Fault;
use super::host::{fields, legal_status};
use super::kept::keep;
use super::state::State;

/// A body of so many bytes that is sent at once is as good as the exchange's own head.
const FREE: usize = 4 << 10;
/// What a reply costs that waits, beside bytes of bodies and heads: the exchange that waits with it.
const WAITING: usize = 4 << 10;
/// What a field line or an attribute costs beside its bytes.
const LINE: usize = 64;

/// Checks a reply.
pub fn check(
    reply: contract::Reply,
    exchange: &Exchange,
    state: &State,
) -> Result<Box<Reply>, Fault> {
    if !state.shared.may_reply {
        let detail = "it answers by itself, which `grants = { reply = false }` does not let it";
        return Err(Fault::invalid_reply(detail));
    }
    let limits = exchange.head_limits;
    let Some(status) = legal_status(reply.status) else {
        let detail = format!("status {} is not in 200 to 599", reply.status);
        return Err(Fault::invalid_reply(&detail));
    };
    if reply.delay_millis > MAX_DELAY_MILLIS {
        let detail =
            format!("a delay of {} ms is more than {MAX_DELAY_MILLIS}", reply.delay_millis);
        return Err(Fault::invalid_reply(&detail));
    }
    if reply.fields.len() > limits.fields {
        let detail = format!("{} fields are more than {}", reply.fields.len(), limits.fields);
        return Err(Fault::invalid_reply(&detail));
    }
    let mut headers = HeaderMap::with_capacity(reply.fields.len().min(limits.fields));
    let mut bytes = Some(0);
    for (name, value) in &reply.fields {
        let line = fields::legal_line(name, value);
        line.and_then(|line| fields::append(&mut headers, &mut bytes, limits, line)).map_err(
            |error| {
                let why = match error {
                    HeaderError::InvalidSyntax => "has an illegal name or value",
                    HeaderError::Forbidden => "belongs to the proxy",
                    HeaderError::SizeExceeded => "makes the head exceed the listener's limits",
                };
                Fault::invalid_reply(&format!("a field {why}: {name}"))
            },
        )?;
    }
    let delay = Duration::from_millis(reply.delay_millis.into());
    let waiting = if delay.is_zero() { 0 } else { waiting(&headers, exchange) };
    let body = paid(reply.body, waiting, exchange, state)?;
    Ok(Box::new(Reply { status, headers, body, delay }))
}

/// What waits with a reply that is put off: its head, and the exchange with all that it came with.
fn waiting(headers: &HeaderMap, exchange: &Exchange) -> usize {
    let head = |headers: &HeaderMap| fields::head_bytes(headers) + headers.len() * LINE;
    let added = exchange.added.as_ref().map_or(0, |added| added.bytes_held());
    let attributes = exchange.attributes.iter().map(|(key, value)| key.len() + value.len() + LINE);
    let target = exchange.request.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let came = head(&exchange.request.headers) + added + target + attributes.sum::<usize>();
    WAITING + head(headers) + came
}

/// The body, held until it is sent, and with it what else waits.
fn paid(
    bytes: Vec<u8>,
    waiting: usize,
    exchange: &Exchange,
    state: &State,
) -> Result<Bytes, Fault> {
    if waiting == 0 && bytes.len() <= FREE {
        return Ok(Bytes::from(bytes));
    }
    let (shared, client) = (&state.shared, &*exchange.client.address);
    let all = bytes.len() + waiting;
    let room = shared.price_of_room(Holding::Replies, all, client);
    state.budget.pay(room).map_err(Fault::late)?;
    let held = shared.hold(Holding::Replies, all, client).map_err(|why| Fault::used_up(&why))?;
    Ok(keep(Arc::new(bytes), held))
}
