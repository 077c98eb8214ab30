//! How long a response's head is waited for.
//!
//! In: when the request was sent, and how far its body came. Out: the answer, or how long it was
//! waited for in vain. Never: blames an endpoint that still waits for the client.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time;
use weir_core::clock;
use weir_core::error::{Error, Kind, Result, Side};
use weir_core::http::UploadState;

use super::alarm::Alarm;

/// What an exchange grants an endpoint.
#[derive(Clone, Copy)]
pub struct ResponseTimeout<'a> {
    /// When the request was sent.
    pub sent: Instant,
    /// From the last byte of the request: a body on its way prolongs it.
    pub first_byte: Duration,
    /// When it is over, whatever is on its way.
    pub due: Option<Instant>,
    pub upload: Option<&'a Arc<UploadState>>,
}

impl ResponseTimeout<'_> {
    /// The answer, or how long it was waited for in vain.
    pub(super) async fn wait<T>(
        &self,
        alarm: &mut Alarm,
        mut answer: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, Duration> {
        alarm.set(self.no_later(self.sent + self.first_byte));
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer(cx) {
                return Poll::Ready(Ok(answer));
            }
            while alarm.poll(cx).is_ready() {
                match self.more_time(clock::now()) {
                    Some(due) => alarm.set(due),
                    None => return Poll::Ready(Err(self.waited())),
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Until when it is waited on, because of a body on its way.
    fn more_time(&self, now: Instant) -> Option<Instant> {
        let upload = self.upload?;
        let starved = upload.is_starved();
        if self.due.is_some_and(|due| due <= now) {
            if starved {
                let detail = "the request's body was not here within the route's timeout";
                upload.fail(&Error::request(408, detail));
            }
            return None;
        }
        // A client that owes bytes is watched by the body's own idle timeout; an endpoint that takes
        // no more of the body by this one.
        let since = if starved { now } else { upload.last().max(self.sent) };
        Some(self.no_later(since + self.first_byte)).filter(|due| *due > now)
    }

    /// A connection, as long as there is time for an answer.
    ///
    /// # Errors
    /// Those of `opened`, and a timeout.
    pub(super) async fn connect<T>(&self, opened: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(due) = self.due else { return opened.await };
        match time::timeout_at(due.into(), opened).await {
            Ok(opened) => opened,
            Err(_) => Err(self.late("there was no connection")),
        }
    }

    /// An error where the time for an answer is over, with what it was waited for.
    pub(super) fn over(&self, why: &str) -> Option<Error> {
        self.due.filter(|due| *due <= clock::now()).map(|_| self.late(why))
    }

    fn late(&self, why: &str) -> Error {
        let detail = format!("{why} within the request's timeout");
        Error::new(Kind::HttpResponseTimeout, Side::Upstream, detail).unsent()
    }

    /// No later than it is over.
    pub(super) fn no_later(&self, than: Instant) -> Instant {
        self.due.map_or(than, |due| than.min(due))
    }

    /// What a client is told of.
    fn waited(&self) -> Duration {
        let left = self.due.map(|due| due.saturating_duration_since(self.sent));
        left.map_or(self.first_byte, |left| left.min(self.first_byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Asks with what an endpoint is granted for such a request.
    fn timeout(
        sent: Instant,
        due: Option<Instant>,
        upload: &Arc<UploadState>,
    ) -> ResponseTimeout<'_> {
        ResponseTimeout { sent, first_byte: 2 * SECOND, due, upload: Some(upload) }
    }

    #[test]
    fn a_body_on_its_way_prolongs_what_the_endpoint_has_from_its_last_byte() {
        let sent = clock::now();
        let upload = Arc::<UploadState>::default();
        let more_time = |now| timeout(sent, None, &upload).more_time(now);
        // A body that was there with its head buys nothing.
        assert_eq!(more_time(sent + 3 * SECOND), None);
        upload.add(3);
        let due = upload.last() + 2 * SECOND;
        assert_eq!(more_time(sent + SECOND), Some(due));
        assert_eq!(more_time(due), None);
        // The client is waited for.
        upload.begin();
        upload.set_starved(true);
        let now = sent + 60 * SECOND;
        assert_eq!(more_time(now), Some(now + 2 * SECOND));
    }

    #[test]
    fn a_written_timeout_is_prolonged_by_nothing() {
        let upload = Arc::<UploadState>::default();
        let sent = clock::now();
        let due = Some(sent + SECOND);
        let more_time = |now| timeout(sent, due, &upload).more_time(now);
        upload.begin();
        upload.set_starved(true);
        assert_eq!(timeout(sent, due, &upload).waited(), SECOND);
        assert_eq!(more_time(sent), Some(sent + SECOND));
        assert!(upload.failure().is_none());
        assert_eq!(more_time(sent + SECOND), None);
        let why = upload.failure().expect("it is the client who is late");
        assert_eq!(why.status, Some(408));
    }
}
