//! TLS clients.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ProtocolVersion, SupportedProtocolVersion};

use crate::{Answer, Certificates};

/// `GET /` over TLS, in the protocol that ALPN settles.
///
/// # Errors
/// Where the connection, the handshake or the exchange fails, as a text.
pub fn tls_get(
    address: SocketAddr,
    config: Arc<rustls::ClientConfig>,
    name: &str,
) -> Result<Answer, String> {
    let name = ServerName::try_from(name.to_owned()).map_err(|error| error.to_string())?;
    on_a_runtime(async move {
        let stream = tokio::net::TcpStream::connect(address).await.map_err(|e| e.to_string())?;
        let connector = tokio_rustls::TlsConnector::from(config);
        let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
        let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let io = TokioIo::new(stream);
        let request = Request::get(if h2 { "https://localhost/" } else { "/" })
            .header("host", "localhost")
            .body(Empty::<Bytes>::new())
            .map_err(|error| error.to_string())?;
        let response = if h2 {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io)
                    .await
                    .map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            sender.send_request(request).await
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
                .await
                .map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            sender.send_request(request).await
        };
        let (parts, body) = response.map_err(|error| error.to_string())?.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes().to_vec();
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
    })
}

/// What a client that speaks one version only settles on with `localhost`; `None`: nothing.
pub fn tls_version(
    address: SocketAddr,
    certificates: &Certificates,
    version: &'static SupportedProtocolVersion,
) -> Option<ProtocolVersion> {
    let config = certificates.client_config_of(&[version]);
    let name = ServerName::try_from("localhost").expect("a name");
    on_a_runtime(async move {
        let stream = tokio::net::TcpStream::connect(address).await.ok()?;
        let connector = tokio_rustls::TlsConnector::from(config);
        let stream = connector.connect(name, stream).await.ok()?;
        stream.get_ref().1.protocol_version()
    })
}

fn on_a_runtime<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}
