//! The response's way in: its head, and a body as long as the head says.
//!
//! In: bytes of the transport. Out: a head, then frames that share the memory they were read into.
//! Never: reads a byte before somebody wants it, which is the back-pressure; holds a large buffer
//! while the connection is idle.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http::response::Parts;
use http_body::Frame;
use tokio::io::AsyncReadExt;
use weir_core::http::framing::BodyLength;
use weir_core::http::hop::Found;

use super::Fault;
use super::chunked::{Chunked, Decoded};
use super::head::{self, Head};
use super::names::Names;
use super::transport::Transport;

/// Room for one read at first, and at most: it doubles while reads fill it.
const FIRST: usize = 8 << 10;
const MOST: usize = 256 << 10;
/// Most interim responses before the final one.
const MAX_INTERIM: u32 = 32;

/// One response on its way.
pub struct Reader {
    /// Read and not yet taken. Never is there something in both.
    ahead: Bytes,
    buffer: BytesMut,
    /// What the next read gets room for.
    room: usize,
    names: Names,
    /// How much of a head was looked at in vain.
    looked_at: usize,
    /// Interim responses so far.
    interim: u32,
    /// One of them was a 100.
    continued: bool,
    place: Place,
    /// The request was a HEAD.
    to_head: bool,
    heard: bool,
    /// The endpoint goes on with the connection after this response.
    persistent: bool,
}

enum Place {
    Head,
    /// Bytes that are still to come.
    Known(u64),
    Chunked(Chunked),
    UntilClose,
    End,
    Tunnel,
}

impl Default for Reader {
    fn default() -> Self {
        Reader {
            ahead: Bytes::new(),
            buffer: BytesMut::new(),
            room: FIRST,
            names: Names::default(),
            looked_at: 0,
            interim: 0,
            continued: false,
            place: Place::End,
            to_head: false,
            heard: false,
            persistent: true,
        }
    }
}

impl Reader {
    /// A response is expected, to a HEAD or not.
    pub fn begin(&mut self, to_head: bool) {
        (self.place, self.to_head, self.heard) = (Place::Head, to_head, false);
        (self.looked_at, self.interim, self.continued) = (0, 0, false);
    }

    /// The endpoint asked for the request's body.
    pub fn has_continued(&self) -> bool {
        self.continued
    }

    /// A byte came since the request began.
    pub fn has_heard(&self) -> bool {
        self.heard
    }

    /// The response ended cleanly, with nothing after it, and the connection may serve again.
    pub fn rest(&mut self) -> bool {
        // What is left of a large one does not show how large it was.
        if self.room > FIRST || self.buffer.capacity() > FIRST {
            self.buffer = BytesMut::new();
        }
        self.room = FIRST;
        let at_end = matches!(self.place, Place::End);
        at_end && self.persistent && self.ahead.is_empty() && self.buffer.is_empty()
    }

    /// What came after a 101.
    pub fn into_ahead(mut self) -> Bytes {
        self.take_read();
        self.ahead
    }

    /// How many bytes of the body are still to come, where that is known.
    pub fn left(&self) -> Option<u64> {
        match &self.place {
            Place::Known(left) => Some(*left),
            Place::End | Place::Tunnel => Some(0),
            Place::Chunked(chunked) if chunked.is_at_end() => Some(0),
            Place::Head | Place::Chunked(_) | Place::UntilClose => None,
        }
    }

    /// The final response's head; interim ones are passed over (RFC 9110, 15.2).
    pub fn poll_head(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(Parts, Found), Fault>> {
        loop {
            self.take_read();
            if !self.ahead.is_empty() && self.may_be_complete() {
                match head::parse(&mut self.ahead, self.to_head, &mut self.names) {
                    Err(fault) => return Poll::Ready(Err(fault)),
                    Ok(Some(head)) if is_interim(&head) => {
                        self.looked_at = 0;
                        self.interim += 1;
                        self.continued |= head.parts.status == StatusCode::CONTINUE;
                        if self.interim > MAX_INTERIM {
                            let why = format!("more than {MAX_INTERIM} interim responses");
                            return Poll::Ready(Err(Fault::Malformed(why)));
                        }
                        continue;
                    }
                    Ok(Some(head)) => return Poll::Ready(Ok(self.receive(head))),
                    Ok(None) => self.looked_at = self.ahead.len(),
                }
            }
            match ready!(self.poll_fill(transport, cx)) {
                Ok(0) => return Poll::Ready(Err(Fault::Closed)),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(Fault::Io(error))),
            }
        }
    }

