//! The end of an exchange, and who is told of it.
//!
//! In: an exchange that begins; what it holds of others until it is over. Out: a line in the access log,
//! counts, and a call of the completion hooks, all of the same [`Facts`]. Never: delays the client; it
//! runs when the response's body is dropped.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, StatusCode};
use weir_core::chain::{Exchange, Reached};
use weir_core::clock;
use weir_core::error::Error;
use weir_core::http::concealed::Shown;
use weir_core::http::{Body, UploadState, spare};
use weir_core::telemetry::metrics::RequestGuard;
use weir_core::turns;

use super::asked::Asked;
use super::facts::Facts;
use super::heading::Told;
use super::record::{self, Sources};
use super::streams::{StreamExecutor, StreamTask};
use super::worker::{Binding, ClientConnection, Ending, Worker};
use crate::upstream::{InFlightRequest, Lease, Usage};

/// The end of an exchange: dropping it tells everybody.
pub struct Completion {
    pub worker: Rc<Worker>,
    pub connection: Rc<ClientConnection>,
    /// What serves the request, as far as its end goes.
    ending: Rc<Ending>,
    pub facts: Facts,
    /// The request, as the log tells of it.
    pub told: Told,
    /// Who of the chain saw it.
    pub reached: Reached,
    /// How the response is framed.
    pub asked: Asked,
    /// The connection ends with this response, whatever becomes of the request's body.
    pub closes: bool,
    /// Where there is a request body.
    pub upload: Option<Arc<UploadState>>,
    /// The endpoint has it among those that it works on.
    pub in_flight: Option<InFlightRequest>,
    /// The connection that the response comes on, where an endpoint gives it.
    pub lease: Option<Lease>,
    /// The task of its stream, on HTTP/2.
    stream: Option<Rc<StreamTask>>,
    /// The flushes of the client's connection when the response was handed over.
    pub flushes: u32,
    /// The client that a trusted proxy names, where it is not the connection's own.
    pub named: Option<Rc<Usage>>,
    #[expect(dead_code, reason = "counts the request in flight until it is dropped")]
    guard: RequestGuard,
}

impl Completion {
    pub fn new(
        worker: &Rc<Worker>,
        connection: &Rc<ClientConnection>,
        request: &Request<Body>,
    ) -> Box<Completion> {
        connection.activity.begin_exchange(!matches!(request.body(), Body::Empty));
        if connection.streams.is_some() {
            connection.activity.begin_stream();
        }
        Box::new(Completion {
            guard: worker.metrics.request(),
            named: None,
            facts: Facts::new(worker.next_id(), worker.clock.now()),
            told: Told::Nothing,
            worker: worker.clone(),
            connection: connection.clone(),
            ending: worker.snapshot().unrouted(connection.listener.get()).ending.clone(),
            reached: Reached::default(),
            asked: Asked::new(request.method(), request.version()),
            closes: false,
            upload: None,
            in_flight: None,
            lease: None,
            stream: connection.streams.as_ref().map(StreamExecutor::begin),
            flushes: 0,
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
    pub fn bind(&mut self, to: &Binding) {
        self.ending = to.ending.clone();
    }

    /// Bytes of the request's body that were read.
    pub fn request_bytes(&self) -> u64 {
        self.upload.as_ref().map_or(0, |upload| upload.bytes())
    }

    /// Some of the request's body will stay unread, so that no other request can follow.
    pub fn leaves_unread(&self) -> bool {
        self.closes || self.upload.as_ref().is_some_and(|upload| upload.is_pending())
    }

    /// An endpoint answered.
    pub fn answered_by(&mut self, status: StatusCode, lease: Lease, sent: Instant) {
        self.facts.answered_by(status, lease.connect);
        if let Some(upload) = &self.upload {
            upload.answer();
        }
        // Only the log asks.
        self.facts.first_byte = self.worker.log.borrow().is_some().then(|| clock::since(sent));
        self.lease = Some(lease);
    }

    /// The response's head is on its way.
    pub fn answered(&mut self, parts: &http::response::Parts, exchange: Box<Exchange>) {
        self.begin_answer(parts.status);
        self.told = Told::Exchange(exchange);
    }

    /// The response begins.
    pub fn begin_answer(&mut self, status: StatusCode) {
        if self.facts.status == 0 && self.stream.is_some() {
            self.connection.activity.answer_stream();
        }
        self.facts.status = status.as_u16();
    }

    /// Something went wrong; the first cause is kept. The endpoint's connection does not go back.
    pub fn failed(&mut self, error: &Error) {
        self.lease = None;
        self.worker.metrics.error(error.kind);
        self.facts.failed(error);
    }

    /// The response went out to its last byte. Its connection goes back if the request went too.
    pub fn finish(mut self: Box<Self>) {
        let now = self.worker.clock.now();
        self.facts.complete = true;
        self.facts.ended = Some(now);
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
}

impl Drop for Completion {
    fn drop(&mut self) {
        let now = self.facts.ended.unwrap_or_else(|| self.worker.clock.now());
        let duration = self.facts.over(now);
        let (facts, request_bytes) = (&self.facts, self.request_bytes());
        let metrics = &self.ending.metrics;
        metrics.finished(facts.status, duration, request_bytes, facts.response_bytes);
        if facts.status == 0 && self.stream.is_some() {
            self.connection.activity.answer_stream();
        }
        if let Some(upload) = &self.upload {
            upload.over();
        }
        self.connection.activity.end_exchange();
        tracing::debug!(
            request = %facts.id, status = facts.status, sent = facts.response_bytes, ?duration,
            error = facts.kind().map(|kind| kind.as_str()), detail = facts.detail(), "over"
        );
        if let Some(log) = &mut *self.worker.log.borrow_mut() {
            let (request, ending, peer) = (&self.told, &self.ending, &self.connection.client);
            let from = Sources { facts, request, ending, peer, request_bytes };
            record::write(log, &from, self.worker.clock.wall(), duration);
        }
        self.tell_plugins(request_bytes, duration);
    }
}

impl Completion {
    fn tell_plugins(&mut self, request_bytes: u64, duration: Duration) {
        let Told::Exchange(exchange) = std::mem::take(&mut self.told) else { return };
        if self.ending.completions.is_empty() {
            // Plugins would want to see it.
            return spare::keep(exchange.request.headers);
        }
        let summary = self.facts.summary(request_bytes, duration);
        let (ending, reached) = (self.ending.clone(), self.reached);
        turns::spawn(self.connection.line, async move {
            drop(ending.completions.on_complete(exchange, reached, &summary).await);
        });
    }
}
