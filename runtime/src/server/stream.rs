//! The bytes of an HTTP/1.1 connection, looked at before hyper sees them.
//!
//! In: a plain or TLS stream. Out: the same bytes, as long as the framing is strict; at the first
//! violation the client gets its answer and the connection ends. Never: changes a byte that passes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::Kind;
use crate::http::framing::{FramingGuard, Violation};
use crate::net::Activity;
use crate::telemetry::metrics::Metrics;

/// What hyper reads from and writes to.
pub struct Served<S> {
    stream: S,
    /// What was read to find out the protocol.
    ahead: Bytes,
    /// HTTP/1.1 only.
    guard: Option<FramingGuard>,
    activity: Arc<Activity>,
    metrics: Arc<Metrics>,
    refused: Option<Refused>,
    /// hyper wrote, and has not flushed since.
    unflushed: bool,
    /// Whoever waits to write a refusal, until hyper has flushed.
    waiting: Option<Waker>,
}

/// A violation on its way to being answered.
struct Refused {
    /// Empty where it broke a body: the answer to its request tells, if that is not out yet.
    answer: Bytes,
    /// hyper was given bytes that are no chunk.
    poisoned: bool,
    /// The requests before it, each of which is answered first.
    owed: u32,
}

/// No chunk, and no end of one, begins like this: hyper ends the body with an error.
const POISON: &[u8] = b"\0\r\n\r\n";

impl<S> Served<S> {
    pub fn new(
        stream: S,
        ahead: Bytes,
        guard: Option<FramingGuard>,
        activity: Arc<Activity>,
        metrics: Arc<Metrics>,
    ) -> Served<S> {
        Served {
            stream,
            ahead,
            guard,
            activity,
            metrics,
            refused: None,
            unflushed: false,
            waiting: None,
        }
    }

    /// Takes back what must not pass.
    fn inspect(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let Some(guard) = &mut self.guard else { return };
        if self.activity.is_tunnel() {
            guard.release();
        }
        let Some(fresh) = buffer.filled().get(before..) else { return };
        if let Err(refusal) = guard.inspect(fresh) {
            tracing::debug!(violation = refusal.violation.as_str(), "request refused");
            self.metrics.error(Kind::HttpRequestError);
            buffer.set_filled(before + refusal.clean);
            // Whatever the client goes on sending must not destroy its answer.
            self.activity.expect_more();
            let answer = match guard.is_in_head() {
                true => answer(refusal.violation),
                false => Bytes::new(),
            };
            self.refused = Some(Refused { answer, poisoned: false, owed: guard.heads() });
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Served<S> {
    /// Once a request was refused nothing more is read. Its answer is written here, behind those
    /// that hyper owes; a body that breaks makes hyper fail the request it belongs to.
    fn refuse(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(refused) = &mut self.refused else { return Poll::Ready(Ok(())) };
        // What was refused before the 101 is no byte of the new protocol either: it ends there.
        if self.activity.is_tunnel() {
            return Poll::Ready(Ok(()));
        }
        let owed = self.activity.owes(refused.owed);
        if refused.answer.is_empty() {
            if owed && !refused.poisoned && buffer.remaining() >= POISON.len() {
                refused.poisoned = true;
                buffer.put_slice(POISON);
            }
            return Poll::Ready(Ok(()));
        }
        if owed || self.unflushed {
            self.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        while refused.answer.has_remaining() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &refused.answer))?;
            refused.answer.advance(written);
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Served<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.refused.is_some() {
            return this.refuse(cx, buffer);
        }
        let before = buffer.filled().len();
        if this.ahead.has_remaining() {
            let length = this.ahead.len().min(buffer.remaining());
            buffer.put_slice(&this.ahead.split_to(length));
            if this.ahead.is_empty() {
                // An empty rest would keep the whole buffer as long as the connection lives.
                this.ahead = Bytes::new();
            }
        } else {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        }
        this.inspect(buffer, before);
        if this.refused.is_some() && buffer.filled().len() == before {
            return this.refuse(cx, buffer);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Served<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.unflushed = true;
        Pin::new(&mut this.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.unflushed = true;
        Pin::new(&mut this.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
        this.unflushed = false;
        if let Some(waiting) = this.waiting.take() {
            waiting.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// The whole answer to a head that no plugin and no route will see.
fn answer(violation: Violation) -> Bytes {
    let status = violation.status();
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Bad Request");
    let problem = serde_json::json!({
        "type": "about:blank", "title": reason, "status": status, "detail": violation.as_str(),
    })
    .to_string();
    let length = problem.len();
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\ncontent-type: application/problem+json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{problem}"
    );
    Bytes::from(text)
}
