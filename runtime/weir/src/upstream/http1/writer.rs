//! The request's way out: its head, and a body framed as the head says.
//!
//! In: a head by reference, a body. Out: bytes on the transport, the head and the first of the body
//! in one write where both are there. Never: asks the body for more than is on its way, which is
//! the back-pressure; sends more or less than a Content-Length promised.

use std::io::{self, IoSlice, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body as _;
use tokio::io::AsyncWrite;
use weir_core::error::{Error, Side};
use weir_core::http::{Body, field_line, trailer};

use super::head;
use super::transport::Transport;
use crate::upstream::message::Outgoing;

/// Heads are rarely longer; what is needed more is freed once it is written.
const USUAL: usize = 4 << 10;

/// One request on its way. Between requests nothing is in it but room.
#[derive(Default)]
pub struct Writer {
    /// The head, and what frames `data`: both are written before it.
    before: Vec<u8>,
    data: Bytes,
    after: &'static [u8],
    /// How much of the three together is written.
    written: usize,
    body: Option<(Body, Framing)>,
    /// The body waits until the endpoint asks for it (RFC 9110, 10.1.1).
    held: bool,
    /// The endpoint answered without asking for the body: it may still wait for it.
    cut: bool,
    /// Nothing was written yet.
    untouched: bool,
    /// The transport holds back nothing.
    flushed: bool,
    failed: Option<io::Error>,
}

/// How the body's end is known (RFC 9112, 6).
#[derive(Clone, Copy)]
enum Framing {
    /// Bytes that are still to come.
    Length(u64),
    Chunked,
}

/// Why the request cannot be sent to its end.
pub enum Failed {
    /// [`Writer::take_io_error`] tells.
    Transport,
    Body(Error),
}

impl Writer {
    /// Encodes the head, and takes the body.
    pub fn begin(&mut self, outgoing: &Outgoing<'_>, body: Body) {
        self.clear();
        (self.untouched, self.flushed, self.failed) = (true, false, None);
        (self.body, self.held, self.cut) = (None, false, false);
        let length = head::encode(&mut self.before, outgoing);
        match body {
            Body::Empty => {}
            body if body.is_end_stream() => {}
            // A whole body comes with its length.
            Body::Full(data) if length == Some(data.len() as u64) => self.data = data,
            body => {
                let framing = match length {
                    Some(length) => Framing::Length(length),
                    None => {
                        self.before.extend_from_slice(b"transfer-encoding: chunked\r\n");
                        Framing::Chunked
                    }
                };
                self.body = Some((body, framing));
                self.held = outgoing.expects;
            }
        }
        self.before.extend_from_slice(b"\r\n");
    }

    /// The body waits to be asked for.
    pub fn is_held(&self) -> bool {
        self.held
    }

    /// The endpoint asks for the body, or was given time enough to.
    pub fn release(&mut self) {
        self.held = false;
    }

    /// The endpoint has answered. A body that it did not ask for is not sent.
    pub fn answered(&mut self) {
        if self.held {
            (self.body, self.held, self.cut) = (None, false, true);
        }
    }

    /// The endpoint did not get a body that was announced to it.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Everything is out.
    pub fn is_done(&self) -> bool {
        self.body.is_none() && self.left() == 0 && self.flushed
    }

    /// Nothing was written yet, and nothing of the body read.
    pub fn is_untouched(&self) -> bool {
        self.untouched
    }

    /// The body that is being sent, or was going to be.
    pub fn take_body(&mut self) -> Option<Body> {
        self.body.take().map(|(body, _)| body)
    }

    /// Why the transport took no more.
    pub fn take_io_error(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    /// Ready when everything is out, or nothing more can be.
    pub fn poll(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Failed>> {
        if self.failed.is_some() {
            return Poll::Ready(Err(Failed::Transport));
        }
        loop {
            let more = match self.poll_body(cx) {
                Poll::Ready(Ok(())) => Poll::Ready(()),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Failed::Body(error))),
                Poll::Pending => Poll::Pending,
            };
            let moved = if self.left() > 0 {
                self.poll_write(transport, cx)
            } else if self.flushed {
                return more.map(Ok);
            } else {
                let flushed = Pin::new(&mut *transport).poll_flush(cx);
                self.flushed = matches!(flushed, Poll::Ready(Ok(())));
                flushed
            };
            if let Err(error) = ready!(moved) {
                self.failed = Some(error);
                // Nobody will read it any more, but who sends it on another connection.
                self.body.take_if(|_| !self.untouched);
                return Poll::Ready(Err(Failed::Transport));
            }
        }
    }

    /// Makes room for what comes next.
    fn clear(&mut self) {
        self.before.clear();
        self.before.shrink_to(USUAL);
        (self.data, self.after, self.written) = (Bytes::new(), b"", 0);
    }

    /// How much is to be written before the body is asked for more.
    fn left(&self) -> usize {
        self.before.len() + self.data.len() + self.after.len() - self.written
    }

    fn poll_write(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        // Of TLS a part may have gone although the whole call fails.
        self.untouched &= transport.is_plain();
        let transport = Pin::new(transport);
        let written = if self.data.is_empty() {
            transport.poll_write(cx, &self.before[self.written..])
        } else {
            let mut skip = self.written;
            let slices = [&self.before[..], &self.data[..], self.after].map(|slice| {
                let skipped = skip.min(slice.len());
                skip -= skipped;
                IoSlice::new(&slice[skipped..])
            });
            transport.poll_write_vectored(cx, &slices)
        };
        match ready!(written)? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            count => self.written += count,
        }
        (self.untouched, self.flushed) = (false, false);
        if self.left() == 0 {
            self.clear();
        }
        Poll::Ready(Ok(()))
    }

    /// Takes a frame of the body, unless one is on its way.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while self.data.is_empty()
            && let Some((body, framing)) = &mut self.body
        {
            if self.held {
                return Poll::Pending;
            }
            let frame = ready!(Pin::new(&mut *body).poll_frame(cx));
            self.untouched = false;
            let ends = body.is_end_stream();
            let framing = *framing;
            match frame {
                None => self.end(framing, None)?,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.take(data, framing, ends)?,
                    Err(frame) => self.end(framing, frame.trailers_ref())?,
                },
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Frames a piece of the body, the last one with what ends it.
    fn take(&mut self, data: Bytes, framing: Framing, ends: bool) -> Result<(), Error> {
        let length = data.len();
        match framing {
            Framing::Length(left) => {
                let left = left.checked_sub(length as u64).ok_or_else(|| {
                    broken("the body is longer than its Content-Length".to_owned())
                })?;
                self.data = data;
                match &mut self.body {
                    Some(_) if ends => self.end(Framing::Length(left), None)?,
                    Some((_, framing)) => *framing = Framing::Length(left),
                    None => {}
                }
            }
            Framing::Chunked if length == 0 => {
                if ends {
                    self.end(framing, None)?;
                }
            }
            Framing::Chunked => {
                // Writing to memory cannot fail.
                let _ = write!(self.before, "{length:x}\r\n");
                self.data = data;
                self.after = b"\r\n";
                if ends {
                    self.after = b"\r\n0\r\n\r\n";
                    self.body = None;
                }
            }
        }
        Ok(())
    }

    /// The body is at its end.
    fn end(&mut self, framing: Framing, trailers: Option<&HeaderMap>) -> Result<(), Error> {
        match framing {
            Framing::Length(0) => {}
            Framing::Length(left) => {
                return Err(broken(format!(
                    "the body ended {left} bytes before its Content-Length"
                )));
            }
            Framing::Chunked => {
                self.before.extend_from_slice(b"0\r\n");
                for (name, value) in trailers.into_iter().flatten() {
                    if trailer::may_pass(name) {
                        field_line::write(&mut self.before, name, value);
                    }
                }
                self.before.extend_from_slice(b"\r\n");
            }
        }
        self.body = None;
        Ok(())
    }
}

/// A body that is not what the head says of it.
fn broken(detail: String) -> Error {
    Error::new(weir_core::error::Kind::HttpRequestError, Side::Downstream, detail)
}
