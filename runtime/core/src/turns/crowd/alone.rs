//! A client that is alone on its worker: it has the worker, and pays nothing for turns.
//!
//! In: polls of tasks, with whose they are. Out: whether nobody else was polled for a while. Never: asks
//! for the time at each poll; takes somebody for gone who asks a few times a second.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::client::ClientKey;
use crate::clock;

/// Who was there within this time may come again: behind a hundred tasks of who was taken to be alone he
/// would wait for all of them, each time anew.
pub(super) const QUIET: Duration = Duration::from_millis(250);

/// Time is looked at after as many polls of one client in a row: a few milliseconds of who is busy.
pub(super) const POLLS: u32 = 256;

thread_local! {
    static LAST: Cell<Last> = const { Cell::new(Last::of(ClientKey::Unnamed)) };
}

/// Whose task was polled last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Last {
    client: ClientKey,
    /// Polls in a row since time was looked at.
    polls: u32,
    /// When it was looked at first with nobody else there.
    since: Option<Instant>,
    pub(super) is_alone: bool,
}

impl Last {
    pub(super) const fn of(client: ClientKey) -> Last {
        Last { client, polls: 0, since: None, is_alone: false }
    }

    /// A task of this client is polled.
    pub(super) fn polled(self, client: ClientKey, now: impl FnOnce() -> Instant) -> Last {
        let mut last = if self.client == client { self } else { Last::of(client) };
        last.polls += 1;
        if last.polls == POLLS {
            let now = now();
            let since = *last.since.get_or_insert(now);
            last.is_alone = now.saturating_duration_since(since) >= QUIET;
            last.polls = 0;
        }
        last
    }
}

/// Whether a client, of whom a task is polled now, is alone.
pub fn is_alone(client: ClientKey) -> bool {
    let last = LAST.get().polled(client, clock::now);
    LAST.set(last);
    last.is_alone
}
