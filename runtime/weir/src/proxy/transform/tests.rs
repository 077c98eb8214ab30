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
