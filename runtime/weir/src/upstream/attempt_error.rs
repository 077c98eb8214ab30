//! A request that got no response, and whether it may be sent again.
//!
//! In: faults of HTTP/1.1 connections, and hyper's errors of HTTP/2. Out: [`AttemptError`]: the
//! proxy's own error, and what speaks for sending it again. Never: retries; `proxy::forward` does,
//! by its budget.

use std::time::{Duration, Instant};

use weir_core::error::{Error, Kind, Side};

use super::http1::Fault;

/// A request without a response.
pub struct AttemptError {
    /// `retryable` where nothing of the request was sent.
    pub error: Error,
    /// The connection, or the stream, ended without a byte of response. An idempotent request may be
    /// sent again.
    pub silent: bool,
    /// The connection had served before: where it ended in silence, the endpoint's idle timeout may
    /// have crossed the request, which says nothing of the endpoint.
    pub reused: bool,
    /// When the connection was found to be over, by the first of those who had a stream on it.
    pub ended: Option<Instant>,
}

impl AttemptError {
    /// No connection was to be had.
    pub(super) fn connecting(error: Error) -> Box<Self> {
        AttemptError::plain(error)
    }

    fn plain(error: Error) -> Box<Self> {
        Box::new(AttemptError { error, silent: false, reused: false, ended: None })
    }

    /// There was nothing to send.
    pub(super) fn unsent() -> Box<Self> {
        let error = Error::new(Kind::ProxyInternalError, Side::Proxy, "there is no request");
        AttemptError::plain(error)
    }

    /// An HTTP/1.1 connection ended, or broke the protocol, instead of a response. `unsent`: before
    /// anything of the request was sent; `silent`: without a byte from the endpoint.
    pub(super) fn faulty(fault: Fault, unsent: bool, reused: bool, silent: bool) -> Box<Self> {
        let kind = match &fault {
            Fault::Closed | Fault::Io(_) => Kind::ConnectionTerminated,
            Fault::TooLarge => Kind::HttpResponseHeaderSectionSize,
            Fault::Malformed(_) => Kind::HttpProtocolError,
            Fault::Body(own) => {
                return AttemptError::plain(own.clone());
            }
        };
        let ended = kind == Kind::ConnectionTerminated;
        let mut error = Error::new(kind, Side::Upstream, fault.to_string());
        error.retryable = unsent && ended;
        if let Fault::Io(cause) = fault {
            error = error.caused_by(cause);
        }
        Box::new(AttemptError { error, silent: silent && ended, reused, ended: None })
    }

    /// The same of a stream of HTTP/2.
    pub(super) fn failed(
        error: hyper::Error,
        unsent: bool,
        reused: bool,
        over: Option<Instant>,
    ) -> Box<Self> {
        // The request's own body failed: the client went away or broke its framing, or a limit.
        if let Some(own) = body_error(&error) {
            return AttemptError::plain(own);
        }
        let kind = match is_malformed(&error) {
            true => Kind::HttpProtocolError,
            false => Kind::ConnectionTerminated,
        };
        let retryable = unsent || is_refused(&error);
        let ended = error.is_closed() || error.is_canceled();
        let io = std::error::Error::source(&error)
            .is_some_and(|cause| cause.downcast_ref::<std::io::Error>().is_some());
        let reset = of_protocol(&error).is_some_and(|error| error.is_remote() && error.is_reset());
        // A stream that is reset tells nothing of its connection.
        let reused = reused && !reset;
        let mut failure = Error::new(kind, Side::Upstream, error.to_string()).caused_by(error);
        failure.retryable = retryable;
        Box::new(AttemptError { error: failure, silent: ended || io || reset, reused, ended: over })
    }

    /// The endpoint took the request and did not answer in time.
    pub(super) fn silent(waited: Duration) -> Box<Self> {
        let detail = format!("no response within {waited:?}");
        let error = Error::new(Kind::HttpResponseTimeout, Side::Upstream, detail);
        AttemptError::plain(error)
    }
}

/// The endpoint did nothing with the stream, and says so (RFC 9113, 8.7): by a RST_STREAM, or by a
/// GOAWAY, for whatever reason, whose last stream is an earlier one (6.8). Of other streams the
/// parser lets nobody know of the GOAWAY.
fn is_refused(error: &hyper::Error) -> bool {
    of_protocol(error).is_some_and(|error| {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        error.is_remote() && (refused || error.is_go_away())
    })
}

/// The endpoint broke the protocol: our codec ended the stream, or the connection, over it.
fn is_malformed(error: &hyper::Error) -> bool {
    use h2::Reason;
    of_protocol(error).filter(|error| error.is_library()).is_some_and(|error| {
        matches!(
            error.reason().unwrap_or(Reason::NO_ERROR),
            Reason::PROTOCOL_ERROR
                | Reason::FLOW_CONTROL_ERROR
                | Reason::STREAM_CLOSED
                | Reason::FRAME_SIZE_ERROR
                | Reason::COMPRESSION_ERROR
                | Reason::ENHANCE_YOUR_CALM
        )
    })
}

/// What the protocol's parser says.
fn of_protocol(error: &hyper::Error) -> Option<&h2::Error> {
    std::error::Error::source(error).and_then(|cause| cause.downcast_ref())
}

/// The proxy's own error, where hyper only carries it.
fn body_error(error: &hyper::Error) -> Option<Error> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(own) = error.downcast_ref::<Error>() {
            return Some(own.clone());
        }
        cause = error.source();
    }
    None
}
