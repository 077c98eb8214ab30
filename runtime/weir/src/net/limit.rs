//! How many connections a listener may have, over all workers, and who goes when there are more.
//!
//! In: clients that connect. Out: places. Never: lets one client keep others out: connections that
//! ask for nothing give way, the oldest of whoever has most first; what serves a request never does,
//! and nobody gets more than three quarters of what the others leave.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_core::client::{ClientKey, share_of};
use weir_core::telemetry::metrics::ConnectionGuard;

use super::Activity;

/// How many connections a listener has, over all workers, and may have.
#[derive(Debug, Clone)]
pub struct ConnectionLimit(Arc<Count>);

/// One of them; dropping it makes room.
#[derive(Debug)]
pub struct ConnectionPlace {
    count: Arc<Count>,
    /// By which it is known where there is a limit.
    number: Option<u64>,
    /// Another connection gave way to it.
    pub(super) is_anothers: bool,
    pub(super) metrics: Option<ConnectionGuard>,
}

#[derive(Debug)]
struct Count {
    now: AtomicUsize,
    most: AtomicUsize,
    known: Mutex<Known>,
}

/// Connections that came while there was a limit.
#[derive(Debug, Default)]
struct Known {
    /// Oldest first.
    open: BTreeMap<u64, (ClientKey, Option<Arc<Activity>>)>,
    /// How many of them each client has.
    clients: HashMap<ClientKey, usize>,
    next: u64,
}

impl ConnectionLimit {
    /// `None`: no bound, but they are counted.
    pub fn new(most: Option<usize>) -> Self {
        let most = AtomicUsize::new(most.unwrap_or(usize::MAX));
        let (now, known) = (AtomicUsize::new(0), Mutex::default());
        ConnectionLimit(Arc::new(Count { now, most, known }))
    }

    /// Changes the bound; connections beyond the new one stay.
    pub fn set(&self, most: Option<usize>) {
        self.0.most.store(most.unwrap_or(usize::MAX), Relaxed);
    }

    /// Open connections.
    #[cfg(test)]
    pub fn open(&self) -> usize {
        self.0.now.load(Relaxed)
    }

    /// A place for a client, unless all that he may have are taken and none gives way. Without a share
    /// is whoever is not `one` client, but speaks for many; it is asked where it matters only.
    pub fn enter(
        &self,
        client: ClientKey,
        is_one: impl FnOnce() -> bool,
    ) -> Option<ConnectionPlace> {
        let count = self.0.clone();
        let mut place = ConnectionPlace { count, number: None, is_anothers: false, metrics: None };
        // Taken first and given back when dropped, so that two workers never both get the last.
        let before = self.0.now.fetch_add(1, Relaxed);
        let most = self.0.most.load(Relaxed);
        if most == usize::MAX {
            return Some(place);
        }
        let mut known = self.0.known();
        if before >= most {
            // Its place is free once its worker comes to it; for so long there is one more.
            known.give_way(client, true)?;
            place.is_anothers = true;
        } else if known.has_his_share(client, before, most) && is_one() {
            known.give_way(client, false)?;
            place.is_anothers = true;
        }
        place.number = Some(known.add(client));
        drop(known);
        Some(place)
    }
}

impl ConnectionPlace {
    /// What becomes of the connection, from now on.
    pub fn watched_by(&self, activity: &Arc<Activity>) {
        let Some(number) = self.number else { return };
        if let Some((_, known)) = self.count.known().open.get_mut(&number) {
            *known = Some(activity.clone());
        }
    }
}

impl Count {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add(&mut self, client: ClientKey) -> u64 {
        let number = self.next;
        self.next += 1;
        self.open.insert(number, (client, None));
        *self.clients.entry(client).or_default() += 1;
        number
    }

