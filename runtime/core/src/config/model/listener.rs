//! A listener as configured: where it accepts, with which certificates, within which limits.
//!
//! In: a checked `[listeners.NAME]`. Out: what sockets, acceptors and connections are made with.
//! Never: holds a certificate's content: that is read when the acceptor is built.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Bind, Bound};

/// `[listeners.NAME]`
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    pub name: Arc<str>,
    pub bind: Bind,
    /// Run before every route's own chain: indices into [`Config::plugins`](super::Config::plugins).
    pub plugins: Vec<usize>,
    pub tls: Option<ListenerTls>,
    pub path: PathPolicy,
    pub limits: Limits,
    /// Whether requests and responses get a `Via` (RFC 9110, 7.6.3); default true. Without it loops
    /// are not found.
    pub via: bool,
    /// Which request fields with `_` or `.` in their names are dropped; default `known`.
    pub drop_ambiguous: DropAmbiguous,
}

/// Request fields that CGI, WSGI and others cannot tell from those with `-`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DropAmbiguous {
    /// Those that could be taken for one that Weir or a plugin of the chain sets or checks.
    #[default]
    Known,
    All,
}

/// What becomes of paths that endpoints may read differently (see [`crate::http::path::strict`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PathPolicy {
    /// They are routed and forwarded in their normal form. The default: package registries and
    /// object stores need `%2F` and `//`.
    #[default]
    Normal,
    /// 400. Of a listener: before a route is looked for.
    Strict,
}

/// `[listeners.NAME.tls]`
#[derive(Debug, Clone, PartialEq)]
pub struct ListenerTls {
    /// The first is the default for clients without SNI.
    pub certificates: Vec<CertificateFiles>,
    /// `1.2` or `1.3`; default 1.2.
    pub min_version: TlsVersion,
}

/// A file of certificates, and where it is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFile {
    /// Keys and indices: `listeners`, `web`, `tls`, `certificates`, `0`, `cert`.
    pub at: Vec<String>,
    pub file: PathBuf,
    /// The file of the private key beside it, where that is one, and where it is named.
    pub key: Option<(Vec<String>, PathBuf)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CertificateFiles {
    /// PEM chain, leaf first.
    pub cert: PathBuf,
    /// PEM private key.
    pub key: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsVersion {
    V1_2,
    V1_3,
}

/// Limits of a listener, written beside `bind`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the first byte of a head (or the connection's start) to its end; default 30s.
    pub header_timeout: Duration,
    /// Between two requests of a connection; default 75s.
    pub idle_timeout: Duration,
    /// Between two bytes of a body, either way; default 60s.
    pub body_timeout: Bound,
    /// Of a TLS handshake; default 10s.
    pub handshake_timeout: Duration,
    /// Request line and fields, in bytes; default 64 KiB.
    pub max_header_bytes: usize,
    /// Field lines; default 100, which costs nothing: more take two allocations for each request.
    pub max_headers: usize,
    /// Connections at a time, all workers together; default: no bound. At it the oldest that asks for
    /// nothing, of the client with most, gives way. A client that is no trusted proxy has three quarters
    /// of what the others leave.
    pub max_connections: Option<usize>,
    /// Request body in bytes; default: no bound.
    pub body_limit: Option<u64>,
    /// HTTP/2 streams at a time and connection; default 128.
    pub max_streams: u32,
    /// Bytes a second that a request's body has to come with, as a mean over
    /// `min_body_rate_window` of waiting for the client; default 240, 0: no bound.
    pub min_body_rate: u64,
    /// Default 60s.
    pub min_body_rate_window: Duration,
    /// Bytes of responses that are read ahead for a client that does not take them yet, of a
    /// connection; default 4 MiB. It frees endpoints' connections.
    pub read_ahead: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            header_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(75),
            body_timeout: Bound::by_default(Duration::from_secs(60)),
            handshake_timeout: Duration::from_secs(10),
            max_header_bytes: 64 << 10,
            max_headers: 100,
            max_connections: None,
            body_limit: None,
            max_streams: 128,
            min_body_rate: 240,
            min_body_rate_window: Duration::from_secs(60),
            read_ahead: 4 << 20,
        }
    }
}
