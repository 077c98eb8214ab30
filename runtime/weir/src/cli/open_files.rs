//! How many files, and so connections, this process may have open.
//!
//! In: the limits that the system gave it. Out: the soft limit, raised to the hard one, and room for
//! many from the start. Never: fails; a daemon with fewer connections is better than none.

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that there is room for from the start, where the limit allows as many: half a MiB of the
/// system's memory.
const ROOM: u64 = 1 << 16;

/// Raises the soft limit, which many systems leave at 1,024 for programs that use `select`.
pub fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(now) = current else { return };
    if maximum.is_some_and(|maximum| maximum <= now) {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::debug!(from = now, to = ?maximum, "open files: the limit was raised"),
        Err(error) => tracing::warn!(%error, limit = now, "open files: the limit stays"),
    }
}

/// Makes the system's table of this process's descriptors as large as it is going to be.
///
/// It is doubled when it is full, and whoever opens a file then waits until every processor has forgotten
/// the smaller one: several milliseconds, in which a worker of this process serves nobody, ten times until
/// it has room for as many. Here it is before there are any.
pub fn make_room() {
    let room = getrlimit(Resource::Nofile).current.map_or(ROOM, |limit| limit.min(ROOM));
    let Some(last) = room.checked_sub(1).and_then(|last| i32::try_from(last).ok()) else { return };
    // Dropped at once: the table never shrinks.
    if let Err(error) = fcntl_dupfd_cloexec(std::io::stderr(), last) {
        tracing::debug!(%error, room, "open files: no room was made ahead");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        let low = Rlimit { current: Some(512), maximum };
        setrlimit(Resource::Nofile, low).expect("it may be lowered");
        raise();
        assert_eq!(getrlimit(Resource::Nofile).current, maximum);
    }
}
