//! `read-body` of requests and responses: the functions that make a hook suspendable.
//!
//! In: a streaming body. Out: its bytes, kept for forwarding. Never: loses what was read: a body
//! that is too large, or fails, goes on as what was read followed by the rest.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use wasmtime::Result;
use wasmtime::component::Resource;

use super::Context;
use crate::error::{Error, Kind};
use crate::http::Body;
use crate::wasm::bindings::{BodyError, RequestHandle, ResponseHandle};
use crate::wasm::state::{Part, Phase};

/// What a guest gets: the bytes, or why there are none.
type Read = Result<(Result<Vec<u8>, BodyError>,)>;

/// A body whose beginning was read and put back.
struct Rewound {
    read: VecDeque<Bytes>,
    trailers: Option<HeaderMap>,
    failed: Option<Error>,
    rest: Body,
}

pub(super) async fn read_request(
    mut store: Context<'_>,
    this: Resource<RequestHandle>,
    limit: u64,
) -> Read {
    let state = store.data_mut();
    let phase = state.phase;
    let exchange = state.request_mut(&this)?;
    if phase != Phase::Request {
        return Ok((Err(BodyError::Incomplete),));
    }
    let mut body = std::mem::take(&mut exchange.request_body);
    let read = read(&mut body, limit).await;
    resume(&mut store, Part::Request, body);
    Ok((read,))
}

pub(super) async fn read_response(
    mut store: Context<'_>,
    this: Resource<ResponseHandle>,
    limit: u64,
) -> Read {
    let state = store.data_mut();
    state.response(&this)?;
    if !state.phase.may_change_response() {
        return Ok((Err(BodyError::Incomplete),));
    }
    let Some(exchange) = state.exchange_mut() else {
        return Ok((Err(BodyError::Incomplete),));
    };
    let mut body = std::mem::take(&mut exchange.response_body);
    let read = read(&mut body, limit).await;
    resume(&mut store, Part::Response, body);
    Ok((read,))
}

/// Back from waiting: the body is put back.
fn resume(store: &mut Context<'_>, part: Part, body: Body) {
    let Some(exchange) = store.data_mut().exchange_mut() else {
        return;
    };
    match part {
        Part::Response => exchange.response_body = body,
        _ => exchange.request_body = body,
    }
}

/// Reads everything, up to `limit` bytes. Afterwards `body` yields the same bytes again.
async fn read(body: &mut Body, limit: u64) -> Result<Vec<u8>, BodyError> {
    if let Body::Full(bytes) = body {
        let fits = bytes.len() as u64 <= limit;
        return if fits { Ok(bytes.to_vec()) } else { Err(BodyError::TooLarge) };
    }
    if HttpBody::size_hint(body).lower() > limit {
        return Err(BodyError::TooLarge);
    }
    let mut rewound =
        Rewound { read: VecDeque::new(), trailers: None, failed: None, rest: Body::Empty };
    let mut length = 0;
    let error = loop {
        match std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            None => break None,
            Some(Err(error)) => {
                let cause = cause(&error);
                rewound.failed = Some(error);
                break Some(cause);
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    length += data.len() as u64;
                    rewound.read.push_back(data);
                    if length > limit {
                        break Some(BodyError::TooLarge);
                    }
                }
                Err(frame) => rewound.trailers = frame.into_trailers().ok(),
            },
        }
    };
    if let Some(error) = error {
        rewound.rest = std::mem::take(body);
        *body = Body::Stream(Box::pin(rewound));
        return Err(error);
    }
    let bytes = whole(&mut rewound.read);
    let copy = bytes.to_vec();
    *body = match rewound.trailers {
        None => Body::full(bytes),
        Some(_) => {
            rewound.read.push_back(bytes);
            Body::Stream(Box::pin(rewound))
        }
    };
    Ok(copy)
}

/// One piece of many.
fn whole(read: &mut VecDeque<Bytes>) -> Bytes {
    if read.len() <= 1 {
        return read.pop_front().unwrap_or_default();
    }
    let mut bytes = BytesMut::with_capacity(read.iter().map(Bytes::len).sum());
    read.drain(..).for_each(|piece| bytes.extend_from_slice(&piece));
    bytes.freeze()
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
        if let Some(data) = this.read.pop_front() {
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
        self.read.is_empty()
            && self.trailers.is_none()
            && self.failed.is_none()
            && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read = self.read.iter().map(|piece| piece.len() as u64).sum::<u64>();
        let rest = HttpBody::size_hint(&self.rest);
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper().filter(|_| self.failed.is_none()) {
            hint.set_upper(upper + read);
        }
        hint
    }
}
