use std::task::Waker;
use std::time::Duration;

use weir_core::chain::{Finishing, Pushing, Transform};

use super::*;

/// Keeps what comes, and takes its time over it.
struct Scanner(usize);

impl Transform for Scanner {
    fn push(mut self: Box<Self>, chunk: Bytes) -> Pushing {
        std::thread::sleep(Duration::from_micros(100));
        self.0 += chunk.len();
        Box::pin(async { Ok((self as Box<dyn Transform>, Bytes::new())) })
    }

    fn finish(self: Box<Self>) -> Finishing {
        Box::pin(async move { Ok(Bytes::from(self.0.to_string())) })
    }
}

/// Two hundred and fifty-six calls of a guest were one poll.
#[test]
fn what_is_here_already_is_rewritten_in_turns() {
    let length = 256 * MAX_CHUNK;
    let came = Body::Full(Bytes::from(vec![0; length]));
    let mut body = rewrite(came, vec![Box::new(Scanner(0))]);
    let mut cx = Context::from_waker(Waker::noop());
    let mut turns = 0;
    let frame = loop {
        turns += 1;
        let taken = turn::take(turn::Task::next(), || Pin::new(&mut body).poll_frame(&mut cx));
        match taken.result {
            Poll::Ready(frame) => break frame,
            Poll::Pending => assert!(taken.was_short, "it waits for nobody"),
        }
    };
    let frame = frame.expect("a frame").expect("no error");
    assert_eq!(frame.into_data().ok(), Some(Bytes::from(length.to_string())));
    assert!(turns > 16, "{turns} turns");
}

/// Waits for ever for a chunk, as one that asks somebody else.
struct Waits;

impl Transform for Waits {
    fn push(self: Box<Self>, _: Bytes) -> Pushing {
        Box::pin(std::future::pending())
    }

    fn finish(self: Box<Self>) -> Finishing {
        Box::pin(std::future::pending())
    }
}

/// These frames, and then what is told.
struct Frames(VecDeque<Bytes>, Poll<Option<Result<Frame<Bytes>, Error>>>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match self.0.pop_front() {
            Some(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            None => std::mem::replace(&mut self.1, Poll::Pending),
        }
    }
}

/// Its instance would be kept for as long as it waits, and a client that is gone wants nothing.
#[test]
fn a_transform_does_not_wait_for_who_is_gone() {
    let gone = || Error::new(Kind::ConnectionTerminated, Side::Downstream, "it is gone");
    let chunk = Bytes::from_static(b"a chunk");
    let mut cx = Context::from_waker(Waker::noop());
    for (frames, then, is_over) in [
        (1, Poll::Ready(Some(Err(gone()))), true),
        // It is there, or has said all.
        (1, Poll::Pending, false),
        (1, Poll::Ready(None), false),
        // One more is read, and no more than that.
        (2, Poll::Ready(Some(Err(gone()))), false),
    ] {
        let came = Frames(vec![chunk.clone(); frames].into(), then);
        let mut body = rewrite(Body::Stream(Box::pin(came)), vec![Box::new(Waits)]);
        for _ in 0..3 {
            let frame = Pin::new(&mut body).poll_frame(&mut cx);
            match is_over {
                true => {
                    assert!(matches!(frame, Poll::Ready(Some(Err(_)))), "{frame:?}");
                    break;
                }
                false => assert!(frame.is_pending(), "{frames}: {frame:?}"),
            }
        }
    }
}
