//! Long work steps aside: a guest runs in slices, and a worker's other tasks between them.
//!
//! In: a call on a fiber, which stops by itself when its slice is over (see
//! [`slice`](mod@super::slice)). Out: the call's result. Never: two slices between two looks at
//! the worker's sockets, however many guests are busy: they take turns, by client and then first come,
//! first served.
//!
//! ```text
//! call ─ first slice, at once ─▶ over ─▶ queue ─ its turn, and sockets were looked at ─▶ next slice ─▶ …
//!   └─ its client is over its part ─ a turn ─▶ first slice ─▶ over ─ some more turns ─▶ refused
//! ```

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use weir_core::client::ClientKey;
use weir_core::clock;
use weir_core::shares::Share;
use weir_core::turns::{self, Line, Offer, Turn};

use super::fault::{TooLate, TooManyLongCalls};
use super::long_calls::{Admission, LongCalls, Wait};
use super::slice;
use super::ticker::{Lasting, Pulse};

thread_local! {
    /// Who may run a slice that has to wait for it.
    static SLICES: Line<Whose> = turns::line();
}

/// Turns that a call has in all before it is refused for want of room among those that take long. What is
/// over in a moment is so on a slow machine too, on an instance whose memory nobody has touched before.
const TURNS: u8 = 4;

/// Who takes a turn: a client's calls that are under way, and those that want to be, alternate.
type Whose = (ClientKey, Slice);

/// What a turn is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Slice {
    First,
    Later,
}

/// How a turn comes.
type Turning = Offer<Whose>;

/// On what terms calls of a plugin run on a worker.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    pub pulse: &'a Pulse,
    /// Hooks that take long: so many, and no more.
    pub long_calls: &'a LongCalls,
    /// For whom this call is made.
    pub client: ClientKey,
    /// When it is to be over; none: nobody waits for it. Looked at between slices.
    pub due: Option<Instant>,
    /// It makes an instance for others: however long that takes, it is none of the long calls, for
    /// there are no more of these than there are instances.
    pub makes_instance: bool,
}

/// A call that runs in slices. Dropping it gives it up.
pub struct Aside<'a, F> {
    running: Pin<&'a mut F>,
    terms: Terms<'a>,
    state: State<'a>,
    /// How often it may go on though there is no room.
    left: u8,
}

/// A call that outlasted a slice: its part of what may be under way, where that is bounded, and of the
/// ticker's attention.
struct Long<'a> {
    share: Option<Share>,
    _lasting: Lasting<'a>,
}

enum State<'a> {
    /// Not begun.
    New,
    /// In its first slice, waiting for a peer.
    Short,
    /// The same as one of these, but its client has its part: waits for its turn.
    Paying { is_new: bool, turn: Turning },
    /// Its first slice is over; waits until it may be one of those under way.
    Parked(Wait),
    /// A slice is over; waits for its turn.
    Queued(Long<'a>, Turning),
    /// Outlasted a slice, waiting for a peer.
    Long(Long<'a>),
}

/// A slice that may run now.
struct Next<'a> {
    is_first: bool,
    long: Option<Long<'a>>,
    turn: Option<Turn<Whose>>,
}

impl<'a, F> Aside<'a, F> {
    pub fn new(running: Pin<&'a mut F>, terms: Terms<'a>) -> Self {
        Aside { running, terms, state: State::New, left: TURNS - 1 }
    }

    /// The next slice, as soon as it may run.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<wasmtime::Result<Next<'a>>> {
        let Terms { long_calls, client, due, .. } = self.terms;
        if let State::New | State::Short = self.state
            && long_calls.pays_first(client)
        {
            let is_new = matches!(self.state, State::New);
            self.state = State::Paying { is_new, turn: next_turn((client, Slice::First)) };
        }
        if let State::Parked(wait) = &mut self.state {
            let Some(share) = ready!(wait.as_mut().poll(cx)) else {
                return Poll::Ready(Err(match is_over(due) {
                    true => TooLate.into(),
                    false => TooManyLongCalls.into(),
                }));
            };
            self.state = self.queued(self.lasts(Some(share)));
        }
        let mut turn = None;
        if let State::Paying { turn: its_turn, .. } | State::Queued(_, its_turn) = &mut self.state {
            turn = ready!(Pin::new(its_turn).poll(cx));
            if is_over(due) {
                return Poll::Ready(Err(TooLate.into()));
            }
        }
        let (is_first, long) = match std::mem::replace(&mut self.state, State::Short) {
            State::New | State::Paying { is_new: true, .. } => (true, None),
            State::Short | State::Paying { .. } | State::Parked(_) => (false, None),
            State::Queued(call, _) | State::Long(call) => (false, Some(call)),
        };
        Poll::Ready(Ok(Next { is_first, long, turn }))
    }

    /// Its slice is over, and it is not done.
    fn step_aside(&mut self, long: Option<Long<'a>>) -> Result<(), TooManyLongCalls> {
        let call = long.unwrap_or_else(|| self.lasts(None));
        self.state = if call.share.is_some() || self.terms.makes_instance {
            self.queued(call)
        } else {
            match self.terms.long_calls.admit(self.terms.client, self.terms.due) {
                Admission::Goes(share) => self.queued(Long { share: Some(share), ..call }),
                Admission::Waits(wait) => State::Parked(wait),
                Admission::Refused if self.left > 0 => {
                    self.left -= 1;
                    self.queued(call)
                }
                Admission::Refused => return Err(TooManyLongCalls),
            }
        };
        Ok(())
    }

    fn lasts(&self, share: Option<Share>) -> Long<'a> {
        Long { share, _lasting: self.terms.pulse.lasts() }
    }

    fn queued(&self, call: Long<'a>) -> State<'a> {
        State::Queued(call, next_turn((self.terms.client, Slice::Later)))
    }
}

impl<F, R> Future for Aside<'_, F>
where
    F: Future<Output = wasmtime::Result<R>>,
{
    type Output = wasmtime::Result<R>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Next { is_first, long, turn } = match ready!(this.poll_next(cx)) {
            Ok(next) => next,
            Err(why) => return Poll::Ready(Err(why)),
        };
        slice::resume(is_first);
        let beat = this.terms.pulse.beat();
        let polled = this.running.as_mut().poll(cx);
        drop(beat);
        let is_over = slice::slice_is_over();
        if polled.is_ready() {
            return polled;
        }
        if !is_over {
            this.state = long.map_or(State::Short, State::Long);
            return Poll::Pending;
        }
        if let Err(why) = this.step_aside(long) {
            return Poll::Ready(Err(why.into()));
        }
        // The next one's, as where this one is over, or only waits for a peer now.
        drop(turn);
        // Its own is never there yet: sockets come first.
        match this.poll_next(cx) {
            Poll::Ready(Err(why)) => Poll::Ready(Err(why)),
            waits => {
                debug_assert!(waits.is_pending());
                Poll::Pending
            }
        }
    }
}

fn is_over(due: Option<Instant>) -> bool {
    due.is_some_and(|due| due <= clock::now())
}

/// The permission to run one slice.
fn next_turn(whose: Whose) -> Turning {
    SLICES.with(|line| Offer::next(line, whose))
}

#[cfg(test)]
mod tests;
