//! Switching protocols: after a 101 both streams are joined.
//!
//! In: the response's head, the client's stream, which hyper will hand over, and the endpoint's. Out: the 101, and a
//! [`tunnel`] that lives until both sides ended it. Never: reads a byte of the new protocol before the
//! 101; survives reloads, since it needs nothing of the snapshot but its completion.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Response;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use weir_core::error::{Error, Kind, Side};
use weir_core::http::Body;
use weir_core::turns;

use super::completion::Completion;
use super::download::ResponseBody;
use super::tunnel;
use crate::upstream::Lease;

/// The client's side of a tunnel. However it ends, what went through was counted.
struct Counted<S> {
    stream: S,
    completion: Box<Completion>,
    /// It is this side that failed, where one did.
    broke: bool,
}

/// Sends the 101 and joins the streams.
pub fn switch(
    parts: http::response::Parts,
    client: OnUpgrade,
    mut completion: Box<Completion>,
) -> Response<ResponseBody> {
    completion.connection.activity.tunnel();
    let taken = completion.lease.take().and_then(Lease::into_tunnel);
    turns::spawn(completion.connection.line, async move {
        let failed = |detail: &str| Error::new(Kind::HttpUpgradeFailed, Side::Upstream, detail);
        let Some((place, mut upstream)) = taken else {
            return completion.failed(&failed("the request's body was still on its way"));
        };
        let stream = match client.await {
            Ok(stream) => TokioIo::new(stream),
            Err(error) => {
                return completion.failed(&failed("the client's connection").caused_by(error));
            }
        };
        let mut client = Counted { stream, completion, broke: false };
        let patience = client.completion.connection.activity.body_timeout();
        let closing = |state: &_| place.may_give_way(state);
        match tunnel::join(&mut client, &mut upstream, patience, closing).await {
            Ok(end) => {
                tracing::debug!(request = %client.completion.facts.id, ?end, "the tunnel is over");
                client.completion.facts.complete = true;
            }
            Err(error) => {
                // It was switched: what ended is the connection (RFC 9209, 2.3.9).
                let (side, name) = match client.broke {
                    true => (Side::Downstream, "client"),
                    false => (Side::Upstream, "endpoint"),
                };
                let detail = format!("the {name} ended the tunnel");
                let ended = Error::new(Kind::ConnectionTerminated, side, detail);
                client.completion.failed(&ended.caused_by(error));
            }
        }
    });
    Response::from_parts(parts, ResponseBody::bare(Body::Empty))
}

impl<S> Counted<S> {
    fn received(&mut self, bytes: usize) {
        self.completion.upload.get_or_insert_default().add(bytes as u64);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, buffer);
        this.received(buffer.filled().len().saturating_sub(before));
        this.broke |= matches!(read, Poll::Ready(Err(_)));
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write(cx, bytes);
        match written {
            Poll::Ready(Ok(count)) => this.completion.facts.response_bytes += count as u64,
            Poll::Ready(Err(_)) => this.broke = true,
            Poll::Pending => {}
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.broke |= matches!(flushed, Poll::Ready(Err(_)));
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.broke |= matches!(shut, Poll::Ready(Err(_)));
        shut
    }
}
