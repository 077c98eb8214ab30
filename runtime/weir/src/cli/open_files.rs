//! How many files, and so connections, this process may have open.
//!
//! In: the limits that the system gave it. Out: the soft limit, raised to the hard one. Never:
//! fails; a daemon with fewer connections is better than none.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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
