//! The files that a configuration is made from, and when they are others.
//!
//! In: [`Sources`], as a reload read them. Out: the moment when something of it changed and is
//! complete, and which files are to be left as they were, since somebody is writing to them. Never: on
//! the thread that hears signals; a file may lie on a mount that is dead.
#![expect(clippy::disallowed_methods, reason = "files are watched on the control side")]

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use weir_core::clock;
use weir_core::config::{Sources, Stamp, file, is_configuration};

use super::notices::{Notice, Notices};
use super::settling::{Changed, How, Settled, Settling, looks_unfinished};
use super::writers::Writers;

/// File systems that tell nothing, as those of a network, are looked at this often.
const POLL: Duration = Duration::from_secs(5);
/// The same where the system tells nothing at all.
const POLL_ALONE: Duration = Duration::from_secs(2);
/// How often files that change are looked at until they are complete: at first, and later.
const TICK: Duration = Duration::from_millis(50);
const LATE_TICK: Duration = Duration::from_secs(1);
/// A file is taken as one that somebody writes for this long after he last did, unless it was
/// closed. A cut by path looks the same, and is never closed.
const WRITTEN: Duration = Duration::from_secs(30);
/// The same where nothing was written since there is a file of that name: a hard link looks so.
const MADE: Duration = Duration::from_secs(3);
/// A file that is written for longer is worth a word.
const TELL_AFTER: Duration = Duration::from_secs(10);

/// Followed files.
pub struct Files {
    /// As they were before they were last read, in vain or not.
    stamps: Sources,
    notices: Option<Notices>,
    /// By a path without links: who is being written, and until when that is believed.
    open: HashMap<PathBuf, Instant>,
    writers: Writers,
    /// Where something changed and is not complete.
    settling: Option<Settling>,
    /// What it was said of that it is written for long.
    told: BTreeSet<PathBuf>,
}

/// How followed files are now.
enum Look {
    AsRead,
    Settling,
    /// To be read, without these.
    Settled(Vec<PathBuf>),
}

impl Files {
    /// To be made, and used, on one runtime.
    pub fn new() -> Files {
        let notices = Notices::new().inspect_err(|error| {
            tracing::warn!(%error, every = ?POLL_ALONE, "no file notifications: looking at files");
        });
        Files {
            stamps: Sources::new(),
            notices: notices.ok(),
            open: HashMap::new(),
            writers: Writers::default(),
            settling: None,
            told: BTreeSet::new(),
        }
    }

    /// From now on, changes of these are told; `stamps` are from before they were read.
    pub fn follow(&mut self, stamps: Sources) {
        self.stamps = stamps;
        self.settling = None;
        self.attend();
    }

    /// Returns when a file is another than when it was read, and complete as far as one can tell; with
    /// the files that are not, and are to be left as they were. What is told until the next
    /// [`Files::follow`] is the same change.
    ///
    /// Cancel safe.
    pub async fn changed(&mut self) -> Vec<PathBuf> {
        loop {
            match self.look(None) {
                Look::AsRead => {
                    let poll = if self.notices.is_some() { POLL } else { POLL_ALONE };
                    self.listen(poll).await;
                    self.rest(TICK).await;
                }
                Look::Settling => {
                    let took = self
                        .settling
                        .as_ref()
                        .map_or(Duration::ZERO, |settling| settling.took(clock::now()));
                    self.rest((took / 20).clamp(TICK, LATE_TICK)).await;
                }
                Look::Settled(without) => return without,
            }
        }
    }

    /// Whether a file is another than when it was read, complete or not, but for these.
    pub fn have_changed(&mut self, without: &[PathBuf]) -> bool {
        self.differing(clock::now()).iter().any(|changed| !without.contains(&changed.path))
    }

    /// As [`Files::changed`], for those who ask for a reload now: at once where nothing changes, and at
    /// most so much later.
    pub async fn settled(&mut self, patience: Duration) -> Vec<PathBuf> {
        let until = clock::now() + patience;
        // What was told until now is heard.
        self.listen(Duration::from_millis(1)).await;
        loop {
            match self.look(Some(until)) {
                Look::AsRead => return Vec::new(),
                Look::Settling => self.rest(TICK).await,
                Look::Settled(without) => return without,
            }
        }
    }

