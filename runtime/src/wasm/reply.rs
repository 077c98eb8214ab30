//! From what a guest replies to a response that can be sent.
//!
//! In: a `reply` of the contract, and whose. Out: a [`Reply`] with legal fields whose body the plugin
//! pays for, or why it is none. Never: repairs one: a plugin that makes illegal replies has a bug
//! that should be seen.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

use super::bindings::{self, HeaderError};
use super::fault::Fault;
use super::host::{fields, legal_status};
use super::shared::Shared;
use crate::chain::{Exchange, Reply};
use crate::quota::{Held, Holding};

/// The longest a reply may be put off, in milliseconds.
const MAX_DELAY_MILLIS: u32 = 300_000;
/// A body of so many bytes that is sent at once is as good as the exchange's own head.
const FREE: usize = 4 << 10;
/// What a reply costs that waits, beside its body: the exchange that waits with it.
const WAITING: usize = 4 << 10;

/// A body, paid for until the last copy of it is gone.
struct Kept {
    bytes: Vec<u8>,
    _held: Held,
}

/// Checks a reply.
pub fn check(
    reply: bindings::Reply,
    exchange: &Exchange,
    shared: &Shared,
) -> Result<Box<Reply>, Fault> {
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
    if reply.headers.len() > limits.fields {
        let detail = format!("{} fields are more than {}", reply.headers.len(), limits.fields);
        return Err(Fault::invalid_reply(&detail));
    }
    let mut headers = HeaderMap::with_capacity(reply.headers.len().min(limits.fields));
    let mut bytes = Some(0);
    for (name, value) in &reply.headers {
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
    Ok(Box::new(Reply {
        status,
        headers,
        body: paid(reply.body, reply.delay_millis > 0, exchange, shared)?,
        delay: Duration::from_millis(reply.delay_millis.into()),
    }))
}

fn paid(bytes: Vec<u8>, waits: bool, exchange: &Exchange, shared: &Shared) -> Result<Bytes, Fault> {
    if !waits && bytes.len() <= FREE {
        return Ok(Bytes::from(bytes));
    }
    let price = bytes.len() + if waits { WAITING } else { 0 };
    let held = shared.hold(Holding::Replies, price, &exchange.client.address);
    let held = held.map_err(|why| Fault::used_up(&why))?;
    Ok(Bytes::from_owner(Kept { bytes, _held: held }))
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
