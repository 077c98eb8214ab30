//! `weir:plugin/outbound`: HTTP calls to what the operator grants.
//!
//! In: requests of a guest. Out: what came of each, whose head and body are asked for by their number. Never:
//! calls what is not granted, follows a redirect, or waits beyond the exchange's own time.

mod together;

use std::result::Result as StdResult;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue, Method, Request};
use wasmtime::{Error, Result};
use weir_bounds::outbound::{MAX_AT_ONCE, MAX_FIELDS, MAX_HEAD_BYTES, MAX_TIMEOUT_MILLIS};
use weir_bounds::target;
use weir_core::chain::HeadLimits;
use weir_core::clock;
use weir_core::config::{self, Callable};
use weir_core::error::{self, Kind, Side};
use weir_core::http::Client;
use weir_core::outbound::{Call, Called, Outbound};
use weir_core::quota::{Held, Holding};
use weir_core::telemetry::metrics::{CallOutcome, PluginMetrics};

use self::together::together;
use super::at_hand::{Context, at_hand};
use super::fields;
use super::function::HostFunction;
use super::reading::{Unread, read};
use crate::answer::{Data, Wanted};
use crate::calls::Answered;
use crate::contract::BodyError;
use crate::memory::{self, Records, SPAN, Span, span, word};
use crate::shared::Shared;
use crate::state::State;

/// What a call costs beyond its bytes: finding an endpoint, and what is written and read.
const CALL: Duration = Duration::from_micros(10);
/// Bytes that the host keeps for a call as long as it is made, beyond those of its request.
const CALL_BYTES: usize = 8 << 10;
/// Bytes of a `request`: four texts and lists, two numbers.
const REQUEST: u32 = 4 * SPAN + 8;

/// Why there is no answer, as the contract numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    Denied,
    Invalid,
    Unavailable,
    Timeout,
    TooLarge,
    Broken,
}

/// Counts a call, whatever becomes of it.
struct Counted<'a> {
    metrics: &'a PluginMetrics,
    begun: Instant,
    outcome: CallOutcome,
}

/// One call that can be made.
struct Ready {
    call: Call,
    /// The most bytes of the answer's body.
    limit: u64,
    /// The answer's last byte is waited for no longer.
    until: Instant,
    _held: Held,
}

pub const FUNCTIONS: &[HostFunction] = &[
    HostFunction {
        interface: "weir:plugin/outbound",
        name: "send",
        signature: "(list<record { method: string, url: string, fields: list<tuple<string, list<u8>>>, \
                    body: list<u8>, timeout-millis: u32, limit: u32 }>) -> \
                    list<result<record { call: u32, status: u16 }, \
                    enum { denied, invalid, unavailable, timeout, too-large, broken }>>",
        define: |linker| {
            linker
                .func_wrap_async(
                    "weir:plugin/outbound",
                    "send",
                    |caller: Context<'_>, (at, length, to): (u32, u32, u32)| {
                        Box::new(send(caller, Span { at, length }, to))
                    },
                )
                .map(|_| ())
        },
    },
    HostFunction {
        interface: "weir:plugin/outbound",
        name: "field",
        signature: "(u32, string) -> option<list<u8>>",
        define: |linker| linker.func_wrap("weir:plugin/outbound", "field", field).map(|_| ()),
    },
    HostFunction {
        interface: "weir:plugin/outbound",
        name: "fields",
        signature: "(u32) -> list<tuple<string, list<u8>>>",
        define: |linker| linker.func_wrap("weir:plugin/outbound", "fields", all_fields).map(|_| ()),
    },
    HostFunction {
        interface: "weir:plugin/outbound",
        name: "body",
        signature: "(u32) -> list<u8>",
        define: |linker| linker.func_wrap("weir:plugin/outbound", "body", body).map(|_| ()),
    },
];

