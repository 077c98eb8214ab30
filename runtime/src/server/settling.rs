//! When files that change are complete.
//!
//! In: what they look like from time to time, and `now`. Out: whether whoever changes them is done.
//! Never: looks at a file; a configuration that was read between two writes would be served.

use std::time::{Duration, Instant};

use crate::config::Sources;

/// After the last change of a file that was put in place as a whole, by a rename: a second one, as
/// a key with its certificate, may follow.
const AFTER_RENAME: Duration = Duration::from_millis(100);
/// After the last change in place: nobody who writes in several steps pauses for longer.
const AFTER_WRITE: Duration = Duration::from_secs(1);
/// The same where the text looks as if there were more to come.
const AFTER_UNFINISHED: Duration = Duration::from_secs(3);
/// No file that changes all the time holds back the others for longer.
const AT_MOST: Duration = Duration::from_secs(60);

/// How files came to be as they are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// By renames only.
    Renamed,
    /// Written in place, or nobody told.
    Written,
    /// The same, and a text seems to end in the middle.
    Unfinished,
    /// Somebody has one open and writes.
    Open,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    NotYet,
    Complete,
    /// They are to be read though they have not come to rest.
    Restless,
}

/// Files since the first of a row of changes.
#[derive(Debug)]
pub struct Settling {
    began: Instant,
    last: Instant,
    stamps: Sources,
}

impl Settling {
    pub fn begin(now: Instant, stamps: Sources) -> Settling {
        Settling { began: now, last: now, stamps }
    }

    /// The files look like this now.
    pub fn look(&mut self, now: Instant, stamps: Sources, how: How) -> Settled {
        if stamps != self.stamps {
            self.stamps = stamps;
            self.last = now;
        }
        let quiet = now.saturating_duration_since(self.last);
        let enough = match how {
            How::Renamed => quiet >= AFTER_RENAME,
            How::Written => quiet >= AFTER_WRITE,
            How::Unfinished => quiet >= AFTER_UNFINISHED,
            How::Open => false,
        };
        if enough {
            Settled::Complete
        } else if now.saturating_duration_since(self.began) >= AT_MOST {
            Settled::Restless
        } else {
            Settled::NotYet
        }
    }
}

/// Whether a text of TOML seems to end in the middle of what it defines: within a line, or behind a
/// table's head that nothing follows. It may be meant so; it is waited for a little longer.
pub fn looks_unfinished(text: &str) -> bool {
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with('#'));
    !text.ends_with('\n') || last.is_some_and(|line| line.starts_with('[') && line.ends_with(']'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Stamp;

    fn sources(size: usize) -> Sources {
        let path = std::env::temp_dir().join(format!("weir-settling-{}", std::process::id()));
        std::fs::write(&path, vec![b'x'; size]).expect("written");
        Sources::from([(path.clone(), Stamp::of(&path))])
    }

    #[test]
    fn a_pause_between_two_writes_is_waited_for() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let half = sources(1);
        let mut settling = Settling::begin(at(0), half.clone());
        assert_eq!(settling.look(at(250), half.clone(), How::Written), Settled::NotYet);
        let whole = sources(2);
        assert_eq!(settling.look(at(900), whole.clone(), How::Written), Settled::NotYet);
        assert_eq!(settling.look(at(1_899), whole.clone(), How::Written), Settled::NotYet);
        assert_eq!(settling.look(at(1_899), whole.clone(), How::Renamed), Settled::Complete);
        assert_eq!(settling.look(at(1_900), whole.clone(), How::Unfinished), Settled::NotYet);
        assert_eq!(settling.look(at(1_900), whole.clone(), How::Written), Settled::Complete);
        assert_eq!(settling.look(at(3_900), whole.clone(), How::Unfinished), Settled::Complete);
        assert_eq!(settling.look(at(59_999), whole.clone(), How::Open), Settled::NotYet);
        assert_eq!(settling.look(at(60_000), whole, How::Open), Settled::Restless);
    }

    #[test]
    fn texts_that_end_in_the_middle() {
        for (text, unfinished) in [
            ("", true),
            ("[routes.a]\nupstream = \"b\"\n", false),
            ("[routes.a]\nupstream = \"b\"", true),
            ("[routes.a]\n", true),
            ("[routes.a]\n# its keys\n\n", true),
            ("hosts = [\n  \"a\",\n]\n", false),
        ] {
            assert_eq!(looks_unfinished(text), unfinished, "{text:?}");
        }
    }
}
