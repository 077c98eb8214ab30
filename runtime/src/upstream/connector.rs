//! Opens connections to endpoints.
//!
//! In: an endpoint's address and how to speak to it. Out: an HTTP connection that is ready for a
//! request; HTTP/2's driver is already running on this worker. Never: keeps a connection (the pool does) or
//! chooses an endpoint (the balancer does).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use super::http1::{Connection, Transport};
use super::resolver;
use crate::config::{Endpoint, UpstreamProtocol};
use crate::error::{Error, Kind, Result, Side};
use crate::http::{Body, LocalExecutor};
use crate::net::Stream;

/// How to reach one endpoint.
#[derive(Clone)]
pub struct Connector {
    pub endpoint: Endpoint,
    pub protocol: UpstreamProtocol,
    /// With TLS: the configuration and the name to verify.
    pub tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    /// TCP and TLS together.
    pub timeout: Duration,
}

/// An open connection.
pub enum Sender {
    Http1(Arc<Connection>),
    Http2(http2::SendRequest<Body>),
}

impl Connector {
    /// Connects within the timeout. Every failure here is before anything was sent.
    pub async fn connect(&self) -> Result<Sender> {
        match tokio::time::timeout(self.timeout, self.open()).await {
            Ok(Ok(sender)) => Ok(sender),
            Ok(Err(error)) => Err(error.unsent()),
            Err(_) => {
                let detail = format!("no connection within {:?}", self.timeout);
                Err(Error::new(Kind::ConnectionTimeout, Side::Upstream, detail).unsent())
            }
        }
    }

    async fn open(&self) -> Result<Sender> {
        let tcp = dial(&self.endpoint).await?;
        let Some((config, name)) = &self.tls else {
            return match self.protocol {
                UpstreamProtocol::Http2 => http2(tcp).await,
                UpstreamProtocol::Auto | UpstreamProtocol::Http1 => {
                    Ok(http1(Transport::Plain(tcp)))
                }
            };
        };
        let tls = tokio_rustls::TlsConnector::from(config.clone())
            .connect(name.clone(), tcp)
            .await
            .map_err(|error| tls_error(&error))?;
        let is_h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        match (self.protocol, is_h2) {
            (UpstreamProtocol::Http2, false) => Err(Error::new(
                Kind::HttpProtocolError,
                Side::Upstream,
                "the endpoint did not agree on h2 by ALPN",
            )),
            (_, true) => http2(tls).await,
            (_, false) => Ok(http1(Transport::Tls(Box::new(tls)))),
        }
    }
}

/// A TCP connection to the endpoint: to the first of its addresses that answers.
pub async fn dial(endpoint: &Endpoint) -> Result<Stream> {
    let Endpoint { host, port, .. } = endpoint;
    let stream = if let Ok(ip) = host.parse::<IpAddr>() {
        TcpStream::connect(SocketAddr::new(ip, *port)).await
    } else {
        let addresses = resolver::lookup(host, *port).await.map_err(|error| {
            Error::new(Kind::DnsError, Side::Upstream, format!("{host}: {error}"))
        })?;
        if addresses.is_empty() {
            let detail = format!("{host} has no address");
            return Err(Error::new(Kind::DnsError, Side::Upstream, detail));
        }
        TcpStream::connect(&addresses[..]).await
    };
    let stream = stream.map_err(|error| {
        let kind = match error.kind() {
            std::io::ErrorKind::ConnectionRefused => Kind::ConnectionRefused,
            std::io::ErrorKind::TimedOut => Kind::ConnectionTimeout,
            _ => Kind::DestinationUnavailable,
        };
        Error::new(kind, Side::Upstream, format!("{host}:{port}: {error}"))
    })?;
    // Small writes must not wait for acknowledgements; a failure here only costs latency.
    let _ = stream.set_nodelay(true);
    Ok(stream.into())
}

fn http1(transport: Transport) -> Sender {
    Sender::Http1(Connection::new(transport))
}

async fn http2<IO>(io: IO) -> Result<Sender>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http2::Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .handshake::<_, Body>(TokioIo::new(io))
        .await
        .map_err(|error| handshake_error(&error))?;
    tokio::task::spawn_local(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "upstream connection ended");
        }
    });
    Ok(Sender::Http2(sender))
}

fn handshake_error(error: &hyper::Error) -> Error {
    Error::new(Kind::HttpProtocolError, Side::Upstream, format!("handshake: {error}"))
}

fn tls_error(error: &std::io::Error) -> Error {
    let tls = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let kind = match tls {
        Some(rustls::Error::InvalidCertificate(_)) => Kind::TlsCertificateError,
        Some(_) => Kind::TlsProtocolError,
        None => Kind::ConnectionTerminated,
    };
    Error::new(kind, Side::Upstream, format!("TLS: {error}"))
}
