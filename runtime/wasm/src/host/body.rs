//! `weir:plugin/request-body` and `response-body`: reading them, which makes a hook suspendable, and putting
//! others in their place.
//!
//! In: a streaming body, or bytes of a guest. Out: its bytes, kept for forwarding, in one piece that the plugin's quota
//! pays for. Never: loses what was read: a body that is too large, or fails, goes on as what was read
//! followed by the rest. Never waits beyond the time at which the response's head is due; between two
//! frames the body bounds itself.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::Result;
use weir_core::chain::Exchange;
use weir_core::error::{Error, Kind, Side};
use weir_core::http::Body;
use weir_core::quota::Holding;

use super::at_hand::{Context, at_hand};
use super::function::HostFunction;
use super::reading::{Unread, read};
use super::{bounds, fields};
use crate::answer::{Data, NOTHING, Wanted};
use crate::contract::BodyError;
use crate::kept::keep;
use crate::memory::{self, Span, write};
use crate::state::{Part, Phase, State};

pub const FUNCTIONS: &[HostFunction] = &[
    HostFunction {
        interface: "weir:plugin/request-body",
        name: "read",
        signature: READ,
        define: |linker| {
            linker
                .func_wrap_async(
                    "weir:plugin/request-body",
                    "read",
                    |caller: Context<'_>, (limit, to): (u64, u32)| {
                        Box::new(read_request(caller, limit, to))
                    },
                )
                .map(|_| ())
        },
    },
    HostFunction {
        interface: "weir:plugin/request-body",
        name: "set",
        signature: SET,
        define: |linker| {
            linker.func_wrap("weir:plugin/request-body", "set", set_request).map(|_| ())
        },
    },
    HostFunction {
        interface: "weir:plugin/response-body",
        name: "read",
        signature: READ,
        define: |linker| {
            linker
                .func_wrap_async(
                    "weir:plugin/response-body",
                    "read",
                    |caller: Context<'_>, (limit, to): (u64, u32)| {
                        Box::new(read_response(caller, limit, to))
                    },
                )
                .map(|_| ())
        },
    },
    HostFunction {
        interface: "weir:plugin/response-body",
        name: "set",
        signature: SET,
        define: |linker| {
            linker.func_wrap("weir:plugin/response-body", "set", set_response).map(|_| ())
        },
    },
];

const READ: &str = "(u64) -> result<list<u8>, variant { too-large, incomplete, timeout }>";
const SET: &str = "(list<u8>)";

async fn read_request(mut caller: Context<'_>, limit: u64, to: u32) -> Result<Wanted> {
    let state = caller.data_mut();
    state.answer.check_idle()?;
    let phase = state.phase;
    let limit = limit.min(state.body_limit().unwrap_or(u64::MAX));
    let limit = most(state, limit);
    let shared = state.shared.clone();
    let exchange = state.request_mut()?;
    if phase != Phase::Request {
        return told(&mut caller, to, Err(BodyError::Incomplete.into()));
    }
    let (client, due) = (exchange.client.clone(), exchange.due);
    let mut body = std::mem::take(&mut exchange.request_body);
    let late = || Error::request(408, "the request's body was not here within the route's timeout");
    let read = read(&mut body, limit, due, late, &shared, &client.address).await;
    let state = caller.data_mut();
    resume(state, Part::Request, body, &read);
    if let (Err(Unread::Told(why)), Some(exchange)) = (&read, state.exchange_mut()) {
        exchange.peer_error = Some(client_error(*why, limit, exchange));
    }
    told(&mut caller, to, read)
}

async fn read_response(mut caller: Context<'_>, limit: u64, to: u32) -> Result<Wanted> {
    let state = caller.data_mut();
    state.answer.check_idle()?;
    state.response()?;
    if !state.phase.may_change_response() {
        return told(&mut caller, to, Err(BodyError::Incomplete.into()));
    }
    let (limit, shared) = (most(state, limit), state.shared.clone());
    let exchange = state.request_mut()?;
    let (client, due) = (exchange.client.clone(), exchange.due);
    let mut body = std::mem::take(&mut exchange.response_body);
    let late = || {
        let detail = "the response's body was not here within the route's timeout";
        Error::new(Kind::HttpResponseTimeout, Side::Upstream, detail)
    };
    let read = read(&mut body, limit, due, late, &shared, &client.address).await;
    resume(caller.data_mut(), Part::Response, body, &read);
    told(&mut caller, to, read)
}

