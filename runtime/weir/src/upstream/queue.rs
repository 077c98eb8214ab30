//! The places at an endpoint, and who waits for one of them.
//!
//! A place is what one exchange takes: an HTTP/1.1 connection, a stream of an HTTP/2 connection, a
//! tunnel. In: places given back, and requests that found none. Out: places, and what has to give way
//! for them. Never: lets one client take the last places while he has his share; looks at more than
//! one client for a place that was given back; takes anything from a client within his share.
//!
//! How a client stands is looked at when a place is given, not when it is asked for. Who waits stands
//! in a line for each standing, by client; who stands better by now is listed again, and who stands
//! worse is found out when his turn comes.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::oneshot;
use weir_core::http::Pause;

pub use claim::Claim;
use claim::{Holder, Holders};
use wanted::Wanted;

mod claim;
mod wanted;

/// Places, and the bound on connections.
pub struct Queue {
    /// Connections, at most.
    most: usize,
    /// Places on each of them, as far as is known.
    streams: Cell<usize>,
    /// What one client may have before he has to leave the rest to others: a sixteenth of the places.
    share: Cell<usize>,
    /// By standing, the places that may be taken.
    bounds: Cell<[usize; Standing::ALL.len()]>,
    open: Cell<usize>,
    /// Places that are taken.
    held: Cell<usize>,
    waiting: Cell<usize>,
    lines: [RefCell<VecDeque<Rc<Holder>>>; Standing::ALL.len()],
    holders: Rc<Holders>,
    wanted: RefCell<Wanted>,
}

/// How a client stands to his share, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// He has less.
    Within,
    /// He has it, but not on this connection: it may be one of many behind an address.
    Spread,
    /// This connection alone has it.
    Beyond,
}

/// A place; dropping it gives it to the next one that waits.
pub struct Place(Rc<Claim>);

/// A turn that is waited for.
pub struct Turn {
    told: oneshot::Receiver<Place>,
    claim: Rc<Claim>,
    came: bool,
}

impl Standing {
    pub const ALL: [Standing; Standing::Beyond as usize + 1] =
        [Standing::Within, Standing::Spread, Standing::Beyond];

    /// Places that are kept from whoever stands so, of so many: the last quarter, half of it from
    /// those with many connections; one at least, wherever there are two.
    fn kept(self, of: usize) -> usize {
        let least = usize::from(of > 1);
        match self {
            Standing::Within => 0,
            Standing::Spread => (of / 8).max(least),
            Standing::Beyond => (of / 4).max(least),
        }
    }
}

impl Queue {
    /// For at most so many connections.
    pub fn new(most: usize) -> Rc<Queue> {
        let queue = Queue {
            most,
            streams: Cell::new(0),
            share: Cell::default(),
            bounds: Cell::default(),
            open: Cell::new(0),
            held: Cell::new(0),
            waiting: Cell::new(0),
            lines: Default::default(),
            holders: Rc::default(),
            wanted: RefCell::default(),
        };
        queue.set_streams(1);
        Rc::new(queue)
    }

    /// Connections that are open or being opened.
    pub fn open(&self) -> usize {
        self.open.get()
    }

    /// The most of them.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Takes the place of a connection, if there is one.
    pub fn open_one(&self) -> bool {
        let may = self.open.get() < self.most;
        self.open.set(self.open.get() + usize::from(may));
        may
    }

    /// A connection was closed.
    pub fn leave(&self) {
        self.open.set(self.open.get().saturating_sub(1));
    }

    /// It is known how many exchanges a connection has room for.
    pub fn set_streams(&self, streams: usize) {
        if self.streams.replace(streams) == streams {
            return;
        }
        let places = self.most.saturating_mul(streams);
        self.share.set((places / 16).max(1));
        self.bounds.set(Standing::ALL.map(|standing| places - standing.kept(places)));
        if self.waiting.get() > 0 {
            for holder in self.holders.waiting() {
                holder.list_all(self.share.get());
                self.list(&holder);
            }
            self.wake();
        }
    }

    pub(super) fn holders(&self) -> &Rc<Holders> {
        &self.holders
    }

    fn standing(&self, claim: &Claim) -> Standing {
        let share = self.share.get();
        match claim.holder.held.get() < share {
            true => Standing::Within,
            false if claim.held.get() < share => Standing::Spread,
            false => Standing::Beyond,
        }
    }

    fn has_room(&self, standing: Standing) -> bool {
        let [within, spread, beyond] = self.bounds.get();
        let bound = match standing {
            Standing::Within => within,
            Standing::Spread => spread,
            Standing::Beyond => beyond,
        };
        self.held.get() < bound
    }

