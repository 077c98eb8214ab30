//! What the machine itself does meanwhile: a virtual one may not get the processors that it believes to
//! have.
//!
//! In: the system's own account of its processors. Out: the share of their time that went elsewhere,
//! between two looks; processors that are not given away while they are idle; threads that run as if they
//! were on other machines. Never: takes time from what is measured.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::thread::JoinHandle;

use thread_priority::{
    NormalThreadSchedulePolicy, RealtimeThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

/// Up to "steal", in the order of the first line (proc(5)).
const KINDS: usize = 8;

/// Times of all processors together, since the system began.
#[derive(Clone, Copy)]
pub struct Machine {
    all: u64,
    stolen: u64,
}

/// A share of time.
pub struct Stolen(f64);

/// Keeps idle processors waiting instead of halting, as long as the file is open: a virtual one that
/// halts goes to somebody else, and comes back milliseconds after it is wanted. A machine that serves
/// a thousand requests a second among others' work is seldom idle.
///
/// # Errors
/// Where the system does not allow it.
pub fn stay_awake() -> io::Result<File> {
    let mut latency = File::options().write(true).open("/dev/cpu_dma_latency")?;
    // Microseconds that it may take to wake (Linux's Documentation/power/pm_qos_interface.rst).
    latency.write_all(&0_i32.to_ne_bytes())?;
    Ok(latency)
}

/// Runs, in a thread of its own, what is on other machines in truth: it gets what the proxy and its
/// ordinary clients leave of the processors, as do the threads that it starts.
///
/// A processor that only has such work is an idle one to the system (`SCHED_IDLE`, sched(7)). With the
/// least of ordinary priorities it is not, and two workers share the other one for as long as its turn is.
pub fn elsewhere<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    std::thread::spawn(|| {
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle)
            .expect("a lower priority");
        work()
    })
}

/// The calling thread, and what it starts, is on another machine in truth, one that is not busy: for
/// ordinary clients and their endpoint, which do not wait for the proxy but for its answers. Where the
/// system does not allow that they are measured with what they wait for a processor.
pub fn precedes() {
    let first = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let _ = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, first);
}

impl Machine {
    /// Nothing, where the system says nothing.
    pub fn look() -> Machine {
        let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
        let words = text.lines().next().unwrap_or_default().split_ascii_whitespace();
        let times: Vec<u64> =
            words.skip(1).take(KINDS).filter_map(|time| time.parse().ok()).collect();
        Machine { all: times.iter().sum(), stolen: times.get(KINDS - 1).copied().unwrap_or(0) }
    }

    /// What went elsewhere since an earlier look.
    pub fn stolen_since(self, before: Machine) -> Stolen {
        let all = self.all.saturating_sub(before.all).max(1);
        Stolen(self.stolen.saturating_sub(before.stolen) as f64 / all as f64)
    }
}

impl Stolen {
    /// So much that times tell more of the machine's neighbours than of the proxy: as many moments are
    /// lost as a hundredth is.
    pub fn is_much(&self) -> bool {
        self.0 > 0.005
    }
}

impl fmt::Display for Stolen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} % stolen", self.0 * 100.0)
    }
}
