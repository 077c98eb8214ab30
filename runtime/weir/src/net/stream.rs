//! A stream of bytes, TCP or Unix, of either side.
//!
//! In: a connected socket. Out: the same bytes, by fewer and cheaper calls. Never: shared between
//! threads while it is polled; a worker's sockets and the runtime that watches them are its own.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::coop;
use weir_core::turn;

use super::heard::{EVENTS, Heard, OnSocket, known};
use super::stall::Stall;

/// Slices that hold no more than this together are copied into one and written by one plain write:
/// a small copy costs less than the kernel's handling of a vector.
const GATHER: usize = 4 << 10;

thread_local! {
    /// Where small slices are put together; never held across a poll.
    static GATHERED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Bytes to and from a peer.
#[derive(Debug)]
pub struct Stream {
    socket: Socket,
    /// Whom the runtime wakes for the next byte, where the last read found none. Connections are
    /// asked for more several times an exchange, and mostly in vain: as long as the same task asks
    /// and nothing has come, there is nothing to register anew.
    awaited_by: Option<Waker>,
    /// Where somebody wants to know whether the peer takes what is sent.
    stall: Option<Arc<Stall>>,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// No socket: nothing of the system is between both ends, so that a paused clock waits for neither.
    #[cfg(test)]
    Memory(tokio::io::DuplexStream),
}

impl Stream {
    /// The address that the client connected to; `None` for a Unix socket.
    pub fn local_address(&self) -> Option<SocketAddr> {
        match &self.socket {
            Socket::Tcp(stream) => stream.local_addr().ok(),
            Socket::Unix(_) => None,
            #[cfg(test)]
            Socket::Memory(_) => None,
        }
    }

    /// Its port.
    pub fn local_port(&self) -> Option<u16> {
        self.local_address().map(|address| address.port())
    }

    /// Whether the runtime has heard of bytes, or of the end, since the last read that found none.
    /// Asks nobody and registers nothing.
    pub fn is_readable(&self) -> bool {
        let readable = match &self.socket {
            Socket::Tcp(stream) => stream.try_io(Interest::READABLE, || Ok(())),
            Socket::Unix(stream) => stream.try_io(Interest::READABLE, || Ok(())),
            // Only a read knows.
            #[cfg(test)]
            Socket::Memory(_) => Ok(()),
        };
        readable.is_ok()
    }

    /// From now on it is told there whether the peer takes what is sent.
    pub fn notice_writes(&mut self) -> Arc<Stall> {
        self.stall.get_or_insert_default().clone()
    }

    /// A write, as a part of its task's turn.
    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            turn::moved(bytes);
        }
        if let Some(stall) = &self.stall
            && (written.is_ready() || coop::has_budget_remaining())
        {
            stall.notice(&written);
        }
        written
    }
}

impl OnSocket for Stream {
    /// Whether or not anything is read.
    fn heard(&self) -> Heard {
        match &self.socket {
            Socket::Tcp(stream) => known(stream.ready(EVENTS)),
            Socket::Unix(stream) => known(stream.ready(EVENTS)),
            #[cfg(test)]
            Socket::Memory(_) => Heard::default(),
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Stream { socket: Socket::Tcp(stream), awaited_by: None, stall: None }
    }
}

impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Stream { socket: Socket::Unix(stream), awaited_by: None, stall: None }
    }
}

#[cfg(test)]
impl From<tokio::io::DuplexStream> for Stream {
    fn from(stream: tokio::io::DuplexStream) -> Self {
        Stream { socket: Socket::Memory(stream), awaited_by: None, stall: None }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let awaited = this.awaited_by.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if awaited && !this.is_readable() {
            return Poll::Pending;
        }
        ready!(turn::poll_proceed(cx));
        let before = buf.filled().len();
        let read = match &mut this.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            #[cfg(test)]
            Socket::Memory(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        match read {
            // A task that has used up its turn gets nothing, and nobody is registered.
            Poll::Pending if !coop::has_budget_remaining() => this.awaited_by = None,
            Poll::Pending if awaited => {}
            Poll::Pending => this.awaited_by = Some(cx.waker().clone()),
            // The runtime forgets whom to wake once there was something to wake for.
            Poll::Ready(_) => this.awaited_by = None,
        }
        turn::moved(buf.filled().len() - before);
        read
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(turn::poll_proceed(cx));
        let this = self.get_mut();
        let written = match &mut this.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            #[cfg(test)]
            Socket::Memory(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        this.written(written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [one] = bufs {
            return self.poll_write(cx, one);
        }
        if bufs.iter().map(|slice| slice.len()).sum::<usize>() <= GATHER {
            return GATHERED.with_borrow_mut(|gathered| {
                gathered.clear();
                for slice in bufs {
                    gathered.extend_from_slice(slice);
                }
                self.poll_write(cx, gathered)
            });
        }
        ready!(turn::poll_proceed(cx));
        let this = self.get_mut();
        let written = match &mut this.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Socket::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            #[cfg(test)]
            Socket::Memory(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        };
        this.written(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Sockets keep nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            #[cfg(test)]
            Socket::Memory(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests;
