//! Tasks that always have something to do, and one that looks how much they do: also for the tests of
//! `weir`, which include this file.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::time::Duration;

use tokio::task::{LocalSet, yield_now};

use super::turn;

/// As long as this takes a step of a task that is never done.
pub const STEP: Duration = Duration::from_micros(50);

pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    LocalSet::new().block_on(&runtime.expect("a runtime"), test)
}

/// Has always something to do, and counts its steps.
pub async fn busy(steps: Rc<Cell<usize>>) {
    loop {
        // Wakes its task, as who has bytes to read does.
        poll_fn(turn::poll_proceed).await;
        steps.set(steps.get() + 1);
        std::thread::sleep(STEP);
    }
}

/// Looks of an idle task, one after the other; and the most steps that others took between two.
pub async fn looks(many: usize, steps: &Cell<usize>) -> usize {
    let mut most = 0;
    for _ in 0..many {
        let before = steps.get();
        yield_now().await;
        most = most.max(steps.get() - before);
    }
    most
}
