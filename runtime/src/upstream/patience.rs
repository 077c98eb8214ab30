//! How long a response's head is waited for.
//!
//! In: when the request was sent, and how far its body came. Out: the answer, or how long it was
//! waited for in vain. Never: blames an endpoint that still waits for the client.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::alarm::Alarm;
use crate::http::UploadState;

/// What an exchange grants an endpoint, and what its client is granted by a pool.
pub struct Patience {
    /// When the request was sent.
    pub sent: Instant,
    /// From the last byte of the request; while its body makes progress the time starts anew, so a
    /// response may take up to twice as long after a long upload.
    pub first_byte: Duration,
    pub upload: Option<Arc<UploadState>>,
    /// Exchanges that the client has under way on its connection, this one included.
    pub crowd: u32,
}

impl Patience {
    /// The answer, or how long it was waited for in vain.
    pub(super) async fn wait<T>(
        &self,
        alarm: &mut Alarm,
        mut answer: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Duration> {
        let mut bytes = self.upload.as_ref().map_or(0, |upload| upload.bytes());
        alarm.set(self.sent + self.first_byte);
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer(cx) {
                return Poll::Ready(Ok(answer));
            }
            while alarm.poll(cx).is_ready() {
                let Some(upload) = &self.upload else {
                    return Poll::Ready(Err(self.first_byte));
                };
                // A client that owes bytes is watched by the body's own idle timeout; an endpoint
                // that takes no more of the body by this one.
                let before = std::mem::replace(&mut bytes, upload.bytes());
                if before == bytes && !upload.is_starved() {
                    return Poll::Ready(Err(self.first_byte));
                }
                alarm.set(Instant::now() + self.first_byte);
            }
            Poll::Pending
        })
        .await
    }
}
