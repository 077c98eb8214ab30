//! `weir:plugin/request-body` and `response-body`: reading them, which makes a hook suspendable, and putting
//! others in their place.
//!
//! In: a streaming body, or bytes of a guest. Out: its bytes, kept for forwarding, in one piece that the plugin's quota
//! pays for. Never: loses what was read: a body that is too large, or fails, goes on as what was read
//! followed by the rest. Never waits beyond the time at which the response's head is due; between two
//! frames the body bounds itself.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use wasmtime::Result;
use wasmtime::component::WasmList;
use weir_core::chain::Exchange;
use weir_core::error::{Error, Kind, Side};
use weir_core::http::Body;
use weir_core::quota::{Held, Holding, UsedUp};

use super::{Context, Interface, bounds, fields};
use crate::bindings::BodyError;
use crate::kept::keep;
use crate::shared::Shared;
use crate::state::{Part, Phase, State};

/// The least by which a body grows while it is read.
const STEP: usize = 4 << 10;

/// What a guest gets: the bytes, or why there are none.
type Read = Result<(Result<Arc<Vec<u8>>, BodyError>,)>;

/// A body that is being read, and paid for as it grows.
struct Growing<'a> {
    bytes: Vec<u8>,
    held: Option<Held>,
    /// As long as it can become.
    most: usize,
    shared: &'a Shared,
    client: &'a str,
}

/// Why a body is not handed over.
enum Unread {
    /// The guest is told.
    Told(BodyError),
    /// The guest is told of a peer's fault.
    Failed(Box<Error>),
    /// The guest is ended.
    UsedUp(UsedUp),
}

/// A body whose beginning was read and put back.
struct Rewound {
    read: Option<Bytes>,
    /// What came beyond the limit.
    over: Option<Bytes>,
    trailers: Option<HeaderMap>,
    failed: Option<Error>,
    rest: Body,
}

pub(super) fn link_request(body: &mut Interface<'_>) -> Result<()> {
    body.func_wrap_async("read", |store, (limit,): (u64,)| Box::new(read_request(store, limit)))?;
    body.func_wrap("set", set_request)
}

pub(super) fn link_response(body: &mut Interface<'_>) -> Result<()> {
    body.func_wrap_async("read", |store, (limit,): (u64,)| Box::new(read_response(store, limit)))?;
    body.func_wrap("set", set_response)
}

async fn read_request(mut store: Context<'_>, limit: u64) -> Read {
    let state = store.data_mut();
    let phase = state.phase;
    let limit = limit.min(state.body_limit().unwrap_or(u64::MAX));
    let limit = most(state, limit);
    let shared = state.shared.clone();
    let exchange = state.request_mut()?;
    if phase != Phase::Request {
        return Ok((Err(BodyError::Incomplete),));
    }
    let (client, due) = (exchange.client.clone(), exchange.due);
    let mut body = std::mem::take(&mut exchange.request_body);
    let late = || Error::request(408, "the request's body was not here within the route's timeout");
    let read = read(&mut body, limit, due, late, &shared, &client.address).await;
    resume(&mut store, Part::Request, body, &read);
    if let (Err(Unread::Told(why)), Some(exchange)) = (&read, store.data_mut().exchange_mut()) {
        exchange.peer_error = Some(client_error(*why, limit, exchange));
    }
    told(read)
}

async fn read_response(mut store: Context<'_>, limit: u64) -> Read {
    let state = store.data_mut();
    state.response()?;
    if !state.phase.may_change_response() {
        return Ok((Err(BodyError::Incomplete),));
    }
    let (limit, shared) = (most(state, limit), state.shared.clone());
    let Some(exchange) = state.exchange_mut() else {
        return Ok((Err(BodyError::Incomplete),));
    };
    let (client, due) = (exchange.client.clone(), exchange.due);
    let mut body = std::mem::take(&mut exchange.response_body);
    let late = || {
        let detail = "the response's body was not here within the route's timeout";
        Error::new(Kind::HttpResponseTimeout, Side::Upstream, detail)
    };
    let read = read(&mut body, limit, due, late, &shared, &client.address).await;
    resume(&mut store, Part::Response, body, &read);
    told(read)
}

fn set_request(mut store: Context, (bytes,): (WasmList<u8>,)) -> Result<()> {
    let state = store.data();
    state.request()?;
    if state.phase != Phase::Request {
        return Err(wasmtime::Error::msg("`set` of the body of a request that was sent already"));
    }
    let bytes = kept(&store, &bytes)?;
    let state = store.data_mut();
    state.before_change(Part::Request);
    let length = bytes.len();
    state.replace_body(Part::Request, Body::full(bytes));
    fields::set_content_length(&mut state.request_mut()?.request.headers, length);
    Ok(())
}

fn set_response(mut store: Context, (bytes,): (WasmList<u8>,)) -> Result<()> {
    let state = store.data();
    state.response()?;
    if !state.phase.may_change_response() {
        return Err(wasmtime::Error::msg("`set` of the body of a response that was sent already"));
    }
    let bytes = kept(&store, &bytes)?;
    let state = store.data_mut();
    state.before_change(Part::Response);
    let length = bytes.len();
    state.replace_body(Part::Response, Body::full(bytes));
    fields::set_content_length(&mut state.response_mut()?.0.headers, length);
    Ok(())
}

/// Bytes of a guest that are to be a body.
fn kept(store: &Context<'_>, bytes: &WasmList<u8>) -> Result<Bytes> {
    let state = store.data();
    let client = state.exchange().map_or("", |exchange| &exchange.client.address);
    // Paid before anything gives way to it: what the deadline ends must not have cost others.
    state.budget.pay(state.shared.price_of_room(Holding::Bodies, bytes.len(), client))?;
    bounds::pay(store, bytes.len())?;
    let held = state.shared.hold(Holding::Bodies, bytes.len(), client)?;
    let bytes = bytes.as_le_slice(store);
    let bytes = bounds::apart(store, bytes.len(), || Arc::new(bytes.to_vec()));
    Ok(keep(bytes, held))
}

