//! Who is at the other end of a connection.
//!
//! In: facts of the accepted socket, its TLS handshake, and what a trusted proxy said.
//! Out: a [`Client`], shared by every exchange of the connection. Never: changes after it was made.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::client::ClientKey;

/// The peer of an exchange, after PROXY protocol and trusted `Forwarded` processing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    /// IPv4 or IPv6 address, canonical text, no brackets; empty for a Unix socket.
    pub address: String,
    /// By whom what one client may have is counted.
    pub key: ClientKey,
    /// 0 for a Unix socket.
    pub port: u16,
    /// The client spoke TLS (to us, or to a trusted proxy that says so).
    pub https: bool,
    /// Facts of the TLS connection that Weir terminated.
    pub tls: Option<Tls>,
}

/// Facts of a terminated TLS connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.2` or `TLSv1.3`.
    pub version: &'static str,
    /// IANA name of the cipher suite.
    pub cipher: String,
    /// Lower-case SNI name.
    pub server_name: Option<Arc<str>>,
}

impl Client {
    /// The peer of a plain or TLS connection; `None` is a Unix socket. An IPv4-mapped IPv6
    /// address is written as IPv4.
    pub fn new(peer: Option<SocketAddr>, tls: Option<Tls>) -> Self {
        Client {
            address: peer.map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default(),
            key: ClientKey::of_peer(peer),
            port: peer.map_or(0, |peer| peer.port()),
            https: tls.is_some(),
            tls,
        }
    }
}
