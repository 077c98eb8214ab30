//! What is known of an exchange when it ends, and who is told.
//!
//! In: facts gathered on the way. Out: a line in the access log, counts, and a call of the
//! completion hooks. Never: delays the client; it runs when the response's body is dropped.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderValue, Request, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use weir_core::chain::{Attributes, Exchange, ExchangeId, Reached, Summary};
use weir_core::clock;
use weir_core::error::{Error, Kind};
use weir_core::http::UploadState;
use weir_core::http::concealed::Shown;
use weir_core::http::max_forwards::Final;
use weir_core::http::spare;
use weir_core::telemetry::access_log::Record;
use weir_core::telemetry::metrics::RequestGuard;
use weir_core::turns;

use super::asked::Asked;
use super::heading::Heading;
use super::streams::{StreamExecutor, StreamTask};
use super::upgrade::Upgrade;
use super::worker::{Binding, ClientConnection, Ending, Worker};
use crate::upstream::{EndpointState, InFlightRequest, Lease, Usage};

/// The end of an exchange: dropping it tells everybody.
pub struct Completion {
    pub worker: Rc<Worker>,
    pub connection: Rc<ClientConnection>,
    /// What serves the request, until that is taken from here.
    pub binding: Option<Rc<Binding>>,
    ending: Rc<Ending>,
    pub id: ExchangeId,
    pub started: Instant,
    pub reached: Reached,
    /// How the response is framed.
    pub asked: Asked,
    /// The connection ends with this response, whatever becomes of the request's body.
    pub closes: bool,
    /// Where there is a request body.
    pub upload: Option<Arc<UploadState>>,
    /// The plugin that replied.
    pub plugin: Option<Arc<str>>,
    pub status: u16,
    pub response_bytes: u64,
    /// The response went out to its last byte.
    pub complete: bool,
    /// When it was over, where that is known before this is dropped.
    ended: Option<Instant>,
    pub in_flight: Option<InFlightRequest>,
    /// The connection that the response comes on, where an endpoint gives it.
    pub lease: Option<Lease>,
    /// The task of its stream, on HTTP/2.
    stream: Option<Rc<StreamTask>>,
    /// The flushes of the client's connection when the response was handed over.
    pub flushes: u32,
    /// The client asks to switch protocols.
    pub upgrade: Option<Box<Upgrade>>,
    /// Names with `_` or `.` may be among the request's fields.
    pub ambiguous: bool,
    /// A gRPC call, which has its client's time.
    pub grpc: bool,
    /// Its listener's messages say that they went through us.
    pub via: bool,
    /// The client waits to be asked for its body.
    pub expects: bool,
    /// What a request is answered with that must go no further.
    pub last: Option<Box<Final>>,
    /// What the log says of the request where there is no exchange to ask.
    pub heading: Option<Box<Heading>>,
    /// The exchange, from the response's head on.
    pub exchange: Option<Box<Exchange>>,
    upstream: Option<Arc<EndpointState>>,
    upstream_status: Option<u16>,
    connect: Option<Duration>,
    first_byte: Option<Duration>,
    attempts: u32,
    error: Option<(Kind, String)>,
    /// The client that a trusted proxy names, where it is not the connection's own.
    pub named: Option<Rc<Usage>>,
    #[expect(dead_code, reason = "counts the request in flight until it is dropped")]
    guard: RequestGuard,
}

impl Completion {
    pub fn new(
        worker: &Rc<Worker>,
        connection: &Rc<ClientConnection>,
        request: &Request<Incoming>,
    ) -> Box<Completion> {
        connection.activity.begin_exchange(!request.body().is_end_stream());
        if connection.streams.is_some() {
            connection.activity.begin_stream();
        }
        Box::new(Completion {
            guard: worker.metrics.request(),
            named: None,
            id: worker.next_id(),
            started: worker.clock.now(),
            worker: worker.clone(),
            connection: connection.clone(),
            binding: None,
            ending: worker.snapshot().unrouted(connection.listener.get()).ending.clone(),
            reached: Reached::default(),
            asked: Asked::new(request.method(), request.version()),
            closes: false,
            upload: None,
            ambiguous: false,
            grpc: false,
            via: true,
            expects: false,
            last: None,
            heading: None,
            plugin: None,
            status: 0,
            response_bytes: 0,
            complete: false,
            ended: None,
            in_flight: None,
            lease: None,
            stream: connection.streams.as_ref().map(StreamExecutor::begin),
            flushes: 0,
            upgrade: None,
            exchange: None,
            upstream: None,
            upstream_status: None,
            connect: None,
            first_byte: None,
            attempts: 0,
            error: None,
        })
    }

