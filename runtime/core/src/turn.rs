//! A task's turn: how long it works before the others of its worker get theirs.
//!
//! In: polls of tasks, and the steps that they take within: a read or write of a socket, some frames.
//! Out: whether one more step is to be taken now. Never: asks for the time on behalf of a task that has
//! little to do.
//!
//! The runtime counts steps too, but steps differ by the thousandfold in what they cost.
#![expect(
    clippy::disallowed_methods,
    reason = "a turn is time of the processor, whatever timers do"
)]

use std::cell::Cell;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How long a task works at a time; a plugin's slice is as long.
pub const TURN: Duration = Duration::from_micros(250);

/// Steps of a turn before time is looked at: more than an ordinary request takes in one poll.
const UNTIMED_STEPS: u32 = 6;

/// Steps that a guest's call counts for: it takes up to a slice, which is much longer than one.
const GUEST_STEPS: u32 = 2;

/// Bytes that a step moves; of more, each as many count for one more. Some hundred kilobytes at a time,
/// into memory that is new, are a turn before six steps are over.
const STEP_BYTES: usize = 32 << 10;

/// Timed steps that are much to do, however short they were: a task that does not stop for the turn's end
/// may be polled again at once, as a connection is with a pipeline of requests.
const MANY_STEPS: u32 = 8;

/// A task of this worker that works in turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Task(u64);

/// The turn that is under way, but for its first steps.
#[derive(Debug, Clone, Copy)]
struct Turn {
    task: Task,
    /// When the first step was taken that is timed, or that moved many bytes.
    since: Option<Instant>,
    /// How many of these were taken.
    timed: u32,
    is_over: bool,
}

/// What came of a turn.
#[derive(Debug)]
pub struct Taken<R> {
    pub result: R,
    /// It ended before the task had done what it could do now, or that was much: where there is more, it
    /// is for the next turn.
    pub was_short: bool,
}

thread_local! {
    /// None: nobody measures.
    static UNDER_WAY: Cell<Option<Turn>> = const { Cell::new(None) };
    /// Its steps that are still untimed: apart, for most steps look at nothing else.
    static UNTIMED: Cell<u32> = const { Cell::new(0) };
}

/// Runs what a task does in one turn.
pub fn take<R>(task: Task, work: impl FnOnce() -> R) -> Taken<R> {
    let before = Kept::instead(Some(Turn::of(task)), UNTIMED_STEPS);
    let result = work();
    let was_short = UNDER_WAY.get().is_some_and(|turn| turn.is_over || turn.timed >= MANY_STEPS);
    drop(before);
    Taken { result, was_short }
}

/// Runs what has to be done to its end, whatever the turn.
pub fn unmeasured<R>(work: impl FnOnce() -> R) -> R {
    let _before = Kept::instead(None, 0);
    work()
}

/// To be asked before a step. Pending: the turn is over, and the task is woken for its next one.
#[inline]
pub fn poll_proceed(cx: &mut Context<'_>) -> Poll<()> {
    match UNTIMED.get().checked_sub(1) {
        Some(left) => {
            UNTIMED.set(left);
            Poll::Ready(())
        }
        None => poll_timed(cx),
    }
}

/// The same of a step after the first ones.
#[cold]
fn poll_timed(cx: &mut Context<'_>) -> Poll<()> {
    let Some(mut turn) = UNDER_WAY.get() else { return Poll::Ready(()) };
    if !turn.is_over {
        let now = Instant::now();
        let since = *turn.since.get_or_insert(now);
        turn.is_over = now.saturating_duration_since(since) >= TURN;
        turn.timed += 1;
        UNDER_WAY.set(Some(turn));
    }
    if !turn.is_over {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// A guest has run: a turn has room for few of them before time is looked at.
pub fn guest_ran() {
    count(GUEST_STEPS);
}

/// A step moved so many bytes.
#[inline]
pub fn moved(bytes: usize) {
    if bytes > STEP_BYTES {
        moved_many(bytes);
    }
}

/// The turn's time runs from here on, if it does not yet.
#[cold]
fn moved_many(bytes: usize) {
    count(u32::try_from(bytes / STEP_BYTES).unwrap_or(u32::MAX));
    if let Some(mut turn) = UNDER_WAY.get()
        && turn.since.is_none()
    {
        turn.since = Some(Instant::now());
        UNDER_WAY.set(Some(turn));
    }
}

/// So many steps were taken.
fn count(steps: u32) {
    UNTIMED.set(UNTIMED.get().saturating_sub(steps));
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
        Turn { task, since: None, timed: 0, is_over: false }
    }
}

/// What was measured before, put back when dropped: also where the work panics.
struct Kept {
    turn: Option<Turn>,
    untimed: u32,
}

impl Kept {
    fn instead(turn: Option<Turn>, untimed: u32) -> Kept {
        Kept { turn: UNDER_WAY.replace(turn), untimed: UNTIMED.replace(untimed) }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        UNDER_WAY.set(self.turn);
        UNTIMED.set(self.untimed);
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
        assert!(long.was_short && long.result > UNTIMED_STEPS as usize, "{long:?}");
        assert!(long.result < UNTIMED_STEPS as usize + 4, "{long:?}");
        let few = take(Task::next(), || steps(UNTIMED_STEPS as usize, TURN));
        assert!(!few.was_short && few.result == UNTIMED_STEPS as usize, "{few:?}");
    }

    /// Their time before the first timed step goes uncounted.
    #[test]
    fn few_guests_run_before_time_is_looked_at() {
        let taken = take(Task::next(), || {
            let mut cx = Context::from_waker(Waker::noop());
            let one = |_: &usize| {
                let goes = poll_proceed(&mut cx).is_ready();
                std::thread::sleep(TURN);
                guest_ran();
                goes
            };
            (0..1000).take_while(one).count()
        });
        assert!(taken.was_short && taken.result <= 3, "{taken:?}");
    }

    /// A read into new memory takes as long as many small ones.
    #[test]
    fn many_bytes_are_several_steps() {
        let taken = take(Task::next(), || {
            moved(STEP_BYTES);
            let few = UNTIMED.get();
            moved(2 * STEP_BYTES);
            (few, UNTIMED.get())
        });
        assert_eq!(taken.result, (UNTIMED_STEPS, UNTIMED_STEPS - 2));
        let bulk = take(Task::next(), || {
            moved(usize::MAX);
            steps(1000, TURN)
        });
        assert!(bulk.was_short && bulk.result == 1, "{bulk:?}");
        moved(usize::MAX);
        assert_eq!(steps(20, TURN), 20, "nobody measures");
    }

    /// Though none of them was long, and nobody stops at the turn's end.
    #[test]
    fn many_steps_are_much() {
        let few = (UNTIMED_STEPS + MANY_STEPS) as usize - 1;
        assert!(!take(Task::next(), || steps(few, Duration::ZERO)).was_short);
        let many = take(Task::next(), || steps(few + 1, Duration::ZERO));
        assert!(many.was_short && many.result == few + 1, "{many:?}");
    }

    #[test]
    fn what_nobody_measures_has_no_end() {
        assert_eq!(steps(20, TURN), 20);
        let taken = take(Task::next(), || {
            (unmeasured(|| steps(20, TURN)), steps(UNTIMED_STEPS as usize, TURN))
        });
        assert_eq!(taken.result, (20, UNTIMED_STEPS as usize));
        assert!(!taken.was_short);
        let caught =
            std::panic::catch_unwind(|| take(Task::next(), || panic!("expected")).was_short);
        assert!(caught.is_err() && UNDER_WAY.get().is_none());
    }
}
