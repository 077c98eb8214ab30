//! Opens connections to endpoints.
//!
//! In: an endpoint's address and how to speak to it. Out: an HTTP connection that is ready for a
//! request; HTTP/2's driver is already running on this worker. Never: keeps a connection (the pool does) or
//! chooses an endpoint (the balancer does).

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use weir_core::config::{Endpoint, UpstreamProtocol};
use weir_core::error::{Error, Kind, Result, Side};

use super::dial::Dial;
use super::executor::{Executor, Sent};
use super::http1::{Codec, Transport};
use super::http2::MAX_HEADER_LIST;
use super::streams::{STREAMS_PER_CONNECTION, StreamLimit};
use crate::net::Stall;

/// How to reach one endpoint.
#[derive(Clone)]
pub struct Connector {
    pub endpoint: Endpoint,
    pub protocol: UpstreamProtocol,
    /// With TLS: the configuration and the name to verify.
    pub tls: Option<(Arc<rustls::ClientConfig>, ServerName<'static>)>,
    /// Makes the connection that the rest goes over.
    pub dial: Arc<dyn Dial>,
    /// TCP and TLS together.
    pub timeout: Duration,
}

/// An open connection.
pub enum Sender {
    Http1(Arc<Codec>),
    Http2(http2::SendRequest<Sent>, Executor, Arc<Stall>),
}

/// What the endpoint may send of one response before it is read. Streams that nobody reads must not
/// use up what the connection grants to the others, so that grants this for each of its streams.
const STREAM_WINDOW: u32 = 256 << 10;
/// What a connection grants. The codec ends a connection, with all its streams, whose small DATA
/// frames wait to be read, by what they cost beyond their bytes: up to 255 bytes each, and half of this
/// together. So all streams may wait full of frames of 45 bytes, or one of frames of one; whose client
/// lets it wait with smaller ones is cut before there are as many (see `proxy::stalled`).
const CONNECTION_WINDOW: u32 = 256 << 20;
const _: () =
    assert!(CONNECTION_WINDOW as usize >= STREAM_WINDOW as usize * STREAMS_PER_CONNECTION);
/// Bytes of a request that wait for an endpoint's windows, at most.
const SEND_BUFFER: usize = 64 << 10;

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

    /// Several requests may be on a connection at once, as far as is known without one.
    pub fn may_share(&self) -> bool {
        match self.protocol {
            UpstreamProtocol::Http2 => true,
            UpstreamProtocol::Auto => self.tls.is_some(),
            UpstreamProtocol::Http1 => false,
        }
    }

    async fn open(&self) -> Result<Sender> {
        let mut tcp = self.dial.dial(&self.endpoint).await?;
        let Some((config, name)) = &self.tls else {
            return match self.protocol {
                UpstreamProtocol::Http2 => {
                    let stall = tcp.notice_writes();
                    http2(tcp, stall).await
                }
                UpstreamProtocol::Auto | UpstreamProtocol::Http1 => {
                    Ok(http1(Transport::Plain(tcp)))
                }
            };
        };
        let mut tls = crate::tls::connect(config.clone(), name.clone(), tcp).await?;
        let is_h2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        match (self.protocol, is_h2) {
            (UpstreamProtocol::Http2, false) => Err(Error::new(
                Kind::HttpProtocolError,
                Side::Upstream,
                "the endpoint did not agree on h2 by ALPN",
            )),
            (_, true) => {
                let stall = tls.get_mut().0.notice_writes();
                http2(tls, stall).await
            }
            (_, false) => Ok(http1(Transport::Tls(Box::new(tls)))),
        }
    }
}

fn http1(transport: Transport) -> Sender {
    Sender::Http1(Codec::new(transport))
}

/// HTTP/2 is ready when the endpoint's SETTINGS are there (RFC 9113, 3.4), and let a stream open.
async fn http2<IO>(io: IO, stall: Arc<Stall>) -> Result<Sender>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limit = Rc::<StreamLimit>::default();
    let executor = Executor::new(limit.clone());
    let (sender, connection) = http2::Builder::new(executor.clone())
        .timer(TokioTimer::new())
        .initial_max_send_streams(0)
        .max_header_list_size(MAX_HEADER_LIST)
        .initial_stream_window_size(STREAM_WINDOW)
        // A frame costs more than its bytes, and a client may send a byte at a time.
        .max_send_buf_size(SEND_BUFFER)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .handshake::<_, Sent>(TokioIo::new(io))
        .await
        .map_err(handshake_error)?;
    let connection = Rc::new(RefCell::new(connection));
    let (driven, asked, begins) = (limit.clone(), connection.clone(), executor.clone());
    limit.follow(move || Some(asked.try_borrow().ok()?.current_max_send_streams()));
    tokio::task::spawn_local(async move {
        let poll = |cx: &mut Context<'_>| Pin::new(&mut *connection.borrow_mut()).poll(cx);
        let ended = poll_fn(|cx| begins.begins(|| poll(cx))).await;
        if let Err(error) = ended {
            tracing::debug!(%error, "upstream connection ended");
        }
        driven.end();
    });
    limit.opened().await;
    if sender.is_closed() {
        let why = "the endpoint closed the connection before its SETTINGS";
        return Err(Error::new(Kind::ConnectionTerminated, Side::Upstream, why));
    }
    Ok(Sender::Http2(sender, executor, stall))
}

fn handshake_error(error: hyper::Error) -> Error {
    Error::new(Kind::HttpProtocolError, Side::Upstream, "handshake").caused_by(error)
}