    fn remove(&mut self, number: u64) -> Option<Arc<Activity>> {
        let (client, activity) = self.open.remove(&number)?;
        if let Some(count) = self.clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                self.clients.remove(&client);
            }
        }
        activity
    }

    /// Whether a client has three quarters of what the others leave, of `most` places of which `taken`
    /// are. Less than four have none to keep.
    fn has_his_share(&self, client: ClientKey, taken: usize, most: usize) -> bool {
        let own = self.clients.get(&client).copied().unwrap_or(0);
        let left = most.saturating_sub(taken.saturating_sub(own));
        own >= share_of(left)
    }

    /// Ends the oldest connection that asks for nothing, of the client with most of them: one of his own,
    /// or of others, if at all, only of who has more than he.
    fn give_way(&mut self, to: ClientKey, of_others: bool) -> Option<()> {
        let has = |client| self.clients.get(client).copied().unwrap_or(0);
        let own = has(&to);
        let mut found: Option<(usize, u64)> = None;
        for (number, (client, activity)) in &self.open {
            let Some(activity) = activity else { continue };
            let count = has(client);
            let may = *client == to || of_others && count > own;
            if may && activity.asks_for_nothing() && found.is_none_or(|(most, _)| count > most) {
                found = Some((count, *number));
            }
        }
        let (_, number) = found?;
        self.remove(number)?.give_way();
        Some(())
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        self.count.now.fetch_sub(1, Relaxed);
        if let Some(number) = self.number {
            drop(self.count.known().remove(number));
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_core::clock;

    use weir_core::config::Limits;

    use super::*;
    use crate::net::{Bounds, Overdue, Watch};

    fn client(last: u8) -> ClientKey {
        ClientKey::V4(u32::from(last))
    }

    /// Opens connections of clients, each watched.
    fn opener(
        limit: &ConnectionLimit,
    ) -> impl Fn(u8) -> Option<(ConnectionPlace, Arc<Activity>)> + '_ {
        let (watch, bounds) = (Watch::new(clock::now()), Bounds::new(&Limits::default()));
        move |last| {
            let place = limit.enter(client(last), || true)?;
            let activity = watch.register(bounds.clone(), false);
            place.watched_by(&activity);
            Some((place, activity))
        }
    }

    #[test]
    fn places_are_given_back() {
        let limit = ConnectionLimit::new(Some(2));
        let enter = || limit.enter(client(1), || true);
        let first = enter().unwrap();
        let second = enter().unwrap();
        assert!(enter().is_none());
        assert_eq!(limit.open(), 2);
        drop(first);
        let third = enter().unwrap();
        limit.set(Some(1));
        drop(third);
        assert!(enter().is_none());
        drop(second);
        assert!(enter().is_some());
        limit.set(None);
        let many: Vec<_> = (0..100).map(|_| enter().unwrap()).collect();
        assert_eq!(many.len(), limit.open());
    }

    #[test]
    fn nobody_gets_more_than_three_quarters_of_what_the_others_leave() {
        for (most, shares) in [
            (1, &[1, 0][..]),
            (3, &[3, 0]),
            (4, &[3, 1]),
            (30, &[23, 6, 1]),
            (1000, &[750, 188, 47, 12, 3, 0]),
        ] {
            let limit = ConnectionLimit::new(Some(most));
            let mut open = Vec::new();
            for (last, share) in (1..).zip(shares) {
                let before = open.len();
                open.extend((0..most).filter_map(|_| limit.enter(client(last), || true)));
                assert_eq!(open.len() - before, *share, "client {last} of {most}");
            }
            assert_eq!(limit.open(), open.len());
        }
        // Who speaks for many has all of them.
        let limit = ConnectionLimit::new(Some(30));
        let open: Vec<_> = (0..40).filter_map(|_| limit.enter(client(1), || false)).collect();
        assert_eq!(open.len(), 30);
    }

    #[test]
    fn who_has_his_share_gets_what_of_his_own_asks_for_nothing() {
        let limit = ConnectionLimit::new(Some(4));
        let open = opener(&limit);
        let mut own: Vec<_> = (0..3).map(|_| open(1).unwrap()).collect();
        own[0].1.begin_exchange(false);
        own[1].1.begin_exchange(false);
        // Behind one address there may be many people, and one of them has served.
        own[1].1.end_exchange();
        let fourth = open(1).expect("one of his own");
        assert_eq!(own[1].1.overdue(), Some(Overdue::Idle));
        for (_, activity) in [&own[2], &fourth] {
            activity.begin_exchange(false);
        }
        drop(own.remove(1));
        assert!(open(1).is_none(), "all are asked on");
        assert!(open(2).is_some(), "there is one for others");
    }

    #[test]
    fn the_oldest_that_asks_for_nothing_of_whoever_has_most_gives_way() {
        let limit = ConnectionLimit::new(Some(6));
        let open = opener(&limit);
        let idle = |activity: &Activity| {
            activity.begin_exchange(false);
            activity.end_exchange();
        };
        let one: Vec<_> = (0..4).map(|_| open(1).unwrap()).collect();
        let two: Vec<_> = (0..2).map(|_| open(2).unwrap()).collect();
        // What serves stays; the next one has served before.
        one[0].1.begin_exchange(false);
        idle(&one[1].1);
        let third = open(3).expect("somebody gives way");
        assert_eq!(one[1].1.overdue(), Some(Overdue::Idle));
        assert!(one.iter().chain(&two).filter(|(_, it)| it.overdue().is_some()).count() == 1);
        // The same client again, who has never asked on two of his.
        let fourth = open(1).expect("one of his own");
        assert_eq!(one[2].1.overdue(), Some(Overdue::Idle));
        // Nobody but who has more than he.
        for (_, activity) in [&third, &two[1]] {
            idle(activity);
        }
        for (_, activity) in [&one[3], &fourth, &two[0]] {
            activity.begin_exchange(false);
        }
        assert!(open(1).is_none(), "his own are asked on");
        assert!(open(2).is_some(), "one of his own");
        assert_eq!(two[1].1.overdue(), Some(Overdue::Idle));
        assert!(limit.0.known().open.len() <= 6);
    }
}
