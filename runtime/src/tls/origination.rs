//! TLS origination: the client's side, towards endpoints.
//!
//! In: an upstream's `tls` table; later a stream. Out: a configuration for rustls; an encrypted
//! stream, or an error by RFC 9209. Never: trusts an endpoint that does not verify, unless
//! `verify = false` says so.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::Resumption;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Error, dangerous, pem, provider};
use crate::config::UpstreamTls;
use crate::error::{Error as ExchangeError, Kind, Side};

/// Endpoints whose sessions are kept for resumption.
const SESSIONS: usize = 1024;

/// Builds the configuration of an upstream. `alpn` is offered in this order.
///
/// # Errors
///
/// The CA file's problem, or a system without any certificate authority.
pub fn client_config(tls: &UpstreamTls, alpn: &[&[u8]]) -> Result<Arc<ClientConfig>, Error> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(error.to_string(), "this build of Weir cannot speak TLS"))?;
    let mut config = if tls.verify {
        let roots = match &tls.ca {
            Some(file) => Arc::new(roots_of(file)?),
            None => system_roots()?,
        };
        builder.with_root_certificates(roots).with_no_client_auth()
    } else {
        let verifier = Arc::new(dangerous::AcceptAnyCertificate::new(provider()));
        builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.resumption = Resumption::in_memory_sessions(SESSIONS);
    Ok(Arc::new(config))
}

/// The name to ask for and to verify: the `server_name` of the table, else the endpoint's host
/// (a DNS name, or an address without brackets).
///
/// # Errors
///
/// It is neither.
pub fn server_name(tls: &UpstreamTls, host: &str) -> Result<ServerName<'static>, Error> {
    let name = tls.server_name.as_deref().unwrap_or(host);
    ServerName::try_from(name.to_owned()).map_err(|_| {
        let what = format!("`{name}` is neither a DNS name nor an address");
        Error::new(what, "set `tls.server_name` of the upstream to the name in its certificate")
    })
}

/// Shakes hands with an endpoint. The caller bounds the time.
///
/// # Errors
///
/// `tls_certificate_error` where the endpoint's certificate is not to be trusted, else
/// `tls_protocol_error`. The request may be sent again: nothing of it was sent. Cancel safety: a
/// dropped call drops the stream.
pub async fn connect<S>(
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    stream: S,
) -> Result<TlsStream<S>, ExchangeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    TlsConnector::from(config).connect(name, stream).await.map_err(|error| failure(&error))
}

fn failure(error: &io::Error) -> ExchangeError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let kind = match cause {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Kind::TlsCertificateError
        }
        Some(_) => Kind::TlsProtocolError,
        None if error.kind() == io::ErrorKind::TimedOut => Kind::ConnectionTimeout,
        None => Kind::ConnectionTerminated,
    };
    ExchangeError::new(kind, Side::Upstream, format!("TLS handshake: {error}")).unsent()
}

fn roots_of(file: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in pem::certificates(file)? {
        roots.add(certificate).map_err(|_| {
            let hint = "every block of the file must be the certificate of an authority";
            Error::of(file, "a certificate cannot be used", hint)
        })?;
    }
    Ok(roots)
}

/// The system's authorities, read once; a failure is not remembered.
fn system_roots() -> Result<Arc<RootCertStore>, Error> {
    static ROOTS: Mutex<Option<Arc<RootCertStore>>> = Mutex::new(None);
    let mut known = ROOTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(roots) = &*known {
        return Ok(roots.clone());
    }
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of the system's certificate authorities cannot be read");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let hint = "install the system's package for them (often `ca-certificates`), or set \
             `tls.ca` of the upstream to a PEM file";
        return Err(Error::new("this system has no certificate authorities", hint));
    }
    Ok(known.insert(Arc::new(roots)).clone())
}
