//! A number of places, and the most of them that one client may hold while others want some.
//!
//! In: clients that want a place. Out: one, or none, or one in a while. Never: lets a single client
//! have all: a quarter of the places is kept for those that hold less than their share, and of the
//! queue for them a client may fill three quarters of what others leave; lets anybody wait who may
//! have a place.
//!
//! How a client stands is looked at when a place is given, not when it is asked for. Clients take
//! turns, those within their share first; of one client, who came first is first.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

use crate::client::{ClientKey, share_of};

/// The places.
#[derive(Debug)]
pub struct Shares<K: Key = ClientKey> {
    /// The last places, for clients within their share.
    kept: usize,
    /// Who holds less than this is within it.
    share: usize,
    /// So many may wait.
    most_waiting: usize,
    /// No more than the kept ones are free: whoever is not within his share would get none. Spares
    /// those who only want to know that a lock.
    tight: AtomicBool,
    places: Mutex<Places<K>>,
}

/// Who counts as one client.
pub trait Key: Copy + Eq + Hash + Unpin {}

impl<K: Copy + Eq + Hash + Unpin> Key for K {}

/// One place; dropping it gives it back.
#[derive(Debug)]
pub struct Share<K: Key = ClientKey> {
    shares: Arc<Shares<K>>,
    client: K,
}

/// A place that is waited for. Dropped, it leaves its turn, or what it was given, to the next.
#[derive(Debug)]
pub struct Waiting<K: Key = ClientKey> {
    shares: Arc<Shares<K>>,
    client: K,
    number: u64,
    told: oneshot::Receiver<()>,
    came: bool,
}

#[derive(Debug)]
struct Places<K> {
    free: usize,
    waiting: usize,
    /// Who holds a place or waits for one.
    clients: HashMap<K, Client>,
    /// Clients with somebody who waits, by when it is their turn.
    within: BTreeMap<u64, K>,
    beyond: BTreeMap<u64, K>,
    /// Numbers are given in order.
    next: u64,
}

#[derive(Debug, Default)]
struct Client {
    held: usize,
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
    /// The line it stands in, and its number there.
    listed: Option<(Standing, u64)>,
}

/// How a client stands to the share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It holds less.
    Within,
    Beyond,
}

impl<K: Key> Shares<K> {
    /// So many places, at least one, and a queue for so many.
    pub fn new(places: usize, most_waiting: usize) -> Arc<Shares<K>> {
        let kept = places / 4;
        Arc::new(Shares {
            kept,
            share: kept.max(1),
            most_waiting,
            tight: AtomicBool::new(false),
            places: Mutex::new(Places {
                free: places.max(1),
                waiting: 0,
                clients: HashMap::new(),
                within: BTreeMap::new(),
                beyond: BTreeMap::new(),
                next: 0,
            }),
        })
    }

    /// A place that is free now.
    pub fn try_take(self: &Arc<Self>, client: K) -> Option<Share<K>> {
        let mut places = self.places();
        // Nobody is passed by: whoever waits still may not have it.
        if !self.may_have(&places, client) {
            return None;
        }
        places.free -= 1;
        places.clients.entry(client).or_default().held += 1;
        self.settle(&mut places, client);
        drop(places);
        Some(self.share(client))
    }

    /// The next place that becomes free for this client; `None`: so many wait already.
    pub fn wait(self: &Arc<Self>, client: K) -> Option<Waiting<K>> {
        let mut guard = self.places();
        let places = &mut *guard;
        let own = places.clients.get(&client).map_or(0, |client| client.waiting.len());
        let left = self.most_waiting.saturating_sub(places.waiting - own);
        if own >= share_of(left) {
            return None;
        }
        let (tell, told) = oneshot::channel();
        let number = places.number();
        places.clients.entry(client).or_default().waiting.insert(number, tell);
        places.waiting += 1;
        self.settle(places, client);
        drop(guard);
        Some(Waiting { shares: self.clone(), client, number, told, came: false })
    }

