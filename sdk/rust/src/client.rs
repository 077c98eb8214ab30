//! Who sent a request.
//!
//! In: nothing. Out: the peer's address, and facts of its TLS connection. Never: asks the proxy: a request does.

pub use crate::bindings::imports::weir::plugin::client::TlsConnection as Tls;

/// The peer, after PROXY protocol and trusted `Forwarded` processing.
#[derive(Debug, Clone)]
pub struct Client {
    /// An IPv4 or IPv6 address without port or brackets; empty for a Unix socket.
    pub address: String,
    /// 0 for a Unix socket or where a trusted proxy named none.
    pub port: u16,
    /// Facts of the TLS connection; absent on plaintext.
    pub tls: Option<Tls>,
}
