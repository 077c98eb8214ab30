//! What an instance's host functions work on: the exchange of the call under way, and the caps.
//!
//! In: the exchange, moved in before a call. Out: the same, moved out after it, changed or (after a
//! failure of a plugin that is to be skipped) as it was. Never: outlives its instance.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, Uri};
use wasmtime::{Memory, ResourceLimiter, Result};
use weir_core::chain::{Attributes, Exchange, HeadLimits};
use weir_core::http::{AddedFields, Body};
use weir_core::quota::Held;
use weir_core::telemetry::metrics::WorkerCustomMetrics;

use super::answer::Answer;
use super::calls::Calls;
use super::contract::{Answered, Came, Expects};
use super::deadline::Budget;
use super::encoding::Encoding;
use super::fault::HandsOverTooMuch;
use super::memory::Reader;
use super::shared::Shared;

/// Beside what can be kept: names, records, and the difference between a text and a legal one.
const SLACK: usize = 64 << 10;

/// The most that a guest with UTF-16 texts may hand over at once. How long a text is shows only once
/// it is decoded, which costs many times what looking at UTF-8 does: so much is done in a part of a
/// usual deadline.
const WIDE: usize = 2 << 20;

/// What belongs to one instance.
pub struct State {
    /// There only during a call.
    exchange: Option<Box<Exchange>>,
    /// What the call may change.
    pub phase: Phase,
    /// Plugins with `on_failure = "skip"` leave a copy of what they change.
    keeps_backup: bool,
    backup: Option<Box<Backup>>,
    /// What the hook wants the request's body to have at most, once it has succeeded.
    body_limit: Option<u64>,
    /// Bytes of the heads as they are, once counted in this call.
    pub request_bytes: Option<usize>,
    pub response_bytes: Option<usize>,
    /// CPU time of the call.
    pub budget: Budget,
    /// CPU time of a hook call, which the guest may ask for.
    pub deadline: Duration,
    pub caps: Caps,
    pub shared: Arc<Shared>,
    pub metrics: RefCell<WorkerCustomMetrics>,
    /// Lines that the call has logged.
    pub lines: Cell<u32>,
    pub stdout: Output,
    pub stderr: Output,
    /// The guest's, once it is there, and how texts are in it.
    pub memory: Option<Memory>,
    pub encoding: Encoding,
    /// What a function of the host gives, as long as the guest makes room for it.
    pub answer: Answer,
    /// Texts that the guest's function takes, as long as it makes room for them.
    pub given: std::vec::IntoIter<Bytes>,
    /// Calls to others.
    pub calls: Calls,
    /// How the answer of the guest's function is read, and what it was.
    pub expects: Expects,
    pub taken: Came,
    /// Bytes that the guest has handed over in the call of the host under way, and the most of it.
    pub handed_over: Cell<usize>,
    most: usize,
}

/// The line that a guest writes to a standard stream, as long as it has no end.
#[derive(Debug, Default)]
pub struct Output {
    pub line: Vec<u8>,
    /// While there is one.
    pub held: Option<Held>,
}

/// Which hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// `describe`, `configure`, or body transforms after `open`: no exchange is there.
    None,
    /// The request may be changed.
    Request,
    /// The response may be changed, the request was sent.
    Response,
    /// Everything was sent.
    Complete,
}

/// Memory and tables of an instance.
#[derive(Debug)]
pub struct Caps {
    /// Bytes, all memories of the instance together.
    pub memory: usize,
    /// Bytes that it has; they never become fewer.
    pub used: usize,
    /// The guest asked for more than its cap: what follows is most likely its allocator giving up.
    pub refused: bool,
}

/// The parts of an exchange that a plugin changed, as they were.
#[derive(Debug, Default)]
struct Backup {
    request: Option<(Method, Uri, HeaderMap, Option<Arc<AddedFields>>)>,
    request_body: Option<Body>,
    response: Option<(StatusCode, HeaderMap)>,
    /// With whether it was a plugin's already.
    response_body: Option<(Body, bool)>,
    attributes: Option<Attributes>,
    in_flight: Option<usize>,
}

/// Part of an exchange about to be changed.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Request,
    Response,
    Attributes,
    InFlight,
}

impl Phase {
    /// Whether the response's head and body are still here.
    pub fn may_change_response(self) -> bool {
        self == Phase::Response
    }
}

