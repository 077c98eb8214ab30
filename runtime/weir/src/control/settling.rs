//! When files that change are complete.
//!
//! In: what they look like from time to time, and `now`. Out: whether whoever changes them is done, or
//! which of them are to be left as they were. Never: looks at a file; a configuration that was read
//! between two writes would be served.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use weir_core::config::Stamp;

/// After the last change of a file: nobody who writes in several steps pauses for longer. A file that
/// was put in place by a rename is waited for as well: its maker may not be done, and a second one may
/// follow, as a key its certificate.
pub const AFTER_CHANGE: Duration = Duration::from_secs(1);
/// The same where the text looks as if there were more to come.
const AFTER_UNFINISHED: Duration = Duration::from_secs(3);
/// The same where somebody has it open, and writes no more. A file may be held open for ever.
const AFTER_OPEN: Duration = Duration::from_secs(30);
/// How long files that are complete wait for others that are not.
const TOGETHER: Duration = Duration::from_secs(2);
/// A file that changes all the time, and that nobody has open, is read as it is then.
const AT_MOST: Duration = Duration::from_secs(60);

/// How a file is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Nobody is known to be at it.
    Closed,
    /// The same, and it seems to end in the middle.
    Unfinished,
    /// Somebody has it open to write.
    Open,
}

/// A file that is another than when it was read.
#[derive(Debug, Clone)]
pub struct Changed {
    pub path: PathBuf,
    pub stamp: Option<Stamp>,
    pub how: How,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    NotYet,
    /// All files are to be read, but for these.
    Without(Vec<PathBuf>),
}

/// Files since the first of a row of changes.
#[derive(Debug)]
pub struct Settling {
    began: Instant,
    files: BTreeMap<PathBuf, Seen>,
}

/// A file as it was seen last.
#[derive(Debug)]
struct Seen {
    stamp: Option<Stamp>,
    /// When it changed last.
    changed: Instant,
    /// Since when nobody has it open.
    closed: Instant,
}

impl Settling {
    pub fn begin(now: Instant) -> Settling {
        Settling { began: now, files: BTreeMap::new() }
    }

    /// How long it takes by now.
    pub fn took(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    /// These files are others now, and no more of them. `until`: somebody waits, who is to have what is
    /// complete by then.
    pub fn look(&mut self, now: Instant, changed: &[Changed], until: Option<Instant>) -> Settled {
        self.files.retain(|path, _| changed.iter().any(|changed| changed.path == *path));
        let mut busy = Vec::new();
        // How long the first that is complete waits.
        let mut waited = None;
        let mut restless = false;
        for Changed { path, stamp, how } in changed {
            let new = || Seen { stamp: *stamp, changed: now, closed: now };
            let seen = self.files.entry(path.clone()).or_insert_with(new);
            if seen.stamp != *stamp {
                (seen.stamp, seen.changed) = (*stamp, now);
            }
            if *how == How::Open {
                seen.closed = now;
            }
            let quiet = now.saturating_duration_since(seen.changed);
            let enough = match how {
                How::Closed => AFTER_CHANGE,
                How::Unfinished => AFTER_UNFINISHED,
                How::Open => AFTER_OPEN,
            };
            match quiet.checked_sub(enough) {
                Some(longer) => waited = waited.max(Some(longer)),
                None => {
                    restless |= now.saturating_duration_since(seen.closed) >= AT_MOST;
                    busy.push((path.clone(), *how));
                }
            }
        }
        let may_wait_no_longer = waited.is_some_and(|waited| waited >= TOGETHER)
            || until.is_some_and(|until| now >= until);
        if busy.is_empty() || may_wait_no_longer {
            Settled::Without(busy.into_iter().map(|(path, _)| path).collect())
        } else if restless {
            busy.retain(|(_, how)| *how == How::Open);
            Settled::Without(busy.into_iter().map(|(path, _)| path).collect())
        } else {
            Settled::NotYet
        }
    }
}

/// Whether a text of TOML seems to end in the middle of what it defines: within a line, or behind a
/// table's head that nothing follows. It may be meant so; it is waited for a little longer.
pub fn looks_unfinished(text: &str) -> bool {
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with('#'));
    !text.trim_end_matches([' ', '\t']).ends_with('\n')
        || last.is_some_and(|line| line.starts_with('[') && line.ends_with(']'))
}

#[cfg(test)]
mod tests;
