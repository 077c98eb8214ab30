//! What can go wrong with an exchange: one shape for every cause.
//!
//! In: causes from sockets, TLS, HTTP and plugins. Out: an [`Error`] whose [`Kind`] is a proxy
//! error type of RFC 9209, section 2.3, and which says whose fault it was and whether the request
//! may be sent again. The same words stand in the log, in metric labels and in `Proxy-Status`.
//! Never: decides what the client is answered; `proxy::respond` does that, in one place.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// Proxy error types of RFC 9209, 2.3, by their registered names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    DnsTimeout,
    DnsError,
    DestinationNotFound,
    DestinationUnavailable,
    DestinationIpProhibited,
    ConnectionRefused,
    ConnectionTerminated,
    ConnectionTimeout,
    ConnectionReadTimeout,
    ConnectionWriteTimeout,
    ConnectionLimitReached,
    TlsProtocolError,
    TlsCertificateError,
    HttpRequestError,
    HttpRequestDenied,
    HttpResponseIncomplete,
    HttpResponseTimeout,
    HttpResponseHeaderSectionSize,
    HttpUpgradeFailed,
    HttpProtocolError,
    ProxyInternalResponse,
    ProxyInternalError,
    ProxyConfigurationError,
    ProxyLoopDetected,
}

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// The client: its request, or its going away.
    Downstream,
    /// The endpoint, or the network towards it.
    Upstream,
    /// A plugin.
    Plugin,
    /// The proxy itself, or its configuration.
    Proxy,
}

/// One failure of one exchange.
#[derive(Debug, Clone)]
pub struct Error {
    /// The RFC 9209 type.
    pub kind: Kind,
    /// Whose fault it was.
    pub side: Side,
    /// Nothing of the request reached the endpoint, or nothing it could have acted on: the same
    /// request may be sent once more whatever its method.
    pub retryable: bool,
    /// The status for the client where the kind's own (see [`Kind::status`]) does not fit.
    pub status: Option<u16>,
    /// Apart, for an error passes many hands.
    said: Box<Said>,
}

#[derive(Debug, Clone)]
struct Said {
    detail: String,
    /// What it came from.
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// An error and all that it came from, in a line. What says its source's words itself is not followed by
/// them.
pub struct Chain<'a>(pub &'a (dyn StdError + 'a));

/// Result of a step of an exchange.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Kind {
    /// Every kind, in the order of the enum: `ALL[kind as usize] == kind`.
    pub const ALL: [Kind; Kind::ProxyLoopDetected as usize + 1] = [
        Kind::DnsTimeout,
        Kind::DnsError,
        Kind::DestinationNotFound,
        Kind::DestinationUnavailable,
        Kind::DestinationIpProhibited,
        Kind::ConnectionRefused,
        Kind::ConnectionTerminated,
        Kind::ConnectionTimeout,
        Kind::ConnectionReadTimeout,
        Kind::ConnectionWriteTimeout,
        Kind::ConnectionLimitReached,
        Kind::TlsProtocolError,
        Kind::TlsCertificateError,
        Kind::HttpRequestError,
        Kind::HttpRequestDenied,
        Kind::HttpResponseIncomplete,
        Kind::HttpResponseTimeout,
        Kind::HttpResponseHeaderSectionSize,
        Kind::HttpUpgradeFailed,
        Kind::HttpProtocolError,
        Kind::ProxyInternalResponse,
        Kind::ProxyInternalError,
        Kind::ProxyConfigurationError,
        Kind::ProxyLoopDetected,
    ];

    /// The registered name (RFC 9209, 2.3).
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::DnsTimeout => "dns_timeout",
            Kind::DnsError => "dns_error",
            Kind::DestinationNotFound => "destination_not_found",
            Kind::DestinationUnavailable => "destination_unavailable",
            Kind::DestinationIpProhibited => "destination_ip_prohibited",
            Kind::ConnectionRefused => "connection_refused",
            Kind::ConnectionTerminated => "connection_terminated",
            Kind::ConnectionTimeout => "connection_timeout",
            Kind::ConnectionReadTimeout => "connection_read_timeout",
            Kind::ConnectionWriteTimeout => "connection_write_timeout",
            Kind::ConnectionLimitReached => "connection_limit_reached",
            Kind::TlsProtocolError => "tls_protocol_error",
            Kind::TlsCertificateError => "tls_certificate_error",
            Kind::HttpRequestError => "http_request_error",
            Kind::HttpRequestDenied => "http_request_denied",
            Kind::HttpResponseIncomplete => "http_response_incomplete",
            Kind::HttpResponseTimeout => "http_response_timeout",
            Kind::HttpResponseHeaderSectionSize => "http_response_header_section_size",
            Kind::HttpUpgradeFailed => "http_upgrade_failed",
            Kind::HttpProtocolError => "http_protocol_error",
            Kind::ProxyInternalResponse => "proxy_internal_response",
            Kind::ProxyInternalError => "proxy_internal_error",
            Kind::ProxyConfigurationError => "proxy_configuration_error",
            Kind::ProxyLoopDetected => "proxy_loop_detected",
        }
    }

    /// The status that RFC 9209 recommends for the type.
    pub fn status(self) -> u16 {
        match self {
            Kind::DnsTimeout
            | Kind::ConnectionTimeout
            | Kind::ConnectionReadTimeout
            | Kind::ConnectionWriteTimeout
            | Kind::HttpResponseTimeout => 504,
            Kind::DnsError
            | Kind::DestinationIpProhibited
            | Kind::ConnectionRefused
            | Kind::ConnectionTerminated
            | Kind::TlsProtocolError
            | Kind::TlsCertificateError
            | Kind::HttpResponseIncomplete
            | Kind::HttpResponseHeaderSectionSize
            | Kind::HttpUpgradeFailed
            | Kind::HttpProtocolError
            | Kind::ProxyLoopDetected => 502,
            Kind::DestinationUnavailable | Kind::ConnectionLimitReached => 503,
            Kind::DestinationNotFound => 404,
            Kind::HttpRequestError | Kind::ProxyInternalResponse => 400,
            Kind::HttpRequestDenied => 403,
            Kind::ProxyInternalError | Kind::ProxyConfigurationError => 500,
        }
    }
}