    /// Whose it is, as far as shares go.
    pub fn client(&self) -> &Usage {
        self.named.as_deref().unwrap_or(&self.connection.usage)
    }

    /// The listener's name.
    pub fn listener(&self) -> &str {
        &self.ending.listener
    }

    /// A target as logs may have it: without credentials.
    pub fn shown<'a, T: std::fmt::Display>(&'a self, target: &'a T) -> Shown<'a, T> {
        self.ending.concealed.shown(target)
    }

    /// It is known what serves the request.
    pub fn bind(&mut self, to: &Rc<Binding>) {
        self.ending = to.ending.clone();
        self.binding = Some(to.clone());
    }

    /// Bytes of the request's body that were read.
    pub fn request_bytes(&self) -> u64 {
        self.upload.as_ref().map_or(0, |upload| upload.bytes())
    }

    /// Some of the request's body will stay unread, so that no other request can follow.
    pub fn leaves_unread(&self) -> bool {
        self.closes || self.upload.as_ref().is_some_and(|upload| upload.is_pending())
    }

    /// A request is sent to an endpoint.
    pub fn attempt(&mut self, endpoint: &Arc<EndpointState>) {
        self.attempts += 1;
        self.upstream = Some(endpoint.clone());
    }

    /// An endpoint answered.
    pub fn answered_by(&mut self, status: StatusCode, lease: Lease, sent: Instant) {
        self.upstream_status = Some(status.as_u16());
        if let Some(upload) = &self.upload {
            upload.answer();
        }
        self.connect = lease.connect;
        // Only the log asks.
        self.first_byte = self.worker.log.borrow().is_some().then(|| clock::since(sent));
        self.lease = Some(lease);
    }

    /// The response's head is on its way.
    pub fn answered(&mut self, parts: &http::response::Parts, exchange: Box<Exchange>) {
        self.begin_answer(parts.status);
        self.exchange = Some(exchange);
    }

    /// The response begins.
    pub fn begin_answer(&mut self, status: StatusCode) {
        if self.status == 0 && self.stream.is_some() {
            self.connection.activity.answer_stream();
        }
        self.status = status.as_u16();
    }

    /// Something went wrong; the first cause is kept. The endpoint's connection does not go back.
    pub fn failed(&mut self, error: &Error) {
        self.lease = None;
        self.worker.metrics.error(error.kind);
        if self.error.is_none() {
            self.error = Some((error.kind, error.detail.clone()));
        }
    }

    /// The response went out to its last byte. Its connection goes back if the request went too.
    pub fn finish(mut self: Box<Self>) {
        let now = self.worker.clock.now();
        self.complete = true;
        self.ended = Some(now);
        if let Some(lease) = self.lease.take()
            && !self.upload.as_ref().is_some_and(|upload| upload.is_pending())
        {
            lease.finish(now);
        }
    }

    /// The response was read to its end, though the client may not have taken all of it. The
    /// connection goes back if the request went too.
    pub fn release(&mut self) {
        if self.upload.as_ref().is_some_and(|upload| upload.is_pending()) {
            return;
        }
        if let Some(lease) = self.lease.take() {
            lease.finish(self.worker.clock.now());
            self.in_flight = None;
        }
    }

    /// Bytes of the response that may be read although the client does not take them yet.
    pub fn room_ahead(&self) -> usize {
        let most = self.connection.activity.bounds().read_ahead();
        self.connection.ahead.left(most).min(self.worker.stalled.room_ahead())
    }

    /// Gives the client up: its stream on HTTP/2, else its connection.
    pub fn cut(&self) {
        match &self.stream {
            Some(stream) => stream.end(),
            None => self.connection.activity.cut(),
        }
    }

