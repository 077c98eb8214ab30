//! A gate that an endpoint's answers wait at, so that no test has to guess how long something takes.
//!
//! In: answers that come to it, and a test that opens it. Out: how many wait. Never: holds anybody
//! for longer than a test may take.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// No answer is held, and no test waits, for longer.
const AT_MOST: Duration = Duration::from_secs(30);

/// Closed at first. Clones are the same gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<(Mutex<State>, Condvar)>);

#[derive(Debug, Default)]
struct State {
    open: bool,
    came: usize,
}

impl Gate {
    /// An answer comes to the gate, and goes through once it is open.
    pub fn pass(&self) {
        let (_, changed) = &*self.0;
        let mut state = self.state();
        state.came += 1;
        changed.notify_all();
        let _ = changed.wait_timeout_while(state, AT_MOST, |state| !state.open);
    }

    /// Waits until so many answers have come.
    ///
    /// # Panics
    /// Where they do not.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        let (_, changed) = &*self.0;
        let waited = changed.wait_timeout_while(self.state(), AT_MOST, |state| state.came < count);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(state.came >= count, "{} of {count} came", state.came);
    }

    /// Lets everybody through from now on.
    pub fn open(&self) {
        self.state().open = true;
        self.0.1.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
