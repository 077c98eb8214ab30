//! What is told of an exchange when it is over.
//!
//! In: what happens to it, as it happens. Out: one plain record for all who tell of it: the log's line,
//! metrics, and the plugins' completion hooks. Never: anything that has to be given back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use weir_core::chain::{ExchangeId, Summary};
use weir_core::error::{Error, Kind};

use crate::upstream::EndpointState;

/// What is told of an exchange.
pub struct Facts {
    pub id: ExchangeId,
    /// When its head was complete.
    pub started: Instant,
    /// 0: no response was begun.
    pub status: u16,
    /// Of the body, as far as it went out.
    pub response_bytes: u64,
    /// The response went out to its last byte.
    pub complete: bool,
    /// When it was over, where that is known before it is told.
    pub ended: Option<Instant>,
    /// The plugin that replied.
    pub plugin: Option<Arc<str>>,
    pub attempts: u32,
    /// Of the last attempt.
    pub upstream: Option<Arc<EndpointState>>,
    /// Of the last attempt, before plugins changed it.
    pub upstream_status: Option<u16>,
    /// How long it took to connect; `None`: on a connection that was there.
    pub connect: Option<Duration>,
    /// From the request sent to the response's head.
    pub first_byte: Option<Duration>,
    /// The first thing that went wrong.
    pub error: Option<(Kind, String)>,
}

impl Facts {
    pub fn new(id: ExchangeId, started: Instant) -> Facts {
        Facts {
            id,
            started,
            status: 0,
            response_bytes: 0,
            complete: false,
            ended: None,
            plugin: None,
            attempts: 0,
            upstream: None,
            upstream_status: None,
            connect: None,
            first_byte: None,
            error: None,
        }
    }

    /// A request is sent to an endpoint.
    pub fn attempt(&mut self, endpoint: &Arc<EndpointState>) {
        self.attempts += 1;
        self.upstream = Some(endpoint.clone());
    }

    /// An endpoint answered.
    pub fn answered_by(&mut self, status: StatusCode, connect: Option<Duration>) {
        self.upstream_status = Some(status.as_u16());
        self.connect = connect;
    }

    /// Something went wrong; the first cause is kept.
    pub fn failed(&mut self, error: &Error) {
        if self.error.is_none() {
            self.error = Some((error.kind, error.told()));
        }
    }

    /// The exchange was over at `now`. Gives how long it took.
    pub fn over(&mut self, now: Instant) -> Duration {
        if !self.complete && self.error.is_none() {
            self.error = Some((Kind::ConnectionTerminated, "the client went away".to_owned()));
        }
        now.saturating_duration_since(self.started)
    }

    /// What plugins are told.
    pub fn summary(&self, request_bytes: u64, duration: Duration) -> Summary {
        Summary {
            status: self.status,
            request_bytes,
            response_bytes: self.response_bytes,
            duration,
            upstream: self.upstream.as_ref().map(|endpoint| endpoint.label.clone()),
            error: self.kind().map(Kind::as_str),
        }
    }

    pub fn kind(&self) -> Option<Kind> {
        self.error.as_ref().map(|(kind, _)| *kind)
    }

    /// What went wrong, for people.
    pub fn detail(&self) -> Option<&str> {
        self.error.as_ref().map(|(_, detail)| detail.as_str())
    }
}
