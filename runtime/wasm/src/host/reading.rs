//! Bodies that are read for a guest, as a whole.
//!
//! In: a body as it comes, a limit, and until when. Out: its bytes in one piece that the plugin's quota pays for,
//! and the body as if nobody had read it. Never: loses what was read: a body that is too large, or fails, goes on
//! as what was read followed by the rest.

mod rewound;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http_body::Body as HttpBody;
use weir_core::error::Error;
use weir_core::http::Body;
use weir_core::quota::{Held, Holding, UsedUp};

use self::rewound::Rewound;
use crate::contract::BodyError;
use crate::kept::keep;
use crate::shared::Shared;

/// The least by which a body grows while it is read.
const STEP: usize = 4 << 10;

/// A body that is being read, and paid for as it grows.
struct Growing<'a> {
    bytes: Vec<u8>,
    held: Option<Held>,
    /// As long as it can become.
    most: usize,
    shared: &'a Shared,
    client: &'a str,
}

/// Why a body is not handed over.
pub enum Unread {
    /// The guest is told.
    Told(BodyError),
    /// The guest is told of a peer's fault.
    Failed(Box<Error>),
    /// The guest is ended.
    UsedUp(UsedUp),
}

/// Reads everything, up to `limit` bytes and until `due`. Afterwards `body` yields the same bytes
/// again.
pub async fn read(
    body: &mut Body,
    limit: u64,
    due: Instant,
    late: impl Fn() -> Error,
    shared: &Shared,
    client: &str,
) -> std::result::Result<Arc<Vec<u8>>, Unread> {
    if HttpBody::size_hint(body).lower() > limit {
        return Err(BodyError::TooLarge.into());
    }
    if let Body::Full(bytes) = body {
        return Ok(Arc::new(bytes.to_vec()));
    }
    let most = HttpBody::size_hint(body).upper().map_or(limit, |upper| upper.min(limit));
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let mut growing = Growing { bytes: Vec::new(), held: None, most, shared, client };
    let (mut over, mut trailers, mut failed) = (None, None, None);
    // Made where something is waited for.
    let mut alarm = None;
    let unread = loop {
        let frame = std::future::poll_fn(|cx| {
            if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) {
                return Poll::Ready(frame);
            }
            let sleep = || Box::pin(tokio::time::sleep_until(due.into()));
            ready!(alarm.get_or_insert_with(sleep).as_mut().poll(cx));
            Poll::Ready(Some(Err(late())))
        });
        match frame.await {
            None => break None,
            Some(Err(error)) => {
                failed = Some(error.clone());
                break Some(Unread::Failed(Box::new(error)));
            }
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    if let Err(unread) = growing.add(&data, limit) {
                        over = Some(data);
                        break Some(unread);
                    }
                }
                Err(frame) => trailers = frame.into_trailers().ok(),
            },
        }
    };
    let (bytes, read) = growing.keep();
    let is_whole = unread.is_none() && trailers.is_none();
    let rest = if unread.is_none() { Body::Empty } else { std::mem::take(body) };
    *body = match read {
        Some(bytes) if is_whole => Body::full(bytes),
        None if is_whole => Body::Empty,
        read => Body::Stream(Box::pin(Rewound { read, over, trailers, failed, rest })),
    };
    unread.map_or(Ok(bytes), Err)
}

impl Growing<'_> {
    /// Copies a piece, however small, so that it does not keep what it came in.
    fn add(&mut self, data: &[u8], limit: u64) -> std::result::Result<(), Unread> {
        let length = self.bytes.len() + data.len();
        if length as u64 > limit {
            return Err(BodyError::TooLarge.into());
        }
        if length > self.bytes.capacity() {
            self.grow(length).map_err(Unread::UsedUp)?;
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Makes room for so many bytes, and for as many as are there already where that is to be had.
    fn grow(&mut self, length: usize) -> std::result::Result<(), UsedUp> {
        let now = self.bytes.capacity();
        let most = self.most.max(length);
        let wanted = length.max(now * 2).max(STEP).min(most);
        let held = self.shared.try_hold(Holding::Bodies, wanted - now, self.client);
        let (capacity, held) = match held {
            Some(held) => (wanted, held),
            None => {
                let least = most.min(length + STEP.max(now / 8));
                (least, self.shared.hold(Holding::Bodies, least - now, self.client)?)
            }
        };
        match &mut self.held {
            Some(all) => all.absorb(held),
            None => self.held = Some(held),
        }
        self.bytes.reserve_exact(capacity - self.bytes.len());
        Ok(())
    }

    /// What was read: for the guest, and to go on.
    fn keep(self) -> (Arc<Vec<u8>>, Option<Bytes>) {
        let bytes = Arc::new(self.bytes);
        let kept = self.held.map(|held| keep(bytes.clone(), held));
        (bytes, kept)
    }
}

impl From<BodyError> for Unread {
    fn from(error: BodyError) -> Self {
        Unread::Told(error)
    }
}
