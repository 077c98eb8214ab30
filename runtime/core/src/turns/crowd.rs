//! The tasks of one client on a worker: a hundred that have something to do are as much work as one that
//! has a hundred times as much.
//!
//! In: tasks that want to be polled though it is not their turn in the line. Out: whether they are now.
//! Never: keeps somebody waiting who has few of them, or who is alone.
//!
//! After [`FREE`] of them within [`REFILLED`], or one that had more to do than there was time for, the
//! others wait for the client's next turn in the line, which is for [`POLLS`] of them, or for as many as
//! there is time for. They come in rounds, one of each [`Flow`]: people behind one address are one client
//! here.

mod alone;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::task::spawn_local;

use super::{Who, next_of};
use crate::client::ClientKey;
use crate::clock;
use crate::turn::TURN;

/// Nobody waits whose client has had fewer polls than these in this time: an ordinary request is two or
/// three. Twenty clients that had eight of them in two milliseconds had all of a worker's time.
const FREE: usize = 3;
pub(super) const REFILLED: Duration = Duration::from_millis(4);

/// Tasks that are polled in one turn of their client at most.
const POLLS: usize = 8;

thread_local! {
    /// The crowds of this worker, as long as somebody is in them.
    static KNOWN: RefCell<HashMap<ClientKey, Weak<Crowd>>> = RefCell::default();
}

/// When a task is polled: in which round, and which of those in it.
type Number = (u64, u64);

/// Tasks of one connection, among their client's.
#[derive(Debug, Clone)]
pub struct Flow {
    crowd: Rc<Crowd>,
    members: Rc<Members>,
}

#[derive(Debug, Default)]
struct Members {
    /// The round of the next one that waits.
    round: Cell<u64>,
    /// How many wait.
    waiting: Cell<usize>,
    /// Who makes more of them, and is held until there is room.
    held: RefCell<Option<Waker>>,
}

#[derive(Debug)]
struct Crowd {
    client: ClientKey,
    /// Polls that are left.
    left: Cell<usize>,
    /// Since when they are counted, or there are none left.
    since: Cell<Instant>,
    /// Tasks that wait, in the order in which they are polled.
    waiting: RefCell<BTreeMap<Number, Waker>>,
    /// The turn is that of those before this one.
    called: Cell<Number>,
    /// When the first of them was polled.
    began: Cell<Option<Instant>>,
    /// The round that is under way.
    round: Cell<u64>,
    /// The number of the next one that waits.
    next: Cell<u64>,
    /// A task asks for the next turn.
    asks: Cell<bool>,
}

/// A task's place among those that wait. Dropping it gives it up.
#[derive(Debug)]
pub(super) struct Place {
    flow: Flow,
    /// None: it does not wait.
    number: Option<Number>,
    /// Its poll is the last one that is left.
    is_last: bool,
}

impl Flow {
    /// One more of this client, on the calling worker.
    pub fn of(client: ClientKey) -> Flow {
        Flow { crowd: Crowd::of(client), members: Rc::default() }
    }

    pub fn client(&self) -> ClientKey {
        self.crowd.client
    }

