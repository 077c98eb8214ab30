//! What hooks hold while they wait for an answer to a call of theirs.
//!
//! In: an endpoint that never answers, and how many hooks wait for it at once. Out: the daemon's memory beyond what
//! it had, and the same for as many requests that wait themselves. Never: judges.

use std::thread;

use crate::daemon::Daemon;
use crate::load::{Endpoint, Load};
use crate::rows;

const MIB: f64 = (1 << 20) as f64;

/// Measures both, each on a daemon of its own with two workers, and prints them.
pub fn measure(endpoint: &Endpoint, many: usize) {
    let themselves = held(endpoint, "/waiting-itself", many);
    let hooks = held(endpoint, "/waiting", many);
    println!(
        "\n{many} hooks that wait hold {:.1} MiB, as many requests that wait themselves {:.1}",
        hooks / MIB,
        themselves / MIB
    );
}

fn held(endpoint: &Endpoint, path: &str, many: usize) -> f64 {
    let daemon = Daemon::start(2, endpoint);
    let load = Load { proxy: daemon.web(), connections: 1 };
    load.check(&rows::PLAIN);
    let before = daemon.resident();
    let (asking, waiting) = thread::scope(|scope| {
        let waiting = scope.spawn(|| endpoint.taken(many));
        (load.begin(path, many), waiting.join().expect("all are taken"))
    });
    let held = daemon.resident() - before;
    // Nobody else waits with them.
    load.check(&rows::PLAIN);
    drop((asking, waiting));
    held
}