async fn send(mut caller: Context<'_>, requests: Span, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let requests = Records::new(memory, state, requests, REQUEST)?;
    if requests.len() > MAX_AT_ONCE {
        return Err(Error::msg(format!("at most {MAX_AT_ONCE} calls are made at once")));
    }
    let (by, client, since) = state.calls.begin(requests.len())?;
    let until = state.waits_until(since);
    let mut ready = Vec::with_capacity(requests.len());
    for at in requests.iter() {
        ready.push(request(memory, state, at, &client, until)?);
    }
    let shared = state.shared.clone();
    let calls = ready.into_iter().map(|ready| {
        let (by, shared, client) = (by.clone(), shared.clone(), client.clone());
        async move {
            let mut counted = Counted::begun(&shared.metrics);
            let outcome = match ready {
                Ok(ready) => make(&*by, ready, &shared, &client).await,
                Err(failure) => Ok(Err(failure)),
            };
            counted.outcome = match &outcome {
                Ok(Ok(_)) => CallOutcome::Answered,
                Ok(Err(failure)) => CallOutcome::Failed(*failure as usize),
                Err(_) => CallOutcome::GivenUp,
            };
            outcome
        }
    });
    let outcomes = together(calls).await;
    let (memory, state) = at_hand(&mut caller)?;
    let mut answers = Vec::with_capacity(outcomes.len() * 12);
    let length = outcomes.len();
    for outcome in outcomes {
        let (is_error, payload, status) = match outcome? {
            Ok(answered) => {
                let status = answered.head.status.as_u16();
                (0, state.calls.keep(answered), status)
            }
            Err(failure) => (1, failure as u32, 0),
        };
        for word in [is_error, payload, u32::from(status)] {
            answers.extend_from_slice(&u32::to_le_bytes(word));
        }
    }
    state.answer.records(memory, to, answers, length)
}

fn field(mut caller: Context<'_>, call: u32, at: u32, length: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let name = memory::text(memory, state, Span { at, length })?;
    let lines = state.calls.answer(call)?.head.headers.get_all(&*name);
    let value = fields::joined(&name, lines.iter());
    state.answer.maybe_bytes(memory, to, value)
}

fn all_fields(mut caller: Context<'_>, call: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let all = fields::all(state.calls.answer(call)?.head.headers.iter());
    state.answer.list(memory, to, all, &[true, false], state.encoding)
}

fn body(mut caller: Context<'_>, call: u32, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let body = state.calls.answer(call)?.body.clone();
    state.answer.bytes(memory, to, Data::Shared(body))
}

/// A request as a guest has it, or why it cannot be made.
fn request(
    memory: &[u8],
    state: &State,
    at: u32,
    client: &Client,
    until: Instant,
) -> Result<StdResult<Ready, Failure>> {
    let text = |number: u32| memory::text(memory, state, span(memory, at + number * SPAN)?);
    let (method, url) = (text(0)?, text(1)?);
    let body = memory::bytes(memory, state, span(memory, at + 3 * SPAN)?)?;
    let (millis, limit) = (word(memory, at + 4 * SPAN)?, word(memory, at + 4 * SPAN + 4)?);
    state.budget.pay(CALL)?;
    state.budget.pay_bytes(body.len())?;
    // The whole head has one bound.
    let limits = HeadLimits { fields: MAX_FIELDS, bytes: MAX_HEAD_BYTES };
    let mut bytes = Some(method.len() + url.len());
    let (mut headers, mut legal) = (HeaderMap::new(), bytes <= Some(MAX_HEAD_BYTES));
    for pair in Records::of_pairs(memory, state, span(memory, at + 2 * SPAN)?)?.pairs(memory) {
        let (name, value) = pair?;
        let line = fields::line(memory, state, name, value, limits)?;
        legal &= line.and_then(|it| fields::append(&mut headers, &mut bytes, limits, it)).is_ok();
    }
    if !legal {
        return Ok(Err(Failure::Invalid));
    }
    let Some((whom, target)) = destination(&url) else { return Ok(Err(Failure::Invalid)) };
    let upstream = match upstream(whom, &state.shared.callable) {
        Ok(upstream) => upstream,
        Err(failure) => return Ok(Err(failure)),
    };
    let head = head(&method, &target, headers, body.len());
    let (Some(head), 1..=MAX_TIMEOUT_MILLIS) = (head, millis) else {
        return Ok(Err(Failure::Invalid));
    };
    let size = CALL_BYTES + body.len() + bytes.unwrap_or_default();
    let _held = state.shared.hold(Holding::Bodies, size, &client.address)?;
    let until = until.min(clock::now() + Duration::from_millis(millis.into()));
    let body = Bytes::copy_from_slice(body);
    let call = Call { upstream, head, body, client: client.key, due: until };
    Ok(Ok(Ready { call, limit: limit.into(), until, _held }))
}