    /// Ready as long as no more than so many of its tasks wait for their turn; the caller's task is woken
    /// when it is so again. Whoever starts tasks at a peer's wish asks first, or the peer could have more
    /// of them kept than are ever polled: a stream that is reset gives up its place with the protocol,
    /// and its task ends with its turn.
    pub fn poll_room(&self, most: usize, cx: &Context<'_>) -> Poll<()> {
        if self.members.waiting.get() <= most {
            return Poll::Ready(());
        }
        self.members.held.replace(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Of its next task that waits.
    fn enter(&self) -> Number {
        let members = &self.members;
        let round = members.round.get().max(self.crowd.round.get());
        members.round.set(round + 1);
        members.waiting.set(members.waiting.get() + 1);
        (round, self.crowd.next.replace(self.crowd.next.get() + 1))
    }

    /// Its task with this number waits no longer.
    fn leave(&self, number: Number) {
        self.crowd.waiting.borrow_mut().remove(&number);
        let members = &self.members;
        members.waiting.set(members.waiting.get().saturating_sub(1));
        if let Some(held) = members.held.take() {
            held.wake();
        }
    }

    /// The same before it was called: its round is the next one's, if that is the next one.
    fn give_up(&self, number: Number) {
        if self.members.round.get() == number.0 + 1 {
            self.members.round.set(number.0);
        }
        self.leave(number);
    }
}

impl Place {
    /// Of a task of this flow, which does not wait yet.
    pub fn of(flow: Flow) -> Place {
        Place { flow, number: None, is_last: false }
    }

    /// Whether the task may be polled now; where not, it is woken when it may.
    pub fn admits(&mut self, cx: &Context<'_>) -> bool {
        let crowd = &self.flow.crowd;
        let is_alone = alone::is_alone(crowd.client);
        if let Some(waited) = self.number.take_if(|number| crowd.calls(*number)) {
            self.flow.leave(waited);
            return true;
        }
        // Nobody passes those who wait.
        if self.number.is_none() && crowd.waiting.borrow().is_empty() {
            if is_alone {
                return true;
            }
            if crowd.has_polls() {
                crowd.left.set(crowd.left.get() - 1);
                self.is_last = crowd.left.get() == 0;
                return true;
            }
        }
        let number = *self.number.get_or_insert_with(|| self.flow.enter());
        crowd.waiting.borrow_mut().insert(number, cx.waker().clone());
        if !crowd.asks.replace(true) {
            spawn_local(crowd.clone().renewed());
        }
        false
    }

    /// The task is polled for another reason.
    pub fn leave(&mut self) {
        if let Some(number) = self.number.take() {
            self.flow.give_up(number);
        }
    }

    /// The poll that was admitted is over. Where the task had more to do than there was time for, the turn
    /// is over for those called with it.
    pub fn polled(&mut self, was_short: bool) {
        let crowd = &self.flow.crowd;
        let is_last = std::mem::take(&mut self.is_last);
        if was_short {
            crowd.end_turn();
        }
        if is_last || was_short {
            // There are more once its client has rested: time that polls took is no rest, or those that
            // take long would never come to an end.
            crowd.refill(0);
        }
    }
}

impl Crowd {
    fn of(client: ClientKey) -> Rc<Crowd> {
        KNOWN.with_borrow_mut(|known| {
            if let Some(crowd) = known.get(&client).and_then(Weak::upgrade) {
                return crowd;
            }
            // Forgets those that are gone when the map would have to grow, and not before it is twice as
            // large again.
            if known.len() == known.capacity() {
                known.retain(|_, crowd| crowd.strong_count() > 0);
                known.reserve(known.len());
            }
            let crowd = Rc::new(Crowd::new(client));
            known.insert(client, Rc::downgrade(&crowd));
            crowd
        })
    }

    fn new(client: ClientKey) -> Crowd {
        Crowd {
            client,
            left: Cell::new(FREE),
            since: Cell::new(clock::now()),
            waiting: RefCell::default(),
            called: Cell::default(),
            began: Cell::default(),
            round: Cell::default(),
            next: Cell::default(),
            asks: Cell::default(),
        }
    }

    /// Time is asked for where there seems to be none left only.
    fn has_polls(&self) -> bool {
        if self.left.get() > 0 {
            return true;
        }
        let is_due = clock::since(self.since.get()) >= REFILLED;
        if is_due {
            self.refill(FREE);
        }
        is_due
    }

    fn refill(&self, polls: usize) {
        self.left.set(polls);
        self.since.set(clock::now());
    }

    /// Whether it is the turn of the task with this number, and there is time left.
    fn calls(&self, number: Number) -> bool {
        if number >= self.called.get() {
            return false;
        }
        let now = clock::now();
        let began = self.began.get().unwrap_or(now);
        self.began.set(Some(began));
        let has_time = now.saturating_duration_since(began) < TURN;
        if !has_time {
            self.end_turn();
        }
        has_time
    }

    /// Whoever was called and has not run yet goes first in the next one.
    fn end_turn(&self) {
        self.called.set((0, 0));
    }

    /// Turns come until nobody waits.
    async fn renewed(self: Rc<Self>) {
        while !self.waiting.borrow().is_empty() {
            let turn = next_of(self.client, Who::Crowd).await;
            let waiting = self.waiting.borrow();
            self.began.set(None);
            for ((round, number), waker) in waiting.iter().take(POLLS) {
                self.round.set(*round);
                self.called.set((*round, number + 1));
                waker.wake_by_ref();
            }
            self.refill(FREE.saturating_sub(waiting.len()));
            drop((waiting, turn));
            // Whoever was called has run when the next turn comes, or has to wait again.
        }
        self.asks.set(false);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests;