    fn record(&mut self, duration: Duration) {
        let Some(log) = &mut *self.worker.log.borrow_mut() else { return };
        let exchange = self.exchange.as_deref();
        let heading = self.heading.as_deref().filter(|_| exchange.is_none());
        let request = exchange.map(|exchange| &exchange.request);
        let attributes = exchange.map(|exchange| &exchange.attributes);
        let attributes = attributes.or(heading.map(|heading| &heading.attributes));
        let header = |name: http::HeaderName| {
            let told = heading.and_then(|heading| heading.field(&name));
            request.and_then(|head| head.headers.get(name)).or(told).map(HeaderValue::as_bytes)
        };
        let method = request.map(|head| &head.method).or(heading.map(|heading| &heading.method));
        let target = request.and_then(|head| head.uri.path_and_query());
        let target = target.or(heading.and_then(|heading| heading.target.as_ref()));
        let version = request.map(|head| head.version).or(heading.map(|heading| heading.version));
        let own_id = &self.id as &dyn std::fmt::Display;
        let set_id = attributes.and_then(|attributes| attributes.get("request.id"));
        let endpoint = self.upstream.as_deref();
        let client = exchange.map(|exchange| &exchange.client);
        let client = client.or(heading.and_then(|heading| heading.client.as_ref()));
        let client = client.unwrap_or(&self.connection.client);
        let concealed = &*self.ending.concealed;
        let referer = header(http::header::REFERER).map(|url| concealed.in_target(url));
        log.write(&Record {
            time: self.worker.clock.wall() - duration,
            request_id: set_id.as_ref().map_or(own_id, |id| id),
            client: &client.address,
            listener: &self.ending.listener,
            method: method.map_or("-", |method| method.as_str()),
            scheme: if client.https { "https" } else { "http" },
            host: header(http::header::HOST).unwrap_or_default(),
            path: &target
                .map_or(b"-"[..].into(), |path| concealed.in_target(path.as_str().as_bytes())),
            protocol: version.unwrap_or(Version::HTTP_11),
            status: self.status,
            request_bytes: self.request_bytes(),
            response_bytes: self.response_bytes,
            duration,
            route: self.ending.route.as_deref(),
            upstream: endpoint.map(|endpoint| &*endpoint.upstream),
            endpoint: endpoint.map(|endpoint| &*endpoint.address),
            upstream_status: self.upstream_status,
            upstream_connect: self.connect,
            upstream_first_byte: self.first_byte,
            attempts: self.attempts,
            plugin: self.plugin.as_deref(),
            error: self.error.as_ref().map(|(kind, _)| *kind),
            error_detail: self.error.as_ref().map(|(_, detail)| detail.as_str()),
            user: attributes.and_then(|attributes| attributes.get("auth.subject")),
            user_agent: header(http::header::USER_AGENT),
            referer: referer.as_deref(),
            attributes: &|each| {
                let all = attributes.into_iter().flat_map(Attributes::iter);
                // The others are between a plugin's own hooks.
                all.filter(|(key, _)| !key.starts_with('_'))
                    .for_each(|(key, value)| each(key, value));
            },
        });
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        let now = self.ended.unwrap_or_else(|| self.worker.clock.now());
        let duration = now.saturating_duration_since(self.started);
        if !self.complete && self.error.is_none() {
            self.error = Some((Kind::ConnectionTerminated, "the client went away".to_owned()));
        }
        let metrics = &self.ending.metrics;
        metrics.finished(self.status, duration, self.request_bytes(), self.response_bytes);
        if self.status == 0 && self.stream.is_some() {
            self.connection.activity.answer_stream();
        }
        if let Some(upload) = &self.upload {
            upload.over();
        }
        self.connection.activity.end_exchange();
        tracing::debug!(
            request = %self.id, status = self.status, sent = self.response_bytes, ?duration,
            error = self.error.as_ref().map(|(kind, _)| kind.as_str()),
            detail = self.error.as_ref().map(|(_, detail)| detail.as_str()), "over"
        );
        self.record(duration);
        self.tell_plugins(duration);
    }
}

impl Completion {
    fn tell_plugins(&mut self, duration: Duration) {
        let Some(exchange) = self.exchange.take() else { return };
        if self.ending.completions.is_empty() {
            // Plugins would want to see it.
            return spare::keep(exchange.request.headers);
        }
        let summary = Summary {
            status: self.status,
            request_bytes: self.request_bytes(),
            response_bytes: self.response_bytes,
            duration,
            upstream: self.upstream.as_ref().map(|endpoint| endpoint.label.clone()),
            error: self.error.as_ref().map(|(kind, _)| kind.as_str()),
        };
        let (ending, reached) = (self.ending.clone(), self.reached);
        turns::spawn(self.connection.line, async move {
            drop(ending.completions.on_complete(exchange, reached, &summary).await);
        });
    }
}
