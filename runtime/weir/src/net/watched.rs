//! A stream whose reads and writes are recorded for the sweep over slow peers.
//!
//! In: a plain or TLS stream and the [`Activity`] of its connection. Out: the same bytes, and the end
//! of reading once the connection is overdue. Never: decides when that is ([`super::Watch`] does).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use weir_core::turn;

use super::activity::Activity;
use super::heard::{Heard, OnSocket};
use super::overdue::Overdue;

/// A stream whose reads and writes are recorded. Once the connection is overdue its reads end: with
/// the stream's end, or an error.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
}

impl<S> Watched<S> {
    pub fn new(stream: S, activity: Arc<Activity>) -> Self {
        Watched { stream, activity }
    }

    pub fn inner(&self) -> &S {
        &self.stream
    }
}

impl<S: OnSocket> OnSocket for Watched<S> {
    fn heard(&self) -> Heard {
        self.inner().heard()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<S> {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(why) = this.activity.overdue() {
            return Poll::Ready(match why {
                Overdue::Idle => Ok(()),
                _ => Err(io::ErrorKind::TimedOut.into()),
            });
        }
        let before = buf.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buf);
        if read.is_pending() {
            if !turn::is_over() {
                this.activity.awaits_bytes();
            }
        } else if buf.filled().len() > before {
            this.activity.was_read();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    /// What came of a write or flush, and whether that moved something.
    #[inline]
    fn note<T>(&self, outcome: &Poll<T>, moved: impl FnOnce(&T) -> bool) {
        match outcome {
            // It is this side that has no time now.
            Poll::Pending if turn::is_over() => {}
            Poll::Pending => self.activity.awaits_room(),
            Poll::Ready(done) => self.activity.was_written(moved(done)),
        }
    }
}

fn is_some_bytes(written: &io::Result<usize>) -> bool {
    written.as_ref().is_ok_and(|count| *count > 0)
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.note(&written, is_some_bytes);
        written
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.note(&written, is_some_bytes);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        // TLS keeps records back until there is room.
        this.note(&flushed, |_| false);
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
