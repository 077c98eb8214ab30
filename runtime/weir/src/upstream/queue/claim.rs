//! What clients hold of an endpoint's places, and who of them waits for one.
//!
//! In: places taken and given back, requests that found none. Out: how many each has, and whose turn
//! is next among one client's. Never: counts what waits, or what is held of another endpoint.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::time::Instant;

use tokio::sync::oneshot;
use weir_core::client::ClientKey;

use super::{Place, Queue, Standing};

/// Requests that gave up and are not looked for yet.
const GAVE_UP: usize = 8;

/// What one connection of a client has in one pool.
pub struct Claim {
    pub(in crate::upstream) queue: Rc<Queue>,
    pub(super) holder: Rc<Holder>,
    pub(super) held: Cell<usize>,
    /// Requests that wait; the others in `line` gave up.
    waits: Cell<usize>,
    line: RefCell<VecDeque<Waiter>>,
    /// By [`Side`].
    listed: [Cell<bool>; 2],
}

/// What one client has in one pool, over all his connections.
pub struct Holder {
    key: ClientKey,
    pub(super) held: Cell<usize>,
    /// Requests that wait.
    pub(super) waiting: Cell<usize>,
    /// Connections with requests that wait, by [`Side`]; they take turns.
    sides: [RefCell<VecDeque<Rc<Claim>>>; 2],
    /// Where a request came to wait last.
    newest: RefCell<Option<Rc<Claim>>>,
    /// Whether the newest one's turn is next.
    newest_next: Cell<bool>,
    /// Whether it stands in the queue's line of each standing.
    pub(super) listed: [Cell<bool>; Standing::ALL.len()],
    /// Where it is forgotten once nobody has it.
    holders: Weak<Holders>,
}

/// The clients of a pool.
#[derive(Default)]
pub struct Holders(RefCell<HashMap<ClientKey, Weak<Holder>>>);

/// A request that waits.
struct Waiter {
    tell: oneshot::Sender<Place>,
    /// From when on its own time is nearly over.
    urgent: Instant,
}

/// Whether a connection alone has a share or more.
#[derive(Clone, Copy)]
enum Side {
    Near,
    Far,
}

impl Claim {
    /// What a connection of this client has there: nothing yet.
    pub(in crate::upstream) fn of(queue: &Rc<Queue>, key: ClientKey) -> Rc<Claim> {
        Rc::new(Claim {
            queue: queue.clone(),
            holder: queue.holders().of(key),
            held: Cell::new(0),
            waits: Cell::new(0),
            line: RefCell::default(),
            listed: Default::default(),
        })
    }

    /// Places that its client has, on whatever connection.
    pub(in crate::upstream) fn held_by_client(&self) -> usize {
        self.holder.held.get()
    }

    /// One more waits. It is told by the channel's other end.
    pub(super) fn wait(self: &Rc<Self>, urgent: Instant) -> oneshot::Receiver<Place> {
        let (tell, told) = oneshot::channel();
        let mut line = self.line.borrow_mut();
        // Those that gave up are not worth a search each, nor memory without end.
        if line.len() > 2 * self.waits.get() + GAVE_UP {
            line.retain(|waiter| !waiter.tell.is_closed());
        }
        line.push_back(Waiter { tell, urgent });
        self.waits.set(self.waits.get() + 1);
        self.holder.waiting.set(self.holder.waiting.get() + 1);
        self.holder.newest.replace(Some(self.clone()));
        told
    }

    /// One waits no more.
    pub(super) fn waited(&self) {
        self.waits.set(self.waits.get().saturating_sub(1));
        self.holder.waiting.set(self.holder.waiting.get().saturating_sub(1));
        if self.holder.waiting.get() == 0 {
            self.holder.forget();
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waits.get() > 0
    }

    /// Gives the place to the one that waits longest, or came last.
    fn give(&self, place: Place, newest: bool) {
        let mut line = self.line.borrow_mut();
        while let Some(waiter) = if newest { line.pop_back() } else { line.pop_front() } {
            if !waiter.tell.is_closed() {
                drop(line);
                self.waited();
                drop(waiter.tell.send(place));
                return;
            }
        }
    }

    /// Stands where its client looks for it.
    pub(super) fn list(self: &Rc<Self>, share: usize) {
        let side = if self.held.get() < share { Side::Near } else { Side::Far };
        if self.is_waiting() && !self.listed(side).replace(true) {
            self.holder.side(side).borrow_mut().push_back(self.clone());
        }
    }

    fn listed(&self, side: Side) -> &Cell<bool> {
        let [near, far] = &self.listed;
        match side {
            Side::Near => near,
            Side::Far => far,
        }
    }

    /// Requests that wait and have little time left.
    fn urgent(&self, now: Instant) -> usize {
        let line = self.line.borrow();
        line.iter().filter(|waiter| waiter.urgent <= now && !waiter.tell.is_closed()).count()
    }
}

impl Holder {
    pub(super) fn key(&self) -> ClientKey {
        self.key
    }

