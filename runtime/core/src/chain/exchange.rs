//! One request and its response, as the chain works on them.
//!
//! In: a request that found its route; later the response's head. Out: what goes on to the upstream
//! and to the client. Never: holds a connection, a timer or anything of Wasm; it is moved by value
//! into whoever works on it and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
pub use weir_bounds::attributes::{MAX as MAX_ATTRIBUTES, MAX_BYTES as MAX_ATTRIBUTE_BYTES};

use crate::error::Error;
use crate::http::{AddedFields, Body, Client, UploadState};

/// The attribute that is always there: the proxy's own identifier until a plugin sets another.
const REQUEST_ID: &str = "request.id";
/// Field lines that the proxy and the plugins may add to a head as long as it may come.
pub const SPARE_FIELDS: usize = 64;
/// Bytes of such lines.
pub const SPARE_BYTES: usize = 16 << 10;
/// The least that a response's head may grow to, in bytes: endpoints may send 64 KiB.
const RESPONSE_BYTES: usize = (64 << 10) + SPARE_BYTES;

/// One request and its response.
#[derive(Debug)]
pub struct Exchange {
    pub id: ExchangeId,
    /// When the request's head was complete.
    pub started: Instant,
    /// When the response's head is due. Hooks wait for a body no longer; a body that is forwarded is
    /// not cut.
    pub due: Instant,
    /// The request's head. `uri` is path and query alone; the authority is the `host` field.
    pub request: http::request::Parts,
    /// Fields that the proxy adds to it and that are not among its own, none of which has a name of
    /// these. [`Exchange::settle`] puts them there.
    pub added: Option<Arc<AddedFields>>,
    pub request_body: Body,
    /// How far the client's body came; none where there is none.
    pub upload: Option<Arc<UploadState>>,
    /// The most bytes that may be sent on as the request's body.
    pub body_limit: u64,
    /// Why the plugin under way could not read a body, or change the request's head: a peer's fault.
    pub peer_error: Option<Error>,
    /// The response's head, from the first response hook on.
    pub response: Option<http::response::Parts>,
    pub response_body: Body,
    /// A plugin put a body of its own there.
    pub response_replaced: bool,
    pub client: Arc<Client>,
    /// Name of the route that matched.
    pub route: Arc<str>,
    pub attributes: Attributes,
    /// In-flight places taken for this exchange; given back when it is dropped.
    pub in_flight: Vec<InFlight>,
    /// Limits of the head at hand as plugins may grow it: the request's, later the response's.
    pub head_limits: HeadLimits,
}

/// The proxy's own identifier of an exchange: unique in this process, random between processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeId {
    pub process: u32,
    pub worker: u16,
    pub serial: u64,
}

/// What plugins leave for each other and for the access log. Few, so a list beats a map.
#[derive(Debug, Clone, Default)]
pub struct Attributes {
    entries: Vec<(Box<str>, Box<str>)>,
    bytes: usize,
}

/// The attributes are full: [`MAX_ATTRIBUTES`] or [`MAX_ATTRIBUTE_BYTES`].
#[derive(Debug, PartialEq, Eq)]
pub struct AttributesFull;

/// The most a head may grow to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Field lines.
    pub fields: usize,
    /// Bytes of names and values.
    pub bytes: usize,
}

/// One place of an in-flight limit; dropping it gives the place back.
#[derive(Debug)]
pub struct InFlight(Arc<AtomicU32>);

/// A response that a plugin, or the proxy itself, answers without an upstream.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// How long to wait before it is sent.
    pub delay: Duration,
}

/// How an exchange went; told to completion hooks.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// 0 where no response was sent.
    pub status: u16,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub duration: Duration,
    /// `NAME ADDRESS`.
    pub upstream: Option<Arc<str>>,
    /// RFC 9209 type.
    pub error: Option<&'static str>,
}

impl Exchange {
    /// An exchange that begins with this request's head, and has no body yet. `due` is when its
    /// response's head must be there. Its head may grow as with a listener's defaults.
    pub fn new(
        id: ExchangeId,
        (started, due): (Instant, Instant),
        request: http::request::Parts,
        client: Arc<Client>,
        route: Arc<str>,
    ) -> Box<Exchange> {
        Box::new(Exchange {
            id,
            started,
            due,
            request,
            added: None,
            request_body: Body::Empty,
            upload: None,
            body_limit: u64::MAX,
            peer_error: None,
            response: None,
            response_body: Body::Empty,
            response_replaced: false,
            client,
            route,
            attributes: Attributes::default(),
            in_flight: Vec::new(),
            head_limits: HeadLimits::above(100, 64 << 10),
        })
    }

