//! The clock hand of deadlines: moves the engine's epoch while guests run.
//!
//! In: [`Pulse`]s, one for each plugin and worker, which say whether a guest runs right now. Out:
//! `Engine::increment_epoch`. Never: wakes an idle machine; after [`QUIET`] without a call
//! the thread parks until the next one.
#![expect(
    clippy::disallowed_methods,
    reason = "it is a thread of its own, which sleeps from tick to tick"
)]

use std::num::NonZeroU64;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::Thread;
use std::time::Duration;

use rustix::process::setpriority_process;
use rustix::thread::set_current_timer_slack;
use wasmtime::{Engine, EngineWeak};
use weir_core::threads;
use weir_core::turn::{self, TURN};

/// Length of a tick while a call lasts: what it may run before it lets others run, so that they wait
/// for two of them at most.
const SHORT_TICK: Duration = TURN;
/// Ticks stay as short for so long after a call that lasted: the first slice of the next one ends with
/// a tick, too.
const AFTERWARDS: Duration = Duration::from_millis(250);
/// Length of a tick while a guest was seen to run.
const TICK: Duration = Duration::from_millis(1);
/// Looks in a row that find a guest running after which ticks are as short: of many calls that are each
/// over before a second tick none would ever last. A guest that is met by chance is not met so often.
const OFTEN: u32 = 8;
/// Longest tick otherwise. Waking a thread costs more than many a call, and nearly all are over
/// before any tick.
const LONG_TICK: Duration = Duration::from_millis(5);
/// How many ticks fit into the shortest deadline at least, so that a call that is over it is met in
/// time.
const TICKS_PER_DEADLINE: u32 = 4;
/// The thread goes before all others where the system allows it: it has little to do, and while it waits
/// for a processor nobody's slice ends.
const NICENESS: i32 = -20;
/// How late the system may wake it to wake others with it, in nanoseconds: by itself Linux takes a fifth
/// of a short tick.
const SLACK: NonZeroU64 = NonZeroU64::MIN;
/// Time without a call after which the thread parks.
const QUIET: Duration = Duration::from_millis(100);

/// The thread that ticks. Ends with the engine, or when this is dropped.
#[derive(Debug)]
pub struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

/// Whether a guest runs, as one caller says. On a cache line of its own, for it is written twice a call.
#[derive(Debug)]
#[repr(align(128))]
pub struct Pulse {
    running: AtomicBool,
    /// Set at each call, cleared by the ticker: short calls between two looks count as well.
    beaten: AtomicBool,
    /// Its calls that are under way and have lasted, whether they run now or wait for their turn.
    lasting: AtomicU32,
    /// How long its calls may run.
    deadline: Duration,
    shared: Arc<Shared>,
    thread: Thread,
}

/// A guest runs as long as this lives.
#[derive(Debug)]
pub struct Beat<'a>(&'a Pulse);

/// A call lasts as long as this lives.
#[derive(Debug)]
pub struct Lasting<'a>(&'a Pulse);

/// What a look at all pulses finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    /// A guest runs now.
    running: bool,
    /// A guest runs now, or has run since the last look.
    active: bool,
    /// A call lasts.
    lasting: bool,
    /// Of all that could run.
    shortest_deadline: Duration,
}

#[derive(Debug, Default)]
struct Shared {
    parked: AtomicBool,
    stopped: AtomicBool,
    pulses: Mutex<Vec<Weak<Pulse>>>,
}

impl Ticker {
    /// Starts the thread.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(engine: &Engine) -> std::io::Result<Ticker> {
        let shared = Arc::new(Shared::default());
        let (engine, of_thread) = (engine.weak(), shared.clone());
        let handle =
            threads::spawn("weir-ticker", "ends what plugins do for too long", move || {
                run(&engine, &of_thread);
            })?;
        Ok(Ticker { shared, thread: handle.thread().clone() })
    }

    /// One more caller, whose calls may take as long as `deadline`.
    pub fn pulse(&self, deadline: Duration) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse {
            running: AtomicBool::new(false),
            beaten: AtomicBool::new(false),
            lasting: AtomicU32::new(0),
            deadline,
            shared: self.shared.clone(),
            thread: self.thread.clone(),
        });
        let mut pulses = self.shared.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.retain(|known| known.strong_count() > 0);
        pulses.push(Arc::downgrade(&pulse));
        pulse
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}

