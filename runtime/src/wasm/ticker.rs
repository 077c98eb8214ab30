//! The clock hand of deadlines: moves the engine's epoch each millisecond while guests run.
//!
//! In: [`Pulse`]s, one for each plugin and worker, which say whether a guest runs right now. Out:
//! `Engine::increment_epoch`. Never: wakes an idle machine; after [`QUIET_TICKS`] without a running
//! guest the thread parks until the next call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::Thread;
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// Length of a tick: how often the CPU time of a call that lasts is looked at.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without a running guest after which the thread parks.
const QUIET_TICKS: u32 = 100;

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
    shared: Arc<Shared>,
    thread: Thread,
}

/// A guest runs as long as this lives.
#[derive(Debug)]
pub struct Beat<'a>(&'a Pulse);

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
        let handle = std::thread::Builder::new()
            .name("weir-ticker".into())
            .spawn(move || run(&engine, &of_thread))?;
        Ok(Ticker { shared, thread: handle.thread().clone() })
    }

    /// One more caller.
    pub fn pulse(&self) -> Arc<Pulse> {
        let pulse = Arc::new(Pulse {
            running: AtomicBool::new(false),
            beaten: AtomicBool::new(false),
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
}

impl Drop for Beat<'_> {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::Relaxed);
    }
}

impl Shared {
    /// Whether a guest runs now or has run since the last look.
    fn is_active(&self) -> bool {
        let pulses = self.pulses.lock().unwrap_or_else(PoisonError::into_inner);
        pulses.iter().filter_map(Weak::upgrade).fold(false, |active, pulse| {
            let beaten = pulse.beaten.swap(false, Ordering::Relaxed);
            active || beaten || pulse.running.load(Ordering::Relaxed)
        })
    }
}

fn run(engine: &EngineWeak, shared: &Shared) {
    let mut quiet = 0;
    while !shared.stopped.load(Ordering::Relaxed) {
        std::thread::sleep(TICK);
        let Some(engine) = engine.upgrade() else {
            return;
        };
        engine.increment_epoch();
        drop(engine);
        quiet = if shared.is_active() { 0 } else { quiet + 1 };
        if quiet < QUIET_TICKS {
            continue;
        }
        shared.parked.store(true, Ordering::Relaxed);
        std::thread::sleep(TICK);
        if !shared.is_active() && !shared.stopped.load(Ordering::Relaxed) {
            // An unpark that came since the store above makes this return at once. The bound is
            // there only so that the thread notices an engine that is gone.
            std::thread::park_timeout(Duration::from_secs(60));
        }
        shared.parked.store(false, Ordering::Relaxed);
        quiet = 0;
    }
}

#[cfg(test)]
mod tests;
