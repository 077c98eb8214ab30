//! TLS termination: the server's side of a handshake.
//!
//! In: a listener's `tls` table; later a stream. Out: a configuration for rustls; an encrypted
//! stream and its facts. Never: forgets sessions at a reload; tickets and cache are the process's.

use std::io;
use std::sync::{Arc, OnceLock};

use rustls::server::{
    ProducesTickets, ServerConfig, ServerConnection, ServerSessionMemoryCache, StoresServerSessions,
};
use rustls::version::{TLS12, TLS13};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use weir_core::config::{ListenerTls, TlsVersion};
use weir_core::http::Tls;

use super::{CertificateFacts, CertificateStore, Error, H2, HTTP_1_0, HTTP_1_1, Pairs, provider};
use crate::net::{Heard, OnSocket};

/// Sessions kept for TLS 1.2 clients that resume by session ID; rustls's own default is 256.
const SESSIONS: usize = 16 << 10;

/// What a listener needs to terminate TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    pub config: Arc<ServerConfig>,
    /// In the order of the configuration.
    pub certificates: Vec<CertificateFacts>,
}

/// A handshake that came to its end.
#[derive(Debug)]
pub struct Accepted<S> {
    pub stream: TlsStream<S>,
    pub facts: Tls,
    /// ALPN settled on HTTP/2; else HTTP/1.1.
    pub h2: bool,
}

/// Reads the certificates and builds the configuration of a listener.
///
/// # Errors
///
/// Every problem of every file.
pub fn server_config(tls: &ListenerTls, with: &Pairs) -> Result<ServerTls, Vec<Error>> {
    let store = CertificateStore::load(&tls.certificates, with)?;
    let certificates = store.facts().to_vec();
    let versions: &[_] = match tls.min_version {
        TlsVersion::V1_2 => &[&TLS13, &TLS12],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(|error| vec![Error::new(error.to_string(), "choose another `min_version`")])?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(store));
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec(), HTTP_1_0.to_vec()];
    config.session_storage = sessions();
    if let Some(ticketer) = ticketer() {
        config.ticketer = ticketer;
    }
    Ok(ServerTls { config: Arc::new(config), certificates })
}

/// Shakes hands. The caller bounds the time.
///
/// # Errors
///
/// What the client or the network did; rustls has sent its alert. Cancel safety: a dropped call
/// drops the stream.
pub async fn accept<S>(config: Arc<ServerConfig>, stream: S) -> io::Result<Accepted<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = TlsAcceptor::from(config).accept(stream).await?;
    let (_, connection) = stream.get_ref();
    let facts = facts(connection);
    let h2 = connection.alpn_protocol() == Some(H2);
    Ok(Accepted { stream, facts, h2 })
}

impl<S: OnSocket> OnSocket for TlsStream<S> {
    fn heard(&self) -> Heard {
        self.get_ref().0.heard()
    }
}

/// The facts of a finished handshake.
pub fn facts(connection: &ServerConnection) -> Tls {
    let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
    let cipher = match suite.and_then(|suite| suite.as_str()) {
        // rustls marks TLS 1.3 suites by a prefix that IANA's names do not have.
        Some(name) => name.replacen("TLS13_", "TLS_", 1),
        None => String::new(),
    };
    Tls {
        version: match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLSv1.3",
        },
        cipher,
        server_name: connection.server_name().map(|name| name.to_ascii_lowercase().into()),
    }
}

/// One ticketer for the process: a session may be resumed after a reload, and on any worker.
/// `None` where the system has no randomness to make its keys from; sessions are cached then.
fn ticketer() -> Option<Arc<dyn ProducesTickets>> {
    static TICKETER: OnceLock<Option<Arc<dyn ProducesTickets>>> = OnceLock::new();
    let make = || rustls::crypto::aws_lc_rs::Ticketer::new().ok();
    TICKETER.get_or_init(make).clone()
}

fn sessions() -> Arc<dyn StoresServerSessions> {
    static CACHE: OnceLock<Arc<dyn StoresServerSessions>> = OnceLock::new();
    CACHE.get_or_init(|| ServerSessionMemoryCache::new(SESSIONS)).clone()
}