/// More than its memory a guest could not take.
fn most(state: &State, limit: u64) -> u64 {
    limit.min(state.caps.memory as u64)
}

fn told(read: Result<Arc<Vec<u8>>, Unread>) -> Read {
    match read {
        Ok(bytes) => Ok((Ok(bytes),)),
        Err(Unread::Told(error)) => Ok((Err(error),)),
        Err(Unread::Failed(error)) => Ok((Err(cause(&error)),)),
        Err(Unread::UsedUp(why)) => Err(why.into()),
    }
}

/// Back from waiting: the body is put back, and the peer's fault noted, so that the plugin is not
/// blamed for it.
fn resume(
    store: &mut Context<'_>,
    part: Part,
    body: Body,
    read: &std::result::Result<Arc<Vec<u8>>, Unread>,
) {
    let Some(exchange) = store.data_mut().exchange_mut() else {
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

/// Reads everything, up to `limit` bytes and until `due`. Afterwards `body` yields the same bytes
/// again.
async fn read(
    body: &mut Body,
    limit: u64,
    due: Instant,
    late: impl Fn() -> Error,
    shared: &Shared,
    client: &str,
) -> std::result::Result<Arc<Vec<u8>>, Unread> {
    if HttpBody::size_hint(body).lower() > limit {
        return Err(BodyError::TooLarge.into());
    }
    if let Body::Full(bytes) = body {
        return Ok(Arc::new(bytes.to_vec()));
    }
    let most = HttpBody::size_hint(body).upper().map_or(limit, |upper| upper.min(limit));
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut growing = Growing { bytes: Vec::new(), held: None, most, shared, client };
    let (mut over, mut trailers, mut failed) = (None, None, None);
    // Made where something is waited for.
    let mut alarm = None;
    let unread = loop {
        let frame = std::future::poll_fn(|cx| {
            if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
                return Poll::Ready(frame);
            }
            let sleep = || Box::pin(tokio::time::sleep_until(due.into()));
            ready!(alarm.get_or_insert_with(sleep).as_mut().poll(cx));
            Poll::Ready(Some(Err(late())))
        });
        match frame.await {
            None => break None,
            Some(Err(error)) => {
                failed = Some(error.clone());
                break Some(Unread::Failed(Box::new(error)));
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    if let Err(unread) = growing.add(&data, limit) {
                        over = Some(data);
                        break Some(unread);
                    }
                }
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
        }
    };
    let (bytes, read) = growing.keep();
    let is_whole = unread.is_none() && trailers.is_none();
    let rest = if unread.is_none() { Body::Empty } else { std::mem::take(body) };
    *body = match read {
        Some(bytes) if is_whole => Body::full(bytes),
        None if is_whole => Body::Empty,
        read => Body::Stream(Box::pin(Rewound { read, over, trailers, failed, rest })),
    };
    unread.map_or(Ok(bytes), Err)
}

impl Growing<'_> {
    /// Copies a piece, however small, so that it does not keep what it came in.
    fn add(&mut self, data: &[u8], limit: u64) -> std::result::Result<(), Unread> {
        let length = self.bytes.len() + data.len();
        if length as u64 > limit {
            return Err(BodyError::TooLarge.into());
        }
        if length > self.bytes.capacity() {
            self.grow(length).map_err(Unread::UsedUp)?;
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Makes room for so many bytes, and for as many as are there already where that is to be had.
    fn grow(&mut self, length: usize) -> std::result::Result<(), UsedUp> {
        let now = self.bytes.capacity();
        let most = self.most.max(length);
        let wanted = length.max(now * 2).max(STEP).min(most);
        let held = self.shared.try_hold(Holding::Bodies, wanted - now, self.client);
        let (capacity, held) = match held {
            Some(held) => (wanted, held),
            None => {
                let least = most.min(length + STEP.max(now / 8));
                (least, self.shared.hold(Holding::Bodies, least - now, self.client)?)
            }
        };
        match &mut self.held {
            Some(all) => all.absorb(held),
            None => self.held = Some(held),
        }
        self.bytes.reserve_exact(capacity - self.bytes.len());
        Ok(())
    }

    /// What was read: for the guest, and to go on.
    fn keep(self) -> (Arc<Vec<u8>>, Option<Bytes>) {
        let bytes = Arc::new(self.bytes);
        let kept = self.held.map(|held| keep(bytes.clone(), held));
        (bytes, kept)
    }
}

impl From<BodyError> for Unread {
    fn from(error: BodyError) -> Self {
        Unread::Told(error)
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

impl HttpBody for Rewound {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Error>>> {
        let this = self.get_mut();
        if let Some(data) = this.read.take().or_else(|| this.over.take()) {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if let Some(trailers) = this.trailers.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
        }
        if let Some(error) = this.failed.take() {
            this.rest = Body::Empty;
            return Poll::Ready(Some(Err(error)));
        }
        Pin::new(&mut this.rest).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.read.is_none()
            && self.over.is_none()
            && self.trailers.is_none()
            && self.failed.is_none()
            && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let pieces = self.read.iter().chain(&self.over);
        let read = pieces.map(|piece| piece.len() as u64).sum::<u64>();
        let rest = HttpBody::size_hint(&self.rest);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper().filter(|_| self.failed.is_none()) {
            hint.set_upper(upper + read);
        }
        hint
    }
}