/// Whom it is for, and path and query.
fn destination(url: &str) -> Option<(&str, String)> {
    let authority = url.find("://")? + "://".len();
    let at = url[authority..].find(['/', '?', '#']).map_or(url.len(), |at| authority + at);
    let (whom, target) = url.split_at(at);
    // A path that is empty is the root (RFC 9110, 4.2.3).
    let slash = if target.starts_with('/') { "" } else { "/" };
    Some((whom, format!("{slash}{target}")))
}

/// The upstream that it is, where it is granted: `HTTPS://Idp:443` is `https://idp` (RFC 9110, 4.2.3).
fn upstream(whom: &str, callable: &[Callable]) -> StdResult<Arc<str>, Failure> {
    let of = |named: &str| callable.iter().find(|known| *known.named == *named);
    if let Some(known) = of(whom) {
        return Ok(known.upstream.clone());
    }
    if whom.starts_with("upstream://") {
        return Err(Failure::Denied);
    }
    let scheme = whom.find(':').unwrap_or_default();
    let normal = whom[..scheme].to_ascii_lowercase() + &whom[scheme..];
    let origin = config::origin(&normal).ok_or(Failure::Invalid)?.origin();
    of(&origin).map(|known| known.upstream.clone()).ok_or(Failure::Denied)
}

fn head(
    method: &str,
    target: &str,
    headers: HeaderMap,
    length: usize,
) -> Option<http::request::Parts> {
    let method = Method::from_bytes(method.as_bytes()).ok().filter(|it| *it != Method::CONNECT)?;
    if !target::is_legal(target, method.as_str()) {
        return None;
    }
    let (mut head, ()) = Request::new(()).into_parts();
    head.uri = target.parse().ok()?;
    head.headers = headers;
    // Methods that define a meaning for a body say that there is none (RFC 9110, 8.6).
    if length > 0 || matches!(method, Method::POST | Method::PUT | Method::PATCH) {
        head.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    head.method = method;
    Some(head)
}

/// The answer as a whole.
async fn make(
    by: &dyn Outbound,
    Ready { call, limit, until, _held }: Ready,
    shared: &Arc<Shared>,
    client: &Client,
) -> Result<StdResult<Answered, Failure>> {
    let Called { head, mut body, connection } = match by.call(call).await {
        Ok(called) => called,
        Err(error) => return Ok(Err(Failure::of(&error))),
    };
    let late = || {
        let detail = "the answer to a plugin's call was not here in its time";
        error::Error::new(Kind::HttpResponseTimeout, Side::Upstream, detail)
    };
    let address = &*client.address;
    // Before more of it comes.
    let held = shared.hold(Holding::Bodies, fields::head_bytes(&head.headers), address)?;
    let read = read(&mut body, limit, until, late, shared, address).await;
    drop(connection);
    match read {
        Ok(bytes) => Ok(Ok(Answered { head, body: bytes, _held: (held, body) })),
        Err(Unread::Told(BodyError::TooLarge)) => Ok(Err(Failure::TooLarge)),
        Err(Unread::Told(_)) => Ok(Err(Failure::Broken)),
        Err(Unread::Failed(error)) => Ok(Err(Failure::of(&error))),
        Err(Unread::UsedUp(why)) => Err(why.into()),
    }
}

impl<'a> Counted<'a> {
    fn begun(metrics: &'a PluginMetrics) -> Counted<'a> {
        Counted { metrics, begun: clock::now(), outcome: CallOutcome::GivenUp }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.metrics.called_out(self.outcome, clock::since(self.begun));
    }
}

impl Failure {
    fn of(error: &error::Error) -> Failure {
        match error.kind {
            Kind::ConnectionTimeout
            | Kind::ConnectionReadTimeout
            | Kind::HttpResponseTimeout
            | Kind::DnsTimeout => Failure::Timeout,
            Kind::DestinationIpProhibited => Failure::Denied,
            Kind::ConnectionRefused
            | Kind::ConnectionLimitReached
            | Kind::DestinationUnavailable
            | Kind::DnsError
            | Kind::TlsCertificateError
            | Kind::TlsProtocolError => Failure::Unavailable,
            _ => Failure::Broken,
        }
    }
}
