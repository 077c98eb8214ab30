//! Calls of a plugin that outlast their first slice: how many there may be, and who has to wait.
//!
//! In: calls that want to begin, and those whose first slice is over. Out: whether one has to wait for
//! its turn before it begins; its part of what may be under way, at once or in a while, or none. Never:
//! lets a client that wants more than its part do so in others' time; delays a call of anybody else
//! that is over with its first slice.
//!
//! A call that is refused has run some slices all the same, and cost an instance. Most calls end within
//! the first, so that nobody can tell before: but a client that has its part, or was refused of late,
//! takes its own turns for them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use weir_core::client::ClientKey;
use weir_core::clock;
use weir_core::shares::{Share, Shares, Standing};

/// The calls of a plugin on one worker that take long.
#[derive(Debug)]
pub struct LongCalls {
    /// Those that leave a quarter of the instances to hooks that do not take long, and to instances that
    /// are made. Half of that quarter may wait for them, each on its instance.
    under_way: Arc<Shares>,
    /// Clients within their part that were refused for want of room, the last ones.
    refused: Mutex<VecDeque<ClientKey>>,
    /// `limits.wait`
    wait: Duration,
}

/// What becomes of a call whose first slice is over.
pub enum Admission {
    /// It is one of those under way.
    Goes(Share),
    /// Others have its client's part: it keeps its instance until one of them is over.
    Waits(Wait),
    Refused,
}

/// The part of a call that waits for it; none: there was none in time.
pub type Wait = Pin<Box<dyn Future<Output = Option<Share>> + Send>>;

/// The most clients that are remembered as refused.
const REMEMBERED: usize = 64;

impl LongCalls {
    /// Of a plugin with so many instances.
    pub fn of(instances: usize, wait: Duration) -> LongCalls {
        let under_way = Shares::new(instances - instances / 4, instances / 8);
        LongCalls { under_way, refused: Mutex::default(), wait }
    }

    /// Whether a call of this client waits for a turn before it runs at all.
    pub fn pays_first(&self, client: ClientKey) -> bool {
        match self.under_way.without(client) {
            None => false,
            Some(Standing::Beyond) => true,
            Some(Standing::Within) => self.refused().contains(&client),
        }
    }

    /// A slice is over of a call that is due then, and is none of those under way.
    pub fn admit(&self, client: ClientKey, due: Option<Instant>) -> Admission {
        if let Some(share) = self.under_way.try_take(client) {
            self.refused().retain(|known| *known != client);
            return Admission::Goes(share);
        }
        if self.under_way.without(client) == Some(Standing::Within) {
            if let Some(waiting) = self.under_way.wait(client) {
                let until = clock::now() + self.wait;
                let until = due.map_or(until, |due| due.min(until));
                let share = tokio::time::timeout_at(until.into(), waiting);
                return Admission::Waits(Box::pin(async { share.await.ok().flatten() }));
            }
            let mut refused = self.refused();
            refused.retain(|known| *known != client);
            refused.truncate(REMEMBERED - 1);
            refused.push_front(client);
        }
        Admission::Refused
    }

    fn refused(&self) -> MutexGuard<'_, VecDeque<ClientKey>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
