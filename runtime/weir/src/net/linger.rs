//! A close that lets the last answer arrive.
//!
//! A server that answers before it has read the whole request (a 413, a refused upload) and then
//! closes makes the kernel send an RST for the bytes that still come in, and the RST may destroy
//! the answer before the client has read it (RFC 9112, 9.6). In: a stream and its [`Activity`]. Out:
//! the same stream, whose shutdown sends FIN and then reads and discards, bounded in bytes and time,
//! while the client is in the middle of a body. Never: lingers after a complete request. The time
//! is the sweep's to keep ([`super::Watch`]), so the connection's task must poll
//! [`Activity::closed`] beside it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Activity;
use super::heard::{Heard, OnSocket};

/// Most bytes that are discarded: what the socket buffers of both ends may hold, and some.
/// The time is bounded by [`super::LINGER_TIME`].
pub const LINGER_BYTES: usize = 16 << 20;

/// Stands directly on the socket, below TLS: ciphertext is discarded as well as plaintext.
#[derive(Debug)]
pub struct Linger<S> {
    stream: S,
    activity: Arc<Activity>,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    /// The client sent FIN: there is nothing to wait for.
    Ended,
    Discarding {
        left: usize,
    },
    Done,
}

impl<S> Linger<S> {
    pub fn new(stream: S, activity: Arc<Activity>) -> Self {
        Linger { stream, activity, state: State::Open }
    }

    pub fn inner(&self) -> &S {
        &self.stream
    }
}

impl<S: OnSocket> OnSocket for Linger<S> {
    fn heard(&self) -> Heard {
        self.inner().heard()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Linger<S> {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = ready!(Pin::new(&mut this.stream).poll_read(cx, buf));
        if read.is_err() || (buf.filled().len() == before && buf.remaining() > 0) {
            this.state = State::Ended;
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<S> {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.state {
                State::Open | State::Ended => {
                    ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
                    let lingers =
                        matches!(this.state, State::Open) && this.activity.has_pending_body();
                    if lingers {
                        this.activity.linger();
                        this.state = State::Discarding { left: LINGER_BYTES };
                    } else {
                        this.state = State::Done;
                    }
                }
                State::Discarding { .. } if this.activity.overdue().is_some() => {
                    this.state = State::Done;
                }
                State::Discarding { left } => {
                    let mut space = [0; 8 << 10];
                    let mut buf = ReadBuf::new(&mut space);
                    let read = ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buf));
                    let count = buf.filled().len();
                    *left = left.saturating_sub(count);
                    if read.is_err() || count == 0 || *left == 0 {
                        this.state = State::Done;
                    }
                }
                // The FIN is out; how the client ends no longer matters.
                State::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{Future, poll_fn};
    use std::pin::pin;
    use std::time::Duration;
    use weir_core::clock;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};
    use weir_core::config::Limits;

    use super::*;
    use crate::net::{Bounds, Watch};

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap());
        let (client, server) = tokio::join!(client, listener.accept());
        (client.unwrap(), server.unwrap().0)
    }

    fn activity() -> Arc<Activity> {
        let bounds = Bounds::new(&Limits::default());
        Watch::new(clock::now()).register(bounds, false)
    }

    const ANSWER: &[u8] = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n";
    const UPLOAD: usize = 4 << 20;

    /// Answers after a first read, while the client goes on to send all of its body before it
    /// looks for an answer. Gives what the client read, or why it could not.
    async fn early_answer(lingers: bool) -> io::Result<Vec<u8>> {
        let (mut client, server) = pair().await;
        let server = async move {
            let activity = activity();
            activity.begin_exchange(lingers);
            let mut server = Linger::new(server, activity);
            server.read_exact(&mut [0; 100]).await.unwrap();
            server.write_all(ANSWER).await.unwrap();
            server.shutdown().await.unwrap();
        };
        let client = async move {
            client.write_all(&vec![b'x'; UPLOAD]).await?;
            let mut answer = Vec::new();
            client.read_to_end(&mut answer).await?;
            Ok(answer)
        };
        tokio::join!(client, server).0
    }

    #[tokio::test]
    async fn an_early_answer_arrives() {
        assert_eq!(early_answer(true).await.unwrap(), ANSWER);
    }

    #[tokio::test]
    async fn without_lingering_the_upload_fails() {
        // Shows that the test above tests something.
        assert!(early_answer(false).await.is_err());
    }

    #[tokio::test]
    async fn a_complete_request_is_not_waited_for() {
        let (_client, server) = pair().await;
        let activity = activity();
        activity.begin_exchange(true);
        activity.end_body();
        let mut linger = Linger::new(server, activity);
        let mut shutdown = pin!(linger.shutdown());
        let polled = poll_fn(|cx| Poll::Ready(shutdown.as_mut().poll(cx)));
        assert!(matches!(polled.await, Poll::Ready(Ok(()))));
    }

    #[tokio::test]
    async fn lingering_is_bounded_in_time() {
        let start = clock::now();
        let watch = Watch::new(start);
        let activity = watch.register(Bounds::new(&Limits::default()), false);
        activity.begin_exchange(true);
        let (near, _far) = tokio::io::duplex(64);
        let mut linger = Linger::new(near, activity.clone());
        let mut shutdown = pin!(linger.shutdown());
        let closed = activity.closed();
        let mut closed = pin!(closed);
        for (passed, over) in [(0, false), (2_000, false), (2_500, true)] {
            watch.sweep(start + Duration::from_millis(passed));
            let polled = poll_fn(|cx| {
                let closed = closed.as_mut().poll(cx).is_ready();
                Poll::Ready((closed, shutdown.as_mut().poll(cx).is_ready()))
            });
            assert_eq!(polled.await, (over, over), "{passed}");
        }
    }

    #[tokio::test]
    async fn lingering_is_bounded_in_bytes() {
        let (near, mut far) = tokio::io::duplex(64 << 10);
        let activity = activity();
        activity.begin_exchange(true);
        let flood = async move {
            let block = vec![0; 64 << 10];
            let mut sent = 0;
            while far.write_all(&block).await.is_ok() {
                sent += block.len();
            }
            sent
        };
        let shutdown = async move {
            let mut linger = Linger::new(near, activity);
            linger.shutdown().await.unwrap();
        };
        let (sent, ()) = tokio::join!(flood, shutdown);
        assert!((LINGER_BYTES..LINGER_BYTES + (1 << 20)).contains(&sent), "{sent}");
    }
}
