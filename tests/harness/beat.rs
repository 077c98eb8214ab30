//! Peers that are slow on purpose, and never silent for as long as they would be given up for.
//!
//! In: what such a peer does, with a pause between its steps. Out: that it was served; or another try,
//! where this machine held the peer itself up and nothing was shown. Never: lets a busy machine fail a
//! test, or a proxy that gives such a peer up pass one.

use std::thread;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);
const TRIES: usize = 20;

/// The steps of a slow peer.
#[derive(Debug)]
pub struct Beat {
    last: Instant,
    longest: Duration,
}

/// Has a peer be slow until it `is_served`, with no pause as long as `limit`.
///
/// # Panics
/// Where it is not, though it made no such pause.
#[track_caller]
pub fn slowly(limit: Duration, mut is_served: impl FnMut(&mut Beat) -> bool) {
    for _ in 0..TRIES {
        let mut beat = Beat { last: Instant::now(), longest: Duration::ZERO };
        if is_served(&mut beat) {
            return;
        }
        beat.step();
        // The other half may be lost on the way.
        assert!(beat.longest >= limit / 2, "given up after {:?} of {limit:?}", beat.longest);
    }
    panic!("this machine lets no peer be so quick: a pause of {:?} at most", limit / 2);
}

impl Beat {
    /// A short pause.
    pub fn pause(&mut self) {
        thread::sleep(PAUSE);
        self.step();
    }

    fn step(&mut self) {
        let now = Instant::now();
        self.longest = self.longest.max(now - self.last);
        self.last = now;
    }
}
