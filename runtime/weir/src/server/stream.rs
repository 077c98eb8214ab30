//! The bytes of a connection, looked at before hyper sees them.
//!
//! In: a plain or TLS stream. Out: the same bytes, heads only as a whole, as long as the framing is
//! strict. In the place of a head that is refused, or that does not come to its end in time, hyper
//! gets a stand-in, to be answered in its place; a target that no parser behind us takes as it is, is
//! spelled well. A client that closes its side behind its requests gets its answers: hyper learns of
//! the end once they are out, and whether it still listens is [asked](asking). What comes behind a
//! request for another protocol is held until that is answered. On HTTP/2 a target with a
//! fragment becomes one that hyper refuses. Never: changes another byte; reads on after a refusal.

mod asking;
mod guarded;
mod half_closed;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use weir_core::clock;
use weir_core::error::{Error, Kind};
use weir_core::http::framing::{Frames, FramingGuard};
use weir_core::telemetry::metrics::Metrics;

use crate::net::{Activity, OnSocket, Overdue};
use crate::proxy::Refusal;
use asking::Asking;
use guarded::{End, Guarded};
use half_closed::HalfClosed;

/// What hyper reads from and writes to.
pub struct Served<S> {
    stream: S,
    /// What was read to find out the protocol.
    ahead: Bytes,
    /// HTTP/1.1 only.
    guarded: Option<Guarded>,
    /// HTTP/2 only.
    frames: Frames,
    activity: Arc<Activity>,
    /// Where requests are counted that break off for what is no body.
    metrics: Option<Arc<Metrics>>,
    /// The client closed its side behind whole requests of which one had no answer yet.
    half_closed: Option<HalfClosed>,
    /// Whether it still listens.
    asking: Option<Box<Asking>>,
    /// Of a half-closed connection of HTTP/2: turns that it had without an exchange.
    settled: u8,
    /// hyper wrote, and has not flushed since.
    unflushed: bool,
    /// Something was written since the end was last looked at.
    wrote: bool,
    /// Whoever waits to read a stand-in, or the end.
    waiting: Option<Waiting>,
}

/// A reader to be woken once something went out, or another exchange is over.
struct Waiting {
    reader: Waker,
    /// Exchanges that were over when it began.
    ended: u32,
}

/// Turns of a connection in which a request that came with the client's end is served, or the end of
/// an answer is written.
const SETTLING: u8 = 2;

/// What hyper says for a body that is expected; the answer is yet to come.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// No chunk, and no end of one, begins like this: hyper ends the body with an error.
const POISON: &[u8] = b"\0\r\n\r\n";

impl<S> Served<S> {
    pub fn new(stream: S, ahead: Bytes, activity: Arc<Activity>) -> Served<S> {
        Served {
            stream,
            ahead,
            guarded: None,
            frames: Frames::default(),
            activity,
            metrics: None,
            half_closed: None,
            asking: None,
            settled: 0,
            unflushed: false,
            wrote: false,
            waiting: None,
        }
    }

    /// The same, counted.
    pub fn counted(self, metrics: Arc<Metrics>) -> Served<S> {
        Served { metrics: Some(metrics), ..self }
    }

    /// The same, of HTTP/1.1. `refusal`: where whoever answers looks for what was refused.
    pub fn guarded(self, guard: FramingGuard, refusal: Arc<Refusal>) -> Served<S> {
        Served { guarded: Some(Guarded::new(guard, refusal)), ..self }
    }
}