fn set_request(mut caller: Context<'_>, at: u32, length: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    state.request()?;
    if state.phase != Phase::Request {
        return Err(wasmtime::Error::msg("`set` of the body of a request that was sent already"));
    }
    let bytes = kept(memory, state, Span { at, length })?;
    state.before_change(Part::Request);
    let length = bytes.len();
    state.replace_body(Part::Request, Body::full(bytes));
    fields::set_content_length(&mut state.request_mut()?.request.headers, length);
    Ok(())
}

fn set_response(mut caller: Context<'_>, at: u32, length: u32) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    state.response()?;
    if !state.phase.may_change_response() {
        return Err(wasmtime::Error::msg("`set` of the body of a response that was sent already"));
    }
    let bytes = kept(memory, state, Span { at, length })?;
    state.before_change(Part::Response);
    let length = bytes.len();
    state.replace_body(Part::Response, Body::full(bytes));
    fields::set_content_length(&mut state.response_mut()?.0.headers, length);
    Ok(())
}

/// Bytes of a guest that are to be a body.
fn kept(memory: &[u8], state: &State, span: Span) -> Result<Bytes> {
    let client = state.exchange().map_or("", |exchange| &exchange.client.address);
    let bytes = memory::bytes(memory, state, span)?;
    // Paid before anything gives way to it: what the deadline ends must not have cost others.
    state.budget.pay(state.shared.price_of_room(Holding::Bodies, bytes.len(), client))?;
    state.budget.pay_bytes(bytes.len())?;
    let held = state.shared.hold(Holding::Bodies, bytes.len(), client)?;
    let bytes = bounds::apart(state, bytes.len(), || Arc::new(bytes.to_vec()));
    Ok(keep(bytes, held))
}

/// More than its memory a guest could not take.
fn most(state: &State, limit: u64) -> u64 {
    limit.min(state.caps.memory as u64)
}

/// Where the payload of the answer is.
const PAYLOAD: u32 = 4;

fn told(
    caller: &mut Context<'_>,
    to: u32,
    read: std::result::Result<Arc<Vec<u8>>, Unread>,
) -> Result<Wanted> {
    let error = match read {
        Ok(bytes) => {
            let (memory, state) = at_hand(caller)?;
            write(memory, to, &[0])?;
            return state.answer.bytes(memory, to.wrapping_add(PAYLOAD), Data::Shared(bytes));
        }
        Err(Unread::Told(error)) => error,
        Err(Unread::Failed(error)) => cause(&error),
        Err(Unread::UsedUp(why)) => return Err(why.into()),
    };
    let (memory, _) = at_hand(caller)?;
    write(memory, to, &[1])?;
    write(memory, to.wrapping_add(PAYLOAD), &[error as u8])?;
    Ok(NOTHING)
}

/// Back from waiting: the body is put back, and the peer's fault noted, so that the plugin is not
/// blamed for it.
fn resume(
    state: &mut State,
    part: Part,
    body: Body,
    read: &std::result::Result<Arc<Vec<u8>>, Unread>,
) {
    let Some(exchange) = state.exchange_mut() else {
        return;
    };
    match part {
        Part::Response => exchange.response_body = body,
        _ => exchange.request_body = body,
    }
    if let Err(Unread::Failed(error)) = read {
        if let (Part::Request, Some(upload)) = (part, &exchange.upload) {
            upload.fail(error);
        }
        exchange.peer_error = Some(Error::clone(error));
    }
}

/// What the client is told where a plugin gives up for want of its body.
fn client_error(why: BodyError, limit: u64, exchange: &Exchange) -> Error {
    let broke = exchange.upload.as_ref().and_then(|upload| upload.failure());
    match (broke, why) {
        (Some(error), _) => error.clone(),
        (None, BodyError::TooLarge) => {
            Error::request(413, format!("the body is longer than {limit} bytes"))
        }
        (None, BodyError::Timeout) => Error::request(408, "the body did not come in time"),
        (None, _) => Error::request(400, "the body did not come to its end"),
    }
}

/// What a guest is told of a body that failed.
fn cause(error: &Error) -> BodyError {
    match (error.kind, error.status()) {
        (_, 413) => BodyError::TooLarge,
        (_, 408)
        | (Kind::ConnectionReadTimeout | Kind::ConnectionTimeout | Kind::HttpResponseTimeout, _) => {
            BodyError::Timeout
        }
        _ => BodyError::Incomplete,
    }
}