    /// The request's identifier: what a plugin set as `request.id`, else the proxy's own.
    pub fn request_id(&self) -> String {
        match self.attributes.get(REQUEST_ID) {
            Some(id) => id.to_owned(),
            None => self.id.to_string(),
        }
    }

    /// Puts what the proxy adds among the request's own fields, for whoever changes or compares them.
    pub fn settle(&mut self) {
        if let Some(added) = self.added.take() {
            added.put(&mut self.request.headers);
        }
    }

    /// The request's fields, those that the proxy adds too.
    pub fn request_fields(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.request.headers.iter().chain(self.added.iter().flat_map(|added| added.iter()))
    }

    /// The first value of one of them.
    pub fn request_value(&self, name: &str) -> Option<&HeaderValue> {
        let added = || self.added.as_ref().and_then(|added| added.get(name));
        self.request.headers.get(name).or_else(added)
    }

    /// All its values, in order.
    pub fn request_values(&self, name: &str) -> impl Iterator<Item = &HeaderValue> {
        let added = self.added.as_ref().and_then(|added| added.get(name));
        self.request.headers.get_all(name).iter().chain(added)
    }

    /// What is left of the limits for the fields that are the request's own.
    pub fn request_limits(&self) -> HeadLimits {
        let HeadLimits { fields, bytes } = self.head_limits;
        let (more, size) = self.added.as_ref().map_or((0, 0), |added| added.size());
        HeadLimits { fields: fields.saturating_sub(more), bytes: bytes.saturating_sub(size) }
    }

    /// From here on it is the response's head that plugins may grow.
    pub fn limit_response_head(&mut self) {
        let HeadLimits { fields, bytes } = self.head_limits;
        let come = self.response.as_ref().map_or(0, |head| head.headers.len());
        self.head_limits = HeadLimits {
            fields: fields.max(come + SPARE_FIELDS),
            bytes: bytes.max(RESPONSE_BYTES),
        };
    }
}

impl HeadLimits {
    /// For a head that came with at most so many fields and bytes.
    pub fn above(fields: usize, bytes: usize) -> HeadLimits {
        HeadLimits { fields: fields + SPARE_FIELDS, bytes: bytes + SPARE_BYTES }
    }
}

impl std::fmt::Display for ExchangeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x}{:04x}{:012x}", self.process, self.worker, self.serial)
    }
}

impl Attributes {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|(k, _)| &**k == key).map(|(_, value)| &**value)
    }

    /// Sets or replaces.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), AttributesFull> {
        let old = self.entries.iter().position(|(k, _)| &**k == key);
        let freed = old.map_or(0, |at| key.len() + self.entries[at].1.len());
        let bytes = self.bytes - freed + key.len() + value.len();
        if bytes > MAX_ATTRIBUTE_BYTES || (old.is_none() && self.room_for(key) == 0) {
            return Err(AttributesFull);
        }
        self.bytes = bytes;
        match old {
            Some(at) => self.entries[at].1 = value.into(),
            None => self.entries.push((key.into(), value.into())),
        }
        Ok(())
    }

    /// How many more there may be; a place is kept for [`REQUEST_ID`].
    fn room_for(&self, key: &str) -> usize {
        let kept = usize::from(key != REQUEST_ID && self.get(REQUEST_ID).is_none());
        MAX_ATTRIBUTES.saturating_sub(self.entries.len() + kept)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value)| (&**key, &**value))
    }
}

impl InFlight {
    /// Takes a place unless `limit` are taken.
    pub fn enter(count: &Arc<AtomicU32>, limit: u32) -> Option<InFlight> {
        count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < limit).then_some(n + 1))
            .ok()
            .map(|_| InFlight(count.clone()))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Reply {
    /// A reply without fields or body.
    pub fn new(status: StatusCode) -> Self {
        Reply { status, headers: HeaderMap::new(), body: Bytes::new(), delay: Duration::ZERO }
    }
}