    fn look(&mut self, until: Option<Instant>) -> Look {
        let now = clock::now();
        let changed = self.differing(now);
        if changed.is_empty() {
            self.settling = None;
            return Look::AsRead;
        }
        let settling = self.settling.get_or_insert_with(|| Settling::begin(now));
        let settled = settling.look(now, &changed, until);
        let took = settling.took(now);
        let open = changed.iter().filter(|changed| changed.how == How::Open);
        let open: BTreeSet<PathBuf> = open.map(|changed| changed.path.clone()).collect();
        self.told.retain(|path| open.contains(path));
        match settled {
            Settled::NotYet => {
                if took >= TELL_AFTER && !open.is_subset(&self.told) {
                    tracing::warn!(files = ?open, "still being written to: what was read before serves");
                    self.told = open;
                }
                Look::Settling
            }
            Settled::Without(mut without) => {
                let files: Vec<_> = changed.iter().map(|changed| &changed.path).collect();
                tracing::debug!(?files, "files changed");
                // What is new in a folder stands for itself.
                let new: Vec<PathBuf> =
                    without.iter().flat_map(|folder| self.new_in(folder)).collect();
                without.extend(new);
                Look::Settled(without)
            }
        }
    }

    /// Files that are others than when they were read, and how.
    fn differing(&mut self, now: Instant) -> Vec<Changed> {
        let changed: Vec<_> = self
            .stamps
            .iter()
            .map(|(path, before)| (path.clone(), Stamp::of(path), *before))
            .filter(|(_, stamp, before)| stamp != before)
            .map(|(path, stamp, _)| (self.behind(&path), path, stamp))
            .collect();
        let all = changed.iter().flat_map(|(behind, ..)| behind.iter().cloned()).collect();
        let written = self.writers.of(now, all);
        let is_open = |file: &PathBuf| {
            written.contains(file) || self.open.get(file).is_some_and(|until| *until > now)
        };
        let how = |behind: &[PathBuf], path: &Path| match () {
            () if behind.iter().any(is_open) => How::Open,
            () if ends_in_the_middle(path) => How::Unfinished,
            () => How::Closed,
        };
        let changed = changed.iter();
        changed
            .map(|(behind, path, stamp)| Changed {
                path: path.clone(),
                stamp: *stamp,
                how: how(behind, path),
            })
            .collect()
    }

    /// The files that a followed path leads to, by paths without links: of a folder, those that are new
    /// in it.
    fn behind(&self, path: &Path) -> Vec<PathBuf> {
        let new = self.new_in(path);
        let files = if new.is_empty() { vec![path.to_owned()] } else { new };
        files.iter().filter_map(|file| file.canonicalize().ok()).collect()
    }

    fn new_in(&self, folder: &Path) -> Vec<PathBuf> {
        if !folder.is_dir() {
            return Vec::new();
        }
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let files = entries.map(|entry| entry.path());
        let is_new = |path: &PathBuf| is_configuration(path) && !self.stamps.contains_key(path);
        files.filter(is_new).collect()
    }

    /// Lets a while pass and hears what was told meanwhile: however often a file changes, all of
    /// them are looked at this often only.
    async fn rest(&mut self, pause: Duration) {
        tokio::time::sleep(pause).await;
        self.listen(Duration::ZERO).await;
    }

    /// Waits for news, at most so long.
    async fn listen(&mut self, patience: Duration) {
        let Some(notices) = &mut self.notices else { return tokio::time::sleep(patience).await };
        match tokio::time::timeout(patience, notices.next()).await {
            Err(_) => {}
            Ok(Ok(news)) => self.hear(news),
            Ok(Err(error)) => {
                tracing::warn!(%error, "file notifications ended: looking at files");
                self.notices = None;
            }
        }
    }

    fn hear(&mut self, news: Vec<Notice>) {
        let now = clock::now();
        let mut elsewhere = false;
        for notice in news {
            elsewhere |= matches!(notice, Notice::Renamed | Notice::Made(_));
            match notice {
                Notice::Renamed | Notice::Missed => {}
                Notice::Made(path) => drop(self.open.insert(path, now + MADE)),
                Notice::Written(path) => drop(self.open.insert(path, now + WRITTEN)),
                Notice::Closed(path) => drop(self.open.remove(&path)),
            }
        }
        self.open.retain(|path, until| *until > now && path.exists());
        if elsewhere {
            // Other files may stand behind the same names.
            self.attend();
        }
    }

    fn attend(&mut self) {
        let Some(notices) = &mut self.notices else { return };
        if let Err(error) = notices.follow(self.stamps.keys().map(PathBuf::as_path)) {
            tracing::warn!(%error, every = ?POLL, "some files cannot be watched: looking at them");
        }
    }
}

fn ends_in_the_middle(path: &Path) -> bool {
    path.extension().is_some_and(|is| is == "toml")
        && file::read_text(path, file::CONFIGURATION).is_ok_and(|text| looks_unfinished(&text))
}

#[cfg(test)]
mod tests;
