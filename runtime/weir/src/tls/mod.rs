//! TLS: termination for clients, origination towards endpoints.
//!
//! In: PEM files and a stream. Out: configurations for rustls, encrypted streams, the facts of a
//! handshake. Never: holds a listener; a reload makes a new configuration and swaps it in, while
//! session tickets and the session cache live as long as the process.

mod authorities;
mod certificates;
mod dangerous;
mod dates;
mod error;
mod origination;
mod pairs;
mod pem;
mod termination;
#[cfg(test)]
mod tests;
mod verifier;

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};

pub use self::authorities::Authorities;
pub use self::certificates::CertificateStore;
pub use self::dates::remark;
pub use self::error::Error;
pub use self::origination::{Origination, connect, server_name};
pub use self::pairs::{CertificateFacts, Pairs};
pub use self::pem::PemFiles;
pub use self::termination::{ServerTls, accept, server_config};

/// ALPN name of HTTP/2 (RFC 9113, 3.1).
pub const H2: &[u8] = b"h2";
/// ALPN name of HTTP/1.1 (RFC 7301, 6).
pub const HTTP_1_1: &[u8] = b"http/1.1";
/// Some old clients offer nothing else (RFC 7301, 6); it is served as HTTP/1.1 is.
pub const HTTP_1_0: &[u8] = b"http/1.0";

/// The one provider of cryptography: aws-lc-rs, with X25519MLKEM768 first.
fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::OnceLock<Arc<CryptoProvider>> = std::sync::OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(aws_lc_rs::default_provider())).clone()
}
