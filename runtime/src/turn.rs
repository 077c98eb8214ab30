//! A task's turn: how long it works before the others of its worker get theirs.
//!
//! In: polls of tasks, and the steps that they take within: a read or write of a socket, some frames.
//! Out: whether one more step is to be taken now. Never: asks for the time on behalf of a task that has
//! little to do.
//!
//! The runtime counts steps too, but steps differ by the thousandfold in what they cost.

use std::cell::Cell;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long a task works at a time; a plugin's slice is as long.
pub const TURN: Duration = Duration::from_micros(250);

/// Steps of a turn before time is looked at: more than an ordinary request takes in one poll.
const UNTIMED: u32 = 6;

/// A task of this worker that works in turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task(u64);

/// The turn that is under way.
#[derive(Debug, Clone, Copy)]
struct Turn {
    task: Task,
    steps: u32,
    /// When the first step was taken that is timed.
    since: Option<Instant>,
    is_over: bool,
}

/// What came of a turn.
#[derive(Debug)]
pub struct Taken<R> {
    pub result: R,
    /// It ended before the task had done what it could do now.
    pub was_short: bool,
}

thread_local! {
    /// None: nobody measures.
    static UNDER_WAY: Cell<Option<Turn>> = const { Cell::new(None) };
}

/// Runs what a task does in one turn.
pub fn take<R>(task: Task, work: impl FnOnce() -> R) -> Taken<R> {
    let before = Kept(UNDER_WAY.replace(Some(Turn::of(task))));
    let result = work();
    let was_short = is_over();
    drop(before);
    Taken { result, was_short }
}

/// Runs what has to be done to its end, whatever the turn.
pub fn unmeasured<R>(work: impl FnOnce() -> R) -> R {
    let _before = Kept(UNDER_WAY.take());
    work()
}

/// To be asked before a step. Pending: the turn is over, and the task is woken for its next one.
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    let Some(mut turn) = UNDER_WAY.get() else { return Poll::Ready(()) };
    turn.step();
    UNDER_WAY.set(Some(turn));
    if !turn.is_over {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Whose turn is under way.
pub fn task() -> Option<Task> {
    UNDER_WAY.get().map(|turn| turn.task)
}

/// The turn under way has no time left.
pub fn is_over() -> bool {
    UNDER_WAY.get().is_some_and(|turn| turn.is_over)
}

impl Task {
    /// One more.
    pub fn next() -> Task {
        thread_local! {
            static NEXT: Cell<u64> = const { Cell::new(0) };
        }
        Task(NEXT.replace(NEXT.get() + 1))
    }
}

impl Turn {
    fn of(task: Task) -> Turn {
        Turn { task, steps: 0, since: None, is_over: false }
    }

    fn step(&mut self) {
        self.steps += 1;
        if self.steps <= UNTIMED || self.is_over {
            return;
        }
        let now = Instant::now();
        let since = *self.since.get_or_insert(now);
        self.is_over = now.saturating_duration_since(since) >= TURN;
    }
}

/// What was measured before, put back when dropped: also where the work panics.
struct Kept(Option<Turn>);

impl Drop for Kept {
    fn drop(&mut self) {
        UNDER_WAY.set(self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn steps(most: usize, each: Duration) -> usize {
        let mut cx = Context::from_waker(Waker::noop());
        let one = |_: &usize| {
            let goes = poll_proceed(&mut cx).is_ready();
            std::thread::sleep(each);
            goes
        };
        (0..most).take_while(one).count()
    }

    #[test]
    fn a_turn_is_over_with_its_time() {
        let long = take(Task::next(), || steps(1000, TURN));
        assert!(long.was_short && long.result > UNTIMED as usize, "{long:?}");
        assert!(long.result < UNTIMED as usize + 4, "{long:?}");
        let few = take(Task::next(), || steps(UNTIMED as usize, TURN));
        assert!(!few.was_short && few.result == UNTIMED as usize, "{few:?}");
    }

    #[test]
    fn what_nobody_measures_has_no_end() {
        assert_eq!(steps(20, TURN), 20);
        let taken =
            take(Task::next(), || (unmeasured(|| steps(20, TURN)), steps(UNTIMED as usize, TURN)));
        assert_eq!(taken.result, (20, UNTIMED as usize));
        assert!(!taken.was_short);
        let caught =
            std::panic::catch_unwind(|| take(Task::next(), || panic!("expected")).was_short);
        assert!(caught.is_err() && UNDER_WAY.get().is_none());
    }
}
