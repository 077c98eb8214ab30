//! What the system has heard of a peer from which nothing is read.
//!
//! In: a connected socket, below whatever stands on it. Out: whether its peer closed its side, and
//! whether it reset the connection. Never: reads a byte, or makes a call.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{Interest, Ready};

/// As of the runtime's last look at its sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// The peer sent FIN: it sends no more, or is gone.
    pub ended: bool,
    /// It is gone: it sent RST, or cannot be reached.
    pub failed: bool,
}

/// What stands on a socket.
pub trait OnSocket {
    fn heard(&self) -> Heard;
}

/// The events that the runtime knows of now; nobody is registered for more.
pub(super) fn known(ready: impl Future<Output = std::io::Result<Ready>>) -> Heard {
    match pin!(ready).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(ready)) => Heard { ended: ready.is_read_closed(), failed: ready.is_error() },
        Poll::Ready(Err(_)) | Poll::Pending => Heard::default(),
    }
}

/// What is asked of the runtime.
pub(super) const EVENTS: Interest = Interest::READABLE.add(Interest::ERROR);
