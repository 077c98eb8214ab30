//! What an HTTP/1.1 connection goes over, and what is left of it after a 101.
//!
//! In: a TCP connection, with TLS or without. Out: bytes both ways. Never: looks at them.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;
use weir_core::turn;

use crate::net::Stream;

/// The way to an endpoint.
pub enum Transport {
    Plain(Stream),
    Tls(Box<TlsStream<Stream>>),
}

/// A connection that speaks another protocol from now on.
pub struct Tunnel {
    /// What came together with the 101.
    ahead: Bytes,
    transport: Transport,
}

impl Transport {
    /// Whether a read could give anything but "not yet". Of TLS only a read knows.
    pub fn may_read(&self) -> bool {
        match self {
            Transport::Plain(stream) => stream.is_readable(),
            Transport::Tls(_) => true,
        }
    }

    /// Whether a write that failed wrote nothing.
    pub fn is_plain(&self) -> bool {
        matches!(self, Transport::Plain(_))
    }
}

/// The end is said aloud (RFC 9112, 9.8), as far as that needs no waiting.
impl Drop for Transport {
    fn drop(&mut self) {
        if let Transport::Tls(stream) = self {
            let mut cx = Context::from_waker(Waker::noop());
            let _ = turn::unmeasured(|| Pin::new(stream).poll_shutdown(&mut cx));
        }
    }
}

impl Tunnel {
    pub(super) fn new(transport: Transport, ahead: Bytes) -> Tunnel {
        Tunnel { ahead, transport }
    }
}

impl AsyncRead for Transport {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Transport {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            return Pin::new(&mut this.transport).poll_read(cx, buf);
        }
        let length = this.ahead.len().min(buf.remaining());
        buf.put_slice(&this.ahead[..length]);
        this.ahead.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().transport).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().transport).poll_shutdown(cx)
    }
}