    /// A place, if there is one for whoever stands so.
    pub fn enter(&self, claim: &Rc<Claim>) -> Option<Place> {
        self.has_room(self.standing(claim)).then(|| Place::of(claim))
    }

    /// Joins the line. `urgent`: from when on its time is nearly over.
    pub fn join(&self, claim: &Rc<Claim>, urgent: Instant) -> Turn {
        let told = claim.wait(urgent);
        self.waiting.set(self.waiting.get() + 1);
        claim.list(self.share.get());
        self.list(&claim.holder);
        Turn { told, claim: claim.clone(), came: false }
    }

    /// Stands in the lines that it belongs to.
    fn list(&self, holder: &Rc<Holder>) {
        let within = holder.held.get() < self.share.get();
        for standing in Standing::ALL {
            let belongs = (standing == Standing::Within) == within && holder.has(standing);
            if belongs && !listed(holder, standing).replace(true) {
                self.line(standing).borrow_mut().push_back(holder.clone());
            }
        }
    }

    /// A place was given back.
    fn came_back(&self, claim: &Rc<Claim>) {
        claim.list(self.share.get());
        self.list(&claim.holder);
        self.wake();
    }

    /// Gives turns to as many as there are places for.
    fn wake(&self) {
        while self.waiting.get() > 0 && self.give() {}
    }

    /// Gives a turn: clients take turns, those within their share first.
    fn give(&self) -> bool {
        let share = self.share.get();
        for standing in Standing::ALL {
            while self.has_room(standing) {
                let Some(holder) = ({ self.line(standing).borrow_mut().pop_front() }) else {
                    break;
                };
                listed(&holder, standing).set(false);
                let is_within = holder.held.get() < share;
                let stands = (standing == Standing::Within) == is_within;
                let given = stands && holder.waiting.get() > 0 && holder.give(standing, share);
                self.list(&holder);
                if given {
                    self.waited();
                    return true;
                }
            }
        }
        false
    }

    /// One waits no more.
    fn waited(&self) {
        self.waiting.set(self.waiting.get().saturating_sub(1));
        if self.waiting.get() == 0 {
            for standing in Standing::ALL {
                for holder in self.line(standing).take() {
                    listed(&holder, standing).set(false);
                }
            }
        }
    }

    fn line(&self, standing: Standing) -> &RefCell<VecDeque<Rc<Holder>>> {
        let [within, spread, beyond] = &self.lines;
        match standing {
            Standing::Within => within,
            Standing::Spread => spread,
            Standing::Beyond => beyond,
        }
    }

    /// Looks for whom something has to give way, until the next time.
    pub fn look(&self, now: Instant) {
        let mut wanted = Wanted::new(self.share.get());
        if self.waiting.get() > 0 {
            for holder in self.holders.waiting() {
                let room = self.share.get().saturating_sub(holder.held.get());
                wanted.add(holder.key(), room, holder.waiting.get(), holder.urgent(now));
            }
        }
        self.wanted.replace(wanted);
    }

    /// Whether an exchange of this client has to give way, who does so little; then it counts as gone.
    pub fn takes_from(&self, claim: &Claim, pause: Pause) -> bool {
        let holder = &claim.holder;
        self.waiting.get() > 0
            && self.wanted.borrow_mut().take(holder.key(), holder.held.get(), pause)
    }
}

fn listed(holder: &Holder, standing: Standing) -> &Cell<bool> {
    let [within, spread, beyond] = &holder.listed;
    match standing {
        Standing::Within => within,
        Standing::Spread => spread,
        Standing::Beyond => beyond,
    }
}

impl Place {
    /// Takes one.
    pub(super) fn of(claim: &Rc<Claim>) -> Place {
        let (queue, holder) = (&claim.queue, &claim.holder);
        queue.held.set(queue.held.get() + 1);
        holder.held.set(holder.held.get() + 1);
        claim.held.set(claim.held.get() + 1);
        Place(claim.clone())
    }

    pub fn claim(&self) -> &Rc<Claim> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let claim = &self.0;
        let (queue, holder) = (&claim.queue, &claim.holder);
        queue.held.set(queue.held.get().saturating_sub(1));
        holder.held.set(holder.held.get().saturating_sub(1));
        claim.held.set(claim.held.get().saturating_sub(1));
        if queue.waiting.get() > 0 {
            queue.came_back(claim);
        }
    }
}

impl Turn {
    /// The place, when the turn has come.
    pub async fn come(&mut self) -> Option<Place> {
        let place = (&mut self.told).await.ok();
        self.came = place.is_some();
        place
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.came {
            return;
        }
        match self.told.try_recv() {
            // The next one's.
            Ok(place) => drop(place),
            Err(_) => {
                self.told.close();
                self.claim.waited();
                self.claim.queue.waited();
            }
        }
    }
}

#[cfg(test)]
mod tests;