impl Pulse {
    /// Says that a guest runs from now on, and wakes the ticker if it sleeps.
    ///
    /// Plain stores and loads, no fence: the ticker looks once more a whole tick after it said that
    /// it parks, and no store stays unseen that long.
    pub fn beat(&self) -> Beat<'_> {
        self.running.store(true, Ordering::Relaxed);
        self.beaten.store(true, Ordering::Relaxed);
        if self.shared.parked.load(Ordering::Relaxed) {
            self.thread.unpark();
        }
        Beat(self)
    }

    /// A call was not over with its first slice.
    pub fn lasts(&self) -> Lasting<'_> {
        self.lasting.fetch_add(1, Ordering::Relaxed);
        Lasting(self)
    }
}

impl Drop for Lasting<'_> {
    fn drop(&mut self) {
        self.0.lasting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Beat<'_> {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Relaxed);
        turn::guest_ran();
    }
}

impl Look {
    /// When to look again, so long after the last call that lasted, and when so many looks in a row, with
    /// this one, have found a guest running.
    fn tick(self, since: Duration, in_a_row: u32) -> Duration {
        let lasts = self.lasting || self.active && since < AFTERWARDS;
        match (lasts || in_a_row >= OFTEN, self.running) {
            (true, _) => SHORT_TICK,
            (false, true) => TICK,
            (false, false) => (self.shortest_deadline / TICKS_PER_DEADLINE).clamp(TICK, LONG_TICK),
        }
    }
}

impl Shared {
    fn look(&self) -> Look {
        let nobody = Look {
            running: false,
            active: false,
            lasting: false,
            shortest_deadline: Duration::MAX,
        };
        let pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.iter().filter_map(Weak::upgrade).fold(nobody, |look, pulse| {
            let beaten = pulse.beaten.swap(false, Ordering::Relaxed);
            let running = pulse.running.load(Ordering::Relaxed);
            let lasting = pulse.lasting.load(Ordering::Relaxed) > 0;
            Look {
                running: look.running || running,
                active: look.active || beaten || running || lasting,
                lasting: look.lasting || lasting,
                shortest_deadline: look.shortest_deadline.min(pulse.deadline),
            }
        })
    }
}

fn run(engine: &EngineWeak, shared: &Shared) {
    // To Linux a thread is a process here. Without the privilege it is one of many.
    let _ = setpriority_process(None, NICENESS);
    let _ = set_current_timer_slack(Some(SLACK));
    let mut quiet = Duration::ZERO;
    let mut since = Duration::MAX;
    let mut in_a_row: u32 = 0;
    let mut tick = TICK;
    while !shared.stopped.load(Ordering::Relaxed) {
        std::thread::sleep(tick);
        let Some(engine) = engine.upgrade() else {
            return;
        };
        engine.increment_epoch();
        drop(engine);
        let look = shared.look();
        quiet = if look.active { Duration::ZERO } else { quiet + tick };
        since = if look.lasting { Duration::ZERO } else { since.saturating_add(tick) };
        in_a_row = if look.running { in_a_row.saturating_add(1) } else { 0 };
        tick = look.tick(since, in_a_row);
        if quiet < QUIET {
            continue;
        }
        shared.parked.store(true, Ordering::Relaxed);
        std::thread::sleep(TICK);
        if !shared.look().active && !shared.stopped.load(Ordering::Relaxed) {
            // An unpark that came since the store above makes this return at once. The bound is
            // there only so that the thread notices an engine that is gone.
            std::thread::park_timeout(Duration::from_secs(60));
        }
        shared.parked.store(false, Ordering::Relaxed);
        (quiet, tick) = (Duration::ZERO, TICK);
    }
}

#[cfg(test)]
mod tests;