    /// The body's next frame; none at its end.
    pub fn poll_frame(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, String>>> {
        loop {
            self.take_read();
            match &mut self.place {
                Place::Head | Place::Tunnel | Place::End | Place::Known(0) => {
                    self.place = Place::End;
                    return Poll::Ready(None);
                }
                Place::Known(left) if !self.ahead.is_empty() => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(self.ahead.len());
                    *left -= here as u64;
                    if *left == 0 {
                        self.place = Place::End;
                    }
                    return Poll::Ready(Some(Ok(Frame::data(self.ahead.split_to(here)))));
                }
                Place::UntilClose if !self.ahead.is_empty() => {
                    let data = std::mem::take(&mut self.ahead);
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Place::Chunked(chunked) => {
                    let decoded = chunked.decode(&mut self.ahead);
                    if chunked.is_at_end() {
                        self.place = Place::End;
                    }
                    match decoded {
                        Ok(Decoded::Partial) => {}
                        Ok(Decoded::End) => return Poll::Ready(None),
                        Ok(Decoded::Data(data)) => {
                            return Poll::Ready(Some(Ok(Frame::data(data))));
                        }
                        Ok(Decoded::Trailers(trailers)) => {
                            return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                        }
                        Err(why) => {
                            self.persistent = false;
                            self.place = Place::End;
                            return Poll::Ready(Some(Err(why.to_owned())));
                        }
                    }
                }
                Place::Known(_) | Place::UntilClose => {}
            }
            match ready!(self.poll_fill(transport, cx)) {
                Ok(0) if matches!(self.place, Place::UntilClose) => self.place = Place::End,
                Ok(0) => {
                    return Poll::Ready(Some(Err("the connection was closed".to_owned())));
                }
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(error.to_string()))),
            }
        }
    }

    /// Reads once; how many bytes came, 0 at the end of the stream.
    pub fn poll_fill(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if !self.ahead.is_empty() {
            // The beginning of something whose end is not here yet.
            let mut joined = BytesMut::with_capacity(self.ahead.len() + self.room);
            joined.extend_from_slice(&self.ahead);
            self.ahead = Bytes::new();
            self.buffer = joined;
        }
        let before = self.buffer.len();
        if self.buffer.capacity() - before < self.room / 2 {
            self.buffer.reserve(self.room);
        }
        let space = self.buffer.capacity() - before;
        let count = ready!(pin!(transport.read_buf(&mut self.buffer)).poll(cx))?;
        self.heard |= count > 0;
        if count == space {
            self.room = (self.room * 2).min(MOST);
        }
        Poll::Ready(Ok(count))
    }

    fn take_read(&mut self) {
        if !self.buffer.is_empty() {
            self.ahead = self.buffer.split().freeze();
        }
    }

    /// Whether it is worth while to parse the head: once it was not complete, only after an empty
    /// line came. Heads that come byte by byte must not be parsed for each.
    fn may_be_complete(&self) -> bool {
        if self.looked_at == 0 || self.ahead.len() >= head::MAX_BYTES {
            return true;
        }
        let new = &self.ahead[self.looked_at.saturating_sub(2).min(self.ahead.len())..];
        memchr::memchr_iter(b'\n', new)
            .any(|at| matches!(&new[at + 1..], [b'\n', ..] | [b'\r', b'\n', ..]))
    }

    fn receive(&mut self, head: Head) -> (Parts, Found) {
        self.persistent = head.persistent;
        self.place = match head.length {
            BodyLength::Known(0) => Place::End,
            BodyLength::Known(length) => Place::Known(length),
            BodyLength::Chunked => Place::Chunked(Chunked::new()),
            BodyLength::UntilClose => {
                self.persistent = false;
                Place::UntilClose
            }
            BodyLength::Tunnel => Place::Tunnel,
        };
        (head.parts, head.found)
    }
}

/// 101 is the last response of its connection.
fn is_interim(head: &Head) -> bool {
    head.parts.status.is_informational() && head.parts.status != StatusCode::SWITCHING_PROTOCOLS
}