impl<S: AsyncRead + AsyncWrite + OnSocket + Unpin> Served<S> {
    /// Once something was refused nothing more is read. What was refused before a 101 is no byte of
    /// the new protocol either: it ends there.
    fn end(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(Guarded { guard, end: Some(end), .. }) = &mut self.guarded else {
            return Poll::Ready(Ok(()));
        };
        if self.activity.is_tunnel() {
            return Poll::Ready(Ok(()));
        }
        match end {
            End::Head { stand_in, blank } if !stand_in.is_empty() => {
                // Its answer comes behind those that hyper owes.
                if self.activity.owes(guard.heads()) || self.unflushed {
                    self.waiting = Some(self.until_something_goes_out(cx));
                    return Poll::Pending;
                }
                // Nothing but a line's end came behind them, and nothing more will.
                if *blank && self.stream.heard().ended {
                    return Poll::Ready(Ok(()));
                }
                let (now, later) = stand_in.split_at(stand_in.len().min(buffer.remaining()));
                buffer.put_slice(now);
                *stand_in = later;
                Poll::Ready(Ok(()))
            }
            // hyper closes once the answer is out.
            End::Head { .. } => Poll::Pending,
            End::Body { poisoned } => {
                let owed = self.activity.owes(guard.heads());
                if owed && !*poisoned && buffer.remaining() >= POISON.len() {
                    *poisoned = true;
                    buffer.put_slice(POISON);
                }
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Reads what was read ahead, else the stream.
    fn read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.ahead.has_remaining() {
            return Pin::new(&mut self.stream).poll_read(cx, buffer);
        }
        let length = self.ahead.len().min(buffer.remaining());
        buffer.put_slice(&self.ahead.split_to(length));
        if self.ahead.is_empty() {
            // An empty rest would keep the whole buffer as long as the connection lives.
            self.ahead = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S> Served<S> {
    fn until_something_goes_out(&self, cx: &Context<'_>) -> Waiting {
        Waiting { reader: cx.waker().clone(), ended: self.activity.ended() }
    }

    /// Whether the stream's end is one behind a whole request whose answer is not all out. What else
    /// began to come behind it will not come to its end.
    fn ends_behind_a_request(&self) -> bool {
        let Some(Guarded { guard, .. }) = &self.guarded else {
            return self.frames.are_whole() || self.activity.has_whole_streams() || self.unflushed;
        };
        let owes = self.activity.owes(guard.whole()) || self.unflushed;
        !self.activity.is_tunnel() && owes
    }

    /// The end, once every request is answered, or none of it in time.
    fn answered(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let owes = match &self.guarded {
            Some(guarded) => self.activity.owes(guarded.guard.whole()),
            None => !self.settle(cx),
        };
        // A tunnel hears of it at once: what the other side still sends is passed on there.
        let unanswered = match &self.guarded {
            Some(_) => self.activity.is_unanswered(),
            None => self.activity.has_unanswered_streams(),
        };
        let goes_on = std::mem::take(&mut self.wrote) || self.unflushed;
        let (activity, may_ask) = (&self.activity, self.guarded.is_none());
        let late = self.half_closed.as_mut().is_some_and(|it| match unanswered {
            true => it.is_late(activity.is_delaying(), cx),
            false => owes && !may_ask && it.stands_still(goes_on, cx),
        });
        if self.activity.overdue().is_none()
            && !self.activity.is_tunnel()
            && !late
            && (owes || self.unflushed)
        {
            self.waiting = Some(self.until_something_goes_out(cx));
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Whether all streams are over and what there is to say was written. The codec reads before it
    /// serves or writes: what has come only now has its turns first.
    fn settle(&mut self, cx: &mut Context<'_>) -> bool {
        if self.activity.exchanges() > 0 {
            self.settled = 0;
            return false;
        }
        self.settled += 1;
        if self.settled <= SETTLING {
            cx.waker().wake_by_ref();
            return false;
        }
        self.settled = SETTLING;
        true
    }
}

impl<S: AsyncWrite + OnSocket + Unpin> Served<S> {
    /// Nothing is read, and all that was written is out: looks whether the client is there, and asks
    /// it where it closed its side.
    fn attend(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let heard = self.stream.heard();
        if heard.failed {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.half_closed.is_none() && !heard.ended {
            return Ok(());
        }
        self.activity.half_close();
        let wanted = self.activity.take_doubt();
        let multiplexed = self.guarded.is_none();
        let may_ask = multiplexed || self.activity.is_unanswered();
        if !may_ask || self.activity.exchanges() == 0 || self.activity.is_tunnel() {
            return Ok(());
        }
        let now = clock::now();
        let asking = self.asking.get_or_insert_with(|| Box::new(Asking::new(multiplexed, now)));
        if let Some(question) = asking.question(now, wanted)
            && let Poll::Ready(written) = Pin::new(&mut self.stream).poll_write(cx, question)
        {
            asking.asked(question, written?, now);
            if !multiplexed {
                self.activity.expect_answer();
            }
        }
        Ok(())
    }
}

impl<S: AsyncRead + AsyncWrite + OnSocket + Unpin> AsyncRead for Served<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.half_closed.is_some() {
            return this.answered(cx);
        }
        loop {
            if let Some(guarded) = &mut this.guarded {
                if guarded.passed.has_remaining() {
                    let length = guarded.passed.len().min(buffer.remaining());
                    buffer.put_slice(&guarded.passed.split_to(length));
                    if guarded.passed.is_empty() {
                        guarded.passed = Bytes::new();
                    }
                    return Poll::Ready(Ok(()));
                }
                if guarded.end.is_some() {
                    return this.end(cx, buffer);
                }
            }
            if let Some(guarded) = &mut this.guarded
                && !guarded.behind.is_empty()
            {
                let switched = this.activity.is_tunnel();
                let answered = !this.activity.owes(guarded.guard.heads()) && !this.unflushed;
                if !switched && !answered && this.activity.overdue().is_none() {
                    this.waiting = Some(this.until_something_goes_out(cx));
                    return Poll::Pending;
                }
                guarded.go_on(switched);
                this.activity.begin_head(guarded.holds_head());
                continue;
            }
            let before = buffer.filled().len();
            let read = ready!(this.read(cx, buffer));
            if read.is_ok() && buffer.filled().len() == before && this.ends_behind_a_request() {
                this.half_closed = Some(HalfClosed::new(this.activity.bounds().answer()));
                this.activity.half_close();
                return this.answered(cx);
            }
            let Some(guarded) = &mut this.guarded else {
                if let Some(fresh) = buffer.filled_mut().get_mut(before..) {
                    this.frames.inspect(fresh);
                }
                return Poll::Ready(read);
            };
            if read.is_err() && this.activity.overdue() == Some(Overdue::Head) {
                guarded.refuse(Error::request(408, "the request's head did not come to its end"));
                continue;
            }
            if read.is_err() || buffer.filled().len() == before {
                return Poll::Ready(read);
            }
            if this.activity.is_tunnel() {
                guarded.guard.release();
            }
            guarded.guard.bound(this.activity.bounds().head());
            guarded.inspect(buffer, before);
            this.activity.begin_head(guarded.holds_head());
            if let Some(End::Body { .. }) = guarded.end {
                // Whatever the client goes on sending must not destroy its answer.
                this.activity.expect_more();
                if let Some(metrics) = &this.metrics
                    && !this.activity.owes(guarded.guard.heads())
                {
                    metrics.error(Kind::HttpRequestError);
                }
            }
            if buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + OnSocket + Unpin> AsyncWrite for Served<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        (this.unflushed, this.wrote) = (true, true);
        let stream = &mut this.stream;
        let written = match &mut this.asking {
            None => Pin::new(stream).poll_write(cx, bytes),
            Some(asking) => {
                asking.write(bytes, |bytes| Pin::new(&mut *stream).poll_write(cx, bytes))
            }
        };
        if bytes == CONTINUE {
            this.activity.expect_answer();
        }
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let first = slices.iter().find(|slice| !slice.is_empty());
        if this.asking.is_some() || first.is_some_and(|first| **first == *CONTINUE) {
            return Pin::new(this).poll_write(cx, first.map_or(&[], |slice| &**slice));
        }
        (this.unflushed, this.wrote) = (true, true);
        Pin::new(&mut this.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.unflushed && this.activity.is_attended_to() {
            this.attend(cx)?;
        }
        ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
        let went_out = std::mem::take(&mut this.unflushed);
        this.activity.flushed();
        // The codec flushes whenever it is polled: waking it for nothing would never end.
        let ended = this.activity.ended();
        if let Some(waiting) = this.waiting.take_if(|it| went_out || it.ended != ended) {
            waiting.reader.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
