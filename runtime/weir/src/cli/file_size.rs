//! A limit on the size of files (`ulimit -f`, `LimitFSIZE=`) is met as a full disk is.
//!
//! In: nothing. Out: a word where the limit is a low one; a write beyond the limit fails with EFBIG, and whoever writes copes. Never: lets
//! the system end the process for it, which is what SIGXFSZ does by itself.

use rustix::process::{Resource, Signal, getrlimit};
use tokio::signal::unix::{SignalKind, signal};

/// From now on, for as long as the process lives, also of children that are this program.
pub fn survive() {
    // A handler stays when its runtime has gone. Where there is no descriptor to make one, whatever
    // comes next says so.
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
        return;
    };
    let _entered = runtime.enter();
    let _ = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
}

/// Compiled components of plugins are up to 3 MB, and bear no lower limit well.
const LOW: u64 = 16 << 20;

/// Says so where the limit is low.
pub fn tell() {
    if let Some(limit) = getrlimit(Resource::Fsize).current.filter(|limit| *limit < LOW) {
        tracing::warn!(
            limit,
            "size of files: beyond the limit log lines are lost, compiled components are not kept, \
             and plugins whose memory begins with more cannot start; raise `ulimit -f` or LimitFSIZE="
        );
    }
}
