//! TLS origination: the client's side, towards endpoints.
//!
//! In: an upstream's `tls` table; later a stream. Out: a configuration for rustls; an encrypted
//! stream, or an error by RFC 9209. Never: trusts an endpoint that does not verify, unless
//! `verify = false` says so.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use weir_core::config::UpstreamTls;
use weir_core::error::{Error as ExchangeError, Kind, Side};

use super::authorities::{Authorities, Trust};
use super::verifier::Verifier;
use super::{Error, dangerous, provider};

/// Endpoints whose sessions are kept for resumption.
const SESSIONS: usize = 1024;

/// How an upstream's endpoints are spoken to.
#[derive(Debug, Clone)]
pub struct Origination {
    pub config: Arc<ClientConfig>,
    trust: Trust,
}

impl Origination {
    /// Builds the configuration of an upstream. `alpn` is offered in this order. Where `before`
    /// trusts the same and offers the same it is taken over, its sessions included.
    ///
    /// # Errors
    ///
    /// The CA file's problem, or a system without any certificate authority.
    pub fn new(
        tls: &UpstreamTls,
        alpn: &[&[u8]],
        system: &Authorities,
        before: Option<&Origination>,
    ) -> Result<Origination, Error> {
        let trust = match &tls.ca {
            _ if !tls.verify => Trust::Anybody,
            Some(file) => system.of(file)?,
            None => system.trust()?,
        };
        match before {
            Some(before) if before.trust == trust && before.config.alpn_protocols == alpn => {
                Ok(before.clone())
            }
            _ => Ok(Origination { config: client_config(&trust, alpn, tls.ca.as_deref())?, trust }),
        }
    }
}

fn client_config(
    trust: &Trust,
    alpn: &[&[u8]],
    file: Option<&Path>,
) -> Result<Arc<ClientConfig>, Error> {
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Anybody => Arc::new(dangerous::AcceptAnyCertificate::new(provider())),
        Trust::Authorities { certificates, named } => {
            let builder = WebPkiServerVerifier::builder_with_provider(
                roots_of(certificates, file)?.into(),
                provider(),
            );
            let by_authorities = builder.build().map_err(|error| {
                Error::new(error.to_string(), "see whether `tls.ca` holds certificates")
            })?;
            let named = if *named { certificates.clone() } else { Arc::default() };
            Arc::new(Verifier::new(by_authorities, named))
        }
    };
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(error.to_string(), "this build of Weir cannot speak TLS"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
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
    TlsConnector::from(config).connect(name, stream).await.map_err(failure)
}

/// What a handshake that failed is to an exchange.
fn failure(error: io::Error) -> ExchangeError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let kind = match cause {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Kind::TlsCertificateError
        }
        Some(_) => Kind::TlsProtocolError,
        None if error.kind() == io::ErrorKind::TimedOut => Kind::ConnectionTimeout,
        None => Kind::ConnectionTerminated,
    };
    // What our own verifier found says it all.
    let own = match cause {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(why))) => Some(why.clone()),
        _ => None,
    };
    let failed = ExchangeError::new(kind, Side::Upstream, "TLS handshake").unsent();
    match own {
        Some(own) => failed.caused_by(own),
        None => failed.caused_by(error),
    }
}

fn roots_of(
    certificates: &[CertificateDer<'static>],
    file: Option<&Path>,
) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(|_| {
            let what = "holds a certificate that cannot be used";
            let hint = "every block of the file must be the certificate of an authority";
            match file {
                Some(file) => Error::of(file, what, hint).at(&["ca"]),
                None => Error::new("the system's trust store holds one that cannot be used", hint),
            }
        })?;
    }
    Ok(roots)
}
