//! How fast a body has to come, at least.
//!
//! In: bytes, and how long each of them was waited for. Out: whether they come fast enough. Never:
//! counts the time in which nobody asked for them; asks for the time.

use std::time::Duration;

/// A least rate, as a mean over a window of waiting.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Bytes in a second.
    least: u64,
    window: Duration,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    pub fn new(least: u64, window: Duration) -> Pace {
        Pace { least, window, waited: Duration::ZERO, bytes: 0 }
    }

    /// So many bytes came after so long a wait. `false`: in the last window too few came.
    pub fn came(&mut self, waited: Duration, bytes: u64) -> bool {
        self.waited += waited;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.waited < self.window {
            return true;
        }
        let millis = u128::from(self.least) * self.waited.as_millis();
        let enough = u128::from(self.bytes) * 1000 >= millis;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of one size, each after a wait of its own; how many come through.
    fn come(pace: &mut Pace, waits: Duration, bytes: u64, times: usize) -> usize {
        (0..times).take_while(|_| pace.came(waits, bytes)).count()
    }

    #[test]
    fn drops_end_and_streams_go_on() {
        let pace = || Pace::new(240, Duration::from_secs(60));
        // One byte every five seconds.
        assert_eq!(come(&mut pace(), Duration::from_secs(5), 1, 100), 11);
        // A pause in what is fast otherwise: 50 seconds without a byte, then a lot.
        let mut paused = pace();
        assert!(paused.came(Duration::from_secs(50), 16 << 10));
        assert_eq!(come(&mut paused, Duration::from_millis(100), 1 << 10, 10_000), 10_000);
        // Fast first, slow later: a beginning buys no time.
        let mut slower = pace();
        assert!(slower.came(Duration::from_secs(1), 100 << 20));
        assert!(come(&mut slower, Duration::from_secs(5), 1, 100) < 30);
        // Exactly the rate.
        assert_eq!(come(&mut pace(), Duration::from_secs(1), 240, 1000), 1000);
        assert_eq!(come(&mut pace(), Duration::from_secs(1), 239, 1000), 59);
        // What nobody waited for.
        assert_eq!(come(&mut pace(), Duration::ZERO, 1, 100_000), 100_000);
    }
}
