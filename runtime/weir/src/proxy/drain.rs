//! What is left of a request's body when its answer is there (RFC 9112, 9.3).
//!
//! In: a body that nobody will read. Out: the same, at its end where that was here already, so that
//! the connection can serve on. Never: waits for a client, or invites one to send: what is still to
//! come costs the connection.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use http_body::Body as _;
use weir_core::http::Body;

/// Most bytes that are read and dropped.
const MOST: usize = 64 << 10;
/// How often the connection may hand over what it has read before nothing more counts as here.
const TURNS: usize = 4;

/// Reads and drops what is here of the body.
pub async fn drain(body: &mut Body) {
    let (mut left, mut turns) = (MOST, TURNS);
    poll_fn(|cx| {
        loop {
            match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let length = frame.data_ref().map_or(0, bytes::Bytes::len);
                    match left.checked_sub(length) {
                        Some(rest) => left = rest,
                        None => return Poll::Ready(()),
                    }
                }
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(()),
                Poll::Pending if turns == 0 => return Poll::Ready(()),
                Poll::Pending => {
                    turns -= 1;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    })
    .await;
}
