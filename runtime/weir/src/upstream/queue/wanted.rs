//! What gives way, and to whom.
//!
//! In: how many wait, of whom, and how little an exchange does. Out: whether it gives way. Never:
//! takes what a client has within his share; takes more than is waited for.

use std::collections::HashMap;

use weir_core::client::ClientKey;
use weir_core::http::Pause;

/// For whom something has to give way.
#[derive(Default)]
pub struct Wanted {
    share: usize,
    /// Places up to the shares of those who wait and have less.
    others: Waiting,
    /// Requests of each of the rest.
    own: HashMap<ClientKey, Waiting>,
    given: HashMap<ClientKey, usize>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Waiting {
    all: usize,
    /// Of them, those whose time is nearly over.
    urgent: usize,
}

impl Waiting {
    /// One is satisfied, if one waits who may be.
    fn take(&mut self, urgent_only: bool) -> bool {
        if if urgent_only { self.urgent } else { self.all } == 0 {
            return false;
        }
        self.all = self.all.saturating_sub(1);
        self.urgent = self.urgent.saturating_sub(1);
        true
    }
}

impl Wanted {
    pub fn new(share: usize) -> Wanted {
        Wanted { share, ..Wanted::default() }
    }

    /// So many requests of a client wait, who has `room` up to his share.
    pub fn add(&mut self, key: ClientKey, room: usize, all: usize, urgent: usize) {
        if room == 0 {
            self.own.insert(key, Waiting { all, urgent });
        } else {
            self.others.all += all.min(room);
            self.others.urgent += urgent.min(room);
        }
    }

    /// Whether one of the exchanges gives way of a client who holds so many places.
    pub fn take(&mut self, key: ClientKey, held: usize, pause: Pause) -> bool {
        let given = self.given.get(&key).copied().unwrap_or(0);
        if held.saturating_sub(given) <= self.share {
            return false;
        }
        let to_others = self.others.take(pause == Pause::Short);
        let gives = to_others
            || pause > Pause::Short
                && self.own.get_mut(&key).is_some_and(|own| own.take(pause == Pause::Long));
        if gives {
            self.given.insert(key, given + 1);
        }
        gives
    }
}