    fn side(&self, side: Side) -> &RefCell<VecDeque<Rc<Claim>>> {
        let [near, far] = &self.sides;
        match side {
            Side::Near => near,
            Side::Far => far,
        }
    }

    /// Whether one of its connections may wait with this standing.
    pub(super) fn has(&self, standing: Standing) -> bool {
        let any = |side| !self.side(side).borrow().is_empty();
        match standing {
            Standing::Within => any(Side::Near) || any(Side::Far),
            Standing::Spread => any(Side::Near),
            Standing::Beyond => any(Side::Far),
        }
    }

    /// Gives a place to one of its requests with this standing. Connections take turns; of those
    /// with more than a share every other turn is the newest one's: behind what one of them piled up
    /// nobody would come to his.
    pub(super) fn give(&self, standing: Standing, share: usize) -> bool {
        let fits = |claim: &Claim| match standing {
            Standing::Within => true,
            Standing::Spread => claim.held.get() < share,
            Standing::Beyond => claim.held.get() >= share,
        };
        let by_newest =
            standing != Standing::Within && self.newest_next.replace(!self.newest_next.get());
        if by_newest
            && let Some(claim) = self.newest.take()
            && claim.is_waiting()
            && fits(&claim)
        {
            claim.give(Place::of(&claim), true);
            return true;
        }
        let sides: &[Side] = match standing {
            Standing::Within => &[Side::Near, Side::Far],
            Standing::Spread => &[Side::Near],
            Standing::Beyond => &[Side::Far],
        };
        for side in sides {
            loop {
                let Some(claim) = ({ self.side(*side).borrow_mut().pop_front() }) else { break };
                claim.listed(*side).set(false);
                let gives = claim.is_waiting() && fits(&claim);
                if gives {
                    claim.give(Place::of(&claim), false);
                }
                // It may stand elsewhere by now.
                claim.list(share);
                if gives {
                    return true;
                }
            }
        }
        false
    }

    /// All connections that wait look where they stand now.
    pub(super) fn list_all(&self, share: usize) {
        for claim in self.claims() {
            claim.list(share);
        }
    }

    /// Requests that wait and have little time left.
    pub(super) fn urgent(&self, now: Instant) -> usize {
        self.claims().iter().map(|claim| claim.urgent(now)).sum()
    }

    fn claims(&self) -> Vec<Rc<Claim>> {
        let mut claims: Vec<_> = self.side(Side::Near).borrow().iter().cloned().collect();
        let far = self.side(Side::Far).borrow();
        claims.extend(far.iter().filter(|claim| !claim.listed(Side::Near).get()).cloned());
        claims
    }

    /// Nobody waits.
    fn forget(&self) {
        let newest = self.newest.take();
        for side in [Side::Near, Side::Far] {
            for claim in self.side(side).take() {
                claim.listed(side).set(false);
            }
        }
        drop(newest);
    }
}

impl Holders {
    fn of(self: &Rc<Self>, key: ClientKey) -> Rc<Holder> {
        let mut known = self.0.borrow_mut();
        if let Some(holder) = known.get(&key).and_then(Weak::upgrade) {
            return holder;
        }
        let holder = Rc::new(Holder {
            key,
            held: Cell::new(0),
            waiting: Cell::new(0),
            sides: Default::default(),
            newest: RefCell::default(),
            newest_next: Cell::new(false),
            listed: Default::default(),
            holders: Rc::downgrade(self),
        });
        known.insert(key, Rc::downgrade(&holder));
        holder
    }

    /// Those with requests that wait.
    pub(super) fn waiting(&self) -> Vec<Rc<Holder>> {
        let known = self.0.borrow();
        known.values().filter_map(Weak::upgrade).filter(|it| it.waiting.get() > 0).collect()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if let Some(holders) = self.holders.upgrade() {
            let mut known = holders.0.borrow_mut();
            // Another one may have been made while this one went.
            if known.get(&self.key).is_some_and(|holder| holder.strong_count() == 0) {
                known.remove(&self.key);
            }
        }
    }
}