    /// How a client stands that would get no place now. Takes no lock where everybody would.
    pub fn without(&self, client: K) -> Option<Standing> {
        if !self.tight.load(Relaxed) {
            return None;
        }
        let places = self.places();
        (!self.may_have(&places, client)).then(|| places.standing(client, self.share))
    }

    fn share(self: &Arc<Self>, client: K) -> Share<K> {
        Share { shares: self.clone(), client }
    }

    fn may_have(&self, places: &Places<K>, client: K) -> bool {
        places.free
            > match places.standing(client, self.share) {
                Standing::Within => 0,
                Standing::Beyond => self.kept,
            }
    }

    /// Something changed for a client: lists it where it stands now, and gives what may be given.
    fn settle(&self, places: &mut Places<K>, client: K) {
        places.list(client, self.share);
        while let Some(next) = places.next(self.kept) {
            places.give(next);
            places.list(next, self.share);
        }
        self.tight.store(places.free <= self.kept, Relaxed);
    }

    fn give_back(&self, client: K) {
        let mut places = self.places();
        places.free += 1;
        if let Some(known) = places.clients.get_mut(&client) {
            known.held = known.held.saturating_sub(1);
        }
        self.settle(&mut places, client);
    }

    fn places(&self) -> MutexGuard<'_, Places<K>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Key> Places<K> {
    fn standing(&self, client: K, share: usize) -> Standing {
        match self.clients.get(&client).is_none_or(|client| client.held < share) {
            true => Standing::Within,
            false => Standing::Beyond,
        }
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Puts a client into the line where it belongs, at the end, unless it stands there.
    fn list(&mut self, key: K, share: usize) {
        let (number, standing) = (self.number(), self.standing(key, share));
        let Some(client) = self.clients.get_mut(&key) else { return };
        let belongs = (!client.waiting.is_empty()).then_some(standing);
        if client.listed.map(|(line, _)| line) != belongs {
            let left = std::mem::replace(&mut client.listed, belongs.map(|line| (line, number)));
            if let Some((line, number)) = left {
                self.line(line).remove(&number);
            }
            if let Some(line) = belongs {
                self.line(line).insert(number, key);
            }
        }
        if belongs.is_none() && self.clients.get(&key).is_some_and(|client| client.held == 0) {
            self.clients.remove(&key);
        }
    }

    /// Whose turn it is, where there is a place for it; it leaves the line.
    fn next(&mut self, kept: usize) -> Option<K> {
        let within = if self.free > 0 { self.within.pop_first() } else { None };
        let beyond = |places: &mut Self| match places.free > kept {
            true => places.beyond.pop_first(),
            false => None,
        };
        within.or_else(|| beyond(self)).map(|(_, key)| key)
    }

    /// Gives a place to the first of a client that was next.
    fn give(&mut self, key: K) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        client.listed = None;
        if let Some((_, tell)) = client.waiting.pop_first() {
            client.held += 1;
            self.free -= 1;
            self.waiting -= 1;
            // Whoever gives up takes himself out of `waiting` first.
            let _ = tell.send(());
        }
    }

    fn line(&mut self, standing: Standing) -> &mut BTreeMap<u64, K> {
        match standing {
            Standing::Within => &mut self.within,
            Standing::Beyond => &mut self.beyond,
        }
    }
}

impl<K: Key> Future for Waiting<K> {
    type Output = Option<Share<K>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        this.came = ready!(Pin::new(&mut this.told).poll(cx)).is_ok();
        Poll::Ready(this.came.then(|| this.shares.share(this.client)))
    }
}

impl<K: Key> Drop for Waiting<K> {
    fn drop(&mut self) {
        if self.came {
            return;
        }
        let mut places = self.shares.places();
        let client = places.clients.get_mut(&self.client);
        if client.is_some_and(|client| client.waiting.remove(&self.number).is_some()) {
            places.waiting -= 1;
            self.shares.settle(&mut places, self.client);
        } else {
            drop(places);
            self.shares.give_back(self.client);
        }
    }
}

impl<K: Key> Drop for Share<K> {
    fn drop(&mut self) {
        self.shares.give_back(self.client);
    }
}

#[cfg(test)]
mod tests;