impl State {
    pub fn new(
        shared: Arc<Shared>,
        memory: usize,
        deadline: Duration,
        keeps_backup: bool,
        encoding: Encoding,
    ) -> State {
        State {
            exchange: None,
            phase: Phase::None,
            keeps_backup,
            backup: None,
            body_limit: None,
            request_bytes: None,
            response_bytes: None,
            budget: Budget::default(),
            deadline,
            caps: Caps { memory, used: 0, refused: false },
            metrics: RefCell::new(WorkerCustomMetrics::new(shared.metrics.custom().clone())),
            lines: Cell::new(0),
            stdout: Output::default(),
            stderr: Output::default(),
            memory: None,
            encoding,
            answer: Answer::default(),
            given: Vec::new().into_iter(),
            calls: Calls::default(),
            expects: <()>::EXPECTS,
            taken: Came::Nothing,
            handed_over: Cell::new(0),
            most: most(memory, shared.quota.limit(), encoding),
            shared,
        }
    }

    /// Begins a call.
    pub fn enter(&mut self, exchange: Box<Exchange>, phase: Phase) {
        self.exchange = Some(exchange);
        self.phase = phase;
        self.request_bytes = None;
        self.response_bytes = None;
        self.lines.set(0);
    }

    /// Ends it.
    ///
    /// # Panics
    /// Without an [`enter`](Self::enter) before it.
    pub fn leave(&mut self, failed: bool) -> Box<Exchange> {
        self.phase = Phase::None;
        self.calls.end();
        let mut exchange =
            self.exchange.take().expect("a call is left once for each time it is entered");
        let limit = self.body_limit.take();
        match self.backup.take() {
            Some(backup) if failed => backup.restore(&mut exchange),
            _ => {}
        }
        if let (Some(limit), false) = (limit, failed) {
            exchange.body_limit = exchange.body_limit.min(limit);
            if let Some(upload) = &exchange.upload {
                upload.limit(limit);
            }
        }
        exchange
    }

    /// Lets the request's body have at most so many bytes, from the end of the hook on.
    pub fn limit_body(&mut self, limit: u64) {
        self.body_limit = Some(self.body_limit.map_or(limit, |known| known.min(limit)));
    }

    /// What the hook under way has set.
    pub fn body_limit(&self) -> Option<u64> {
        self.body_limit
    }

    /// The exchange, where the guest's call is about one.
    pub fn exchange(&self) -> Option<&Exchange> {
        self.exchange.as_deref()
    }

    pub fn exchange_mut(&mut self) -> Option<&mut Exchange> {
        self.exchange.as_deref_mut()
    }

    /// How long a hook waits whose first call to others was made then: as long as its exchange has time, or
    /// `limits.wait` where none has, or none any more.
    pub fn waits_until(&self, since: Instant) -> Instant {
        let wait = since + self.shared.wait;
        match (self.phase, &self.exchange) {
            (Phase::Request, Some(exchange)) => exchange.due,
            (Phase::Response, Some(exchange)) => exchange.due.max(wait),
            _ => wait,
        }
    }

    /// The exchange, for a function that is about its request.
    pub fn request(&self) -> Result<&Exchange> {
        self.exchange.as_deref().ok_or_else(|| absent("request"))
    }

    /// The same, for changing it.
    pub fn request_mut(&mut self) -> Result<&mut Exchange> {
        self.exchange.as_deref_mut().ok_or_else(|| absent("request"))
    }

    /// The response's head.
    pub fn response(&self) -> Result<&http::response::Parts> {
        let exchange = self.exchange.as_deref();
        exchange.and_then(|exchange| exchange.response.as_ref()).ok_or_else(|| absent("response"))
    }

    /// The limits that the response's head must stay within.
    pub fn response_limits(&self) -> Result<HeadLimits> {
        self.response()?;
        Ok(self.request()?.head_limits)
    }

    /// The same, for changing it, and the limits it must stay within.
    pub fn response_mut(&mut self) -> Result<(&mut http::response::Parts, HeadLimits)> {
        let exchange = self.exchange.as_deref_mut().ok_or_else(|| absent("response"))?;
        let limits = exchange.head_limits;
        exchange.response.as_mut().map(|head| (head, limits)).ok_or_else(|| absent("response"))
    }

