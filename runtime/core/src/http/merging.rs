//! Small frames of a body that are there together go on as one.
//!
//! In: a body, in the pieces in which a peer sends it. Out: the same bytes; pieces below [`SMALL`] are
//! joined while more of them are there. Never: waits for a peer; keeps more than [`MOST`] bytes;
//! takes a worker for itself.
//!
//! A frame costs far more than its bytes wherever one is kept or written: a body of one-byte chunks
//! would take a hundred times its length in what waits for a client's window, and one write each.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};

use crate::error::Error;
use crate::turn;

/// A frame of fewer bytes is joined with the next one.
const SMALL: usize = 512;
/// Below this a frame costs an HTTP/2 codec that keeps it several times its bytes.
const TINY: usize = 64;
/// Bytes of what they are joined to, and frames of it.
const MOST: usize = 16 << 10;
const MOST_FRAMES: usize = 128;
/// So many of them are as much work as a read of a socket, a step of a task's turn.
const FRAMES_OF_A_STEP: usize = 16;

/// How long more is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// What is there, and no longer.
    Nothing,
    /// Until all other tasks had a turn: whoever reads for this one may be among them.
    Turn,
}

/// Joins what comes of one body. Made large by the first small frame: most bodies have none.
#[derive(Debug, Default)]
pub struct Merging(Option<Box<Held>>);

/// What of a body was read and not given.
#[derive(Debug, Default)]
struct Held {
    first: Bytes,
    /// The first frame and others, where there are others.
    joined: BytesMut,
    frames: usize,
    /// Small frames so far, and their bytes.
    small: u64,
    bytes: u64,
    /// Others had their turn meanwhile.
    waited: bool,
    /// What came behind, and is no small frame.
    next: Option<Frame<Bytes>>,
    broken: Option<Error>,
}

type Polled = Poll<Option<Result<Frame<Bytes>, Error>>>;

impl Merging {
    /// The next frame of `body`.
    pub fn poll_frame<B>(&mut self, body: &mut B, grace: Grace, cx: &mut Context<'_>) -> Polled
    where
        B: HttpBody<Data = Bytes, Error = Error> + Unpin,
    {
        if let Some(held) = &mut self.0 {
            return held.poll_frame(body, grace, cx);
        }
        match ready!(Pin::new(&mut *body).poll_frame(cx)) {
            Some(Ok(frame)) if is_small(&frame) && !body.is_end_stream() => {
                let held = self.0.insert(Box::default());
                held.join(frame);
                held.poll_frame(body, grace, cx)
            }
            other => Poll::Ready(other),
        }
    }

    /// Whether the body comes in frames of a few bytes, as far as is known.
    pub fn is_of_tiny_frames(&self) -> bool {
        self.0.as_ref().is_some_and(|held| held.bytes < held.small * TINY as u64)
    }

    /// Nothing is left to be given.
    pub fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|held| held.is_empty())
    }
}

impl Held {
    fn poll_frame<B>(&mut self, body: &mut B, grace: Grace, cx: &mut Context<'_>) -> Polled
    where
        B: HttpBody<Data = Bytes, Error = Error> + Unpin,
    {
        if self.frames == 0 {
            if let Some(next) = self.next.take() {
                return Poll::Ready(Some(Ok(next)));
            }
            if let Some(error) = self.broken.take() {
                return Poll::Ready(Some(Err(error)));
            }
        }
        loop {
            let frame = match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) if self.frames > 0 => {
                    self.broken = Some(error);
                    break;
                }
                Poll::Ready(None) if self.frames > 0 => break,
                Poll::Pending if self.frames > 0 => {
                    if grace == Grace::Nothing || std::mem::replace(&mut self.waited, true) {
                        break;
                    }
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                other => return other,
            };
            match is_small(&frame) {
                true => {
                    self.join(frame);
                    // Frames that are here already wait for no peer: others must get their turn.
                    if self.frames.is_multiple_of(FRAMES_OF_A_STEP) {
                        ready!(turn::poll_proceed(cx));
                    }
                }
                false if self.frames == 0 => return Poll::Ready(Some(Ok(frame))),
                false => {
                    self.next = Some(frame);
                    break;
                }
            }
            if body.is_end_stream() || self.frames >= MOST_FRAMES || self.joined.len() >= MOST {
                break;
            }
        }
        Poll::Ready(Some(Ok(self.take())))
    }

    fn is_empty(&self) -> bool {
        self.frames == 0 && self.next.is_none() && self.broken.is_none()
    }

    fn join(&mut self, frame: Frame<Bytes>) {
        let Ok(data) = frame.into_data() else { return };
        self.frames += 1;
        self.small += 1;
        self.bytes += data.len() as u64;
        self.waited = false;
        if self.frames == 1 {
            self.first = data;
            return;
        }
        self.joined.extend_from_slice(&std::mem::take(&mut self.first));
        self.joined.extend_from_slice(&data);
    }

    fn take(&mut self) -> Frame<Bytes> {
        (self.frames, self.waited) = (0, false);
        match self.joined.is_empty() {
            true => Frame::data(std::mem::take(&mut self.first)),
            false => Frame::data(std::mem::take(&mut self.joined).freeze()),
        }
    }
}

fn is_small(frame: &Frame<Bytes>) -> bool {
    frame.data_ref().is_some_and(|data| data.len() < SMALL)
}

#[cfg(test)]
mod tests;