impl Error {
    /// A failure that was not known to be harmless to repeat.
    pub fn new(kind: Kind, side: Side, detail: impl Into<String>) -> Self {
        let said = Box::new(Said { detail: detail.into(), source: None });
        Error { kind, side, retryable: false, status: None, said }
    }

    /// The same failure, with what it came from; `detail` need not repeat it.
    pub fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.said.source = Some(Arc::new(source));
        self
    }

    /// What happened, without what it came from. May name addresses; never holds secrets.
    pub fn detail(&self) -> &str {
        &self.said.detail
    }

    /// What happened and what it came from, in a line: `handshake: connection reset by peer`.
    pub fn told(&self) -> String {
        match &self.said.source {
            None => self.said.detail.clone(),
            Some(source) => {
                let (detail, chain) = (&self.said.detail, Chain(&**source).to_string());
                // It may begin with the source's own words.
                if chain.starts_with(&**detail) { chain } else { format!("{detail}: {chain}") }
            }
        }
    }

    /// The client's fault, with the status it is told.
    pub fn request(status: u16, detail: impl Into<String>) -> Self {
        Error::new(Kind::HttpRequestError, Side::Downstream, detail).with_status(status)
    }

    /// The same failure, with another status for the client than its kind's.
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The same failure, marked as one before anything was sent.
    pub fn unsent(mut self) -> Self {
        self.retryable = true;
        self
    }

    /// The status for the client.
    pub fn status(&self) -> u16 {
        self.status.unwrap_or_else(|| self.kind.status())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.as_str(), self.said.detail)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.said.source.as_ref().map(|source| &**source as &(dyn StdError + 'static))
    }
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            let words = error.to_string();
            if !said.ends_with(&words) {
                write!(f, ": {words}")?;
            }
            (said, source) = (words, error.source());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn an_error_keeps_what_it_came_from_and_tells_each_word_once() {
        let reset = || io::Error::new(io::ErrorKind::ConnectionReset, "reset by peer");
        let own = Error::new(Kind::ConnectionTerminated, Side::Upstream, "handshake");
        assert_eq!(own.told(), "handshake");
        let own = own.caused_by(reset());
        assert_eq!(own.told(), "handshake: reset by peer");
        assert_eq!(own.to_string(), "connection_terminated: handshake");
        let source = own.source().and_then(|why| why.downcast_ref::<io::Error>());
        assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::ConnectionReset));
        // Some say their source's words themselves.
        let wrapped = Error::new(Kind::ConnectionTerminated, Side::Upstream, "the stream failed")
            .caused_by(io::Error::other(reset()));
        assert_eq!(wrapped.told(), "the stream failed: reset by peer");
        let own = Error::new(Kind::ConnectionTerminated, Side::Upstream, "reset by peer");
        assert_eq!(own.caused_by(reset()).told(), "reset by peer");
    }
}