    /// To be called before each change: keeps what was there before the first one.
    #[inline]
    pub fn before_change(&mut self, part: Part) {
        if self.keeps_backup
            && let Some(exchange) = &self.exchange
        {
            self.backup.get_or_insert_default().keep(part, exchange);
        }
    }

    /// Puts a new body in place of the request's or the response's, and keeps the old one if it
    /// may be wanted back.
    pub fn replace_body(&mut self, part: Part, body: Body) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        let mut backup = self.keeps_backup.then(|| self.backup.get_or_insert_default());
        if let Part::Response = part {
            let old = std::mem::replace(&mut exchange.response_body, body);
            let replaced = std::mem::replace(&mut exchange.response_replaced, true);
            if let Some(backup) = &mut backup {
                backup.response_body.get_or_insert((old, replaced));
            }
        } else {
            let old = std::mem::replace(&mut exchange.request_body, body);
            if let Some(backup) = &mut backup {
                backup.request_body.get_or_insert(old);
            }
        }
    }
}

impl Reader for State {
    #[inline]
    fn hand_over(&self, bytes: usize) -> Result<()> {
        let all = self.handed_over.get().saturating_add(bytes);
        self.handed_over.set(all);
        if all > self.most { Err(HandsOverTooMuch.into()) } else { Ok(()) }
    }

    fn pay_bytes(&self, bytes: usize) -> Result<()> {
        Ok(self.budget.pay_bytes(bytes)?)
    }

    fn encoding(&self) -> Encoding {
        self.encoding
    }
}

/// The most that an instance's guest may hand over in one call, or give as its answer: no more can be in its
/// memory, and no more could be kept.
fn most(memory: usize, quota: usize, encoding: Encoding) -> usize {
    let most = memory.min(quota.saturating_add(SLACK));
    if encoding == Encoding::Utf8 { most } else { most.min(WIDE) }
}

impl Backup {
    fn keep(&mut self, part: Part, exchange: &Exchange) {
        match part {
            Part::Request => {
                self.request.get_or_insert_with(|| {
                    let head = &exchange.request;
                    let (method, uri) = (head.method.clone(), head.uri.clone());
                    (method, uri, head.headers.clone(), exchange.added.clone())
                });
            }
            Part::Response => {
                if let (None, Some(head)) = (&self.response, &exchange.response) {
                    self.response = Some((head.status, head.headers.clone()));
                }
            }
            Part::Attributes => {
                self.attributes.get_or_insert_with(|| exchange.attributes.clone());
            }
            Part::InFlight => {
                self.in_flight.get_or_insert(exchange.in_flight.len());
            }
        }
    }

    fn restore(self, exchange: &mut Exchange) {
        if let Some((method, uri, headers, added)) = self.request {
            exchange.request.method = method;
            exchange.request.uri = uri;
            exchange.request.headers = headers;
            exchange.added = added;
        }
        if let (Some((status, headers)), Some(head)) = (self.response, &mut exchange.response) {
            head.status = status;
            head.headers = headers;
        }
        if let Some(body) = self.request_body {
            exchange.request_body = body;
        }
        if let Some((body, replaced)) = self.response_body {
            (exchange.response_body, exchange.response_replaced) = (body, replaced);
        }
        if let Some(attributes) = self.attributes {
            exchange.attributes = attributes;
        }
        if let Some(places) = self.in_flight {
            exchange.in_flight.truncate(places);
        }
    }
}

impl ResourceLimiter for Caps {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        let used = self.used - current.min(self.used) + desired;
        if used > self.memory {
            self.refused = true;
            return Ok(false);
        }
        self.used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> Result<bool> {
        Ok(desired <= super::engine::MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        (super::engine::MAX_CORE_INSTANCES_PER_COMPONENT + super::engine::MAX_GLUE) as usize
    }

    fn tables(&self) -> usize {
        super::engine::MAX_CORE_INSTANCES_PER_COMPONENT as usize
    }
}

/// What the log says of a guest that asks for what its call is not about.
#[cold]
fn absent(part: &str) -> wasmtime::Error {
    wasmtime::Error::msg(match part {
        "request" => "no request is at hand: only hooks, and `open` of a transform, are about one",
        _ => {
            "no response is at hand: only response hooks, and `open` of a transform, are about one"
        }
    })
}
