//! What can go wrong with an exchange: one shape for every cause.
//!
//! In: causes from sockets, TLS, HTTP and plugins. Out: an [`Error`] whose [`Kind`] is a proxy
//! error type of RFC 9209, section 2.3, and which says whose fault it was and whether the request
//! may be sent again. The same words stand in the log, in metric labels and in `Proxy-Status`.
//! Never: decides what the client is answered; `proxy::respond` does that, in one place.

use std::fmt;

/// Proxy error types of RFC 9209, 2.3, by their registered names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    DnsTimeout,
    DnsError,
    DestinationNotFound,
    DestinationUnavailable,
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
    /// What happened, for the log. May name addresses; never holds secrets.
    pub detail: String,
}

/// Result of a step of an exchange.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Kind {
    /// Every kind, in the order of the enum: `ALL[kind as usize] == kind`.
    pub const ALL: [Kind; Kind::ProxyLoopDetected as usize + 1] = [
        Kind::DnsTimeout,
        Kind::DnsError,
        Kind::DestinationNotFound,
        Kind::DestinationUnavailable,
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
        Error { kind, side, retryable: false, status: None, detail: detail.into() }
    }

    /// The client's fault, with the status it is told.
    pub fn request(status: u16, detail: impl Into<String>) -> Self {
        Error {
            status: Some(status),
            ..Error::new(Kind::HttpRequestError, Side::Downstream, detail)
        }
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
        write!(f, "{}: {}", self.kind.as_str(), self.detail)
    }
}

impl std::error::Error for Error {}
