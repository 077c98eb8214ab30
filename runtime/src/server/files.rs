//! The files that a configuration is made from, and when they are others.
//!
//! In: [`Sources`], as a reload read them. Out: the moment when something of it changed and is
//! complete. Never: on the thread that hears signals; a file may lie on a mount that is dead.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::notices::{Notice, Notices};
use super::settling::{How, Settled, Settling, looks_unfinished};
use crate::config::{Sources, Stamp, file};

/// File systems that tell nothing, as those of a network, are looked at this often.
const POLL: Duration = Duration::from_secs(5);
/// The same where the system tells nothing at all.
const POLL_ALONE: Duration = Duration::from_secs(2);
/// How often files that change are looked at until they are complete.
const TICK: Duration = Duration::from_millis(50);
/// A file is taken as one that somebody writes for this long after he last did, unless it was
/// closed. A cut by path looks the same, and is never closed.
const WRITTEN: Duration = Duration::from_secs(30);
/// The same where nothing was written since there is a file of that name: a hard link looks so.
const MADE: Duration = Duration::from_secs(3);

/// Followed files.
pub struct Files {
    /// As they were before they were last read, in vain or not.
    stamps: Sources,
    notices: Option<Notices>,
    /// By a path without links: who is being written, and until when that is believed.
    open: HashMap<PathBuf, Instant>,
    /// What was told since the last reading.
    renamed: bool,
    in_place: bool,
}

impl Files {
    /// To be made, and used, on one runtime.
    pub fn new() -> Files {
        let notices = Notices::new().inspect_err(|error| {
            tracing::warn!(%error, every = ?POLL_ALONE, "no file notifications: looking at files");
        });
        let (stamps, open) = (Sources::new(), HashMap::new());
        Files { stamps, notices: notices.ok(), open, renamed: false, in_place: false }
    }

    /// From now on, changes of these are told; `stamps` are from before they were read.
    pub fn follow(&mut self, stamps: Sources) {
        self.stamps = stamps;
        (self.renamed, self.in_place) = (false, false);
        self.attend();
    }

    /// Returns when a file is another than when it was read, and complete as far as one can tell.
    /// What is told until the next [`Files::follow`] is the same change.
    ///
    /// Cancel safe.
    pub async fn changed(&mut self) {
        loop {
            let now = self.now();
            if self.differing(&now).is_empty() {
                let poll = if self.notices.is_some() { POLL } else { POLL_ALONE };
                self.listen(poll).await;
                self.rest().await;
                continue;
            }
            let mut settling = Settling::begin(Instant::now(), now);
            let changed = loop {
                let now = self.now();
                let changed = self.differing(&now);
                match settling.look(Instant::now(), now, self.how(&changed)) {
                    Settled::NotYet => self.rest().await,
                    Settled::Complete => break changed,
                    Settled::Restless => {
                        tracing::warn!(files = ?changed, "files change all the time: read as they are");
                        break changed;
                    }
                }
            };
            // They may be again as they were.
            if !changed.is_empty() {
                tracing::debug!(files = ?changed, "files changed");
                return;
            }
        }
    }

    /// Whether a file is another than when it was read, complete or not.
    pub fn have_changed(&self) -> bool {
        !self.differing(&self.now()).is_empty()
    }

    /// Waits, not for long, for files that are being written, and gives one that still is. For
    /// those who ask for a reload now.
    pub async fn unfinished(&mut self, patience: Duration) -> Option<PathBuf> {
        let until = Instant::now() + patience;
        loop {
            // What was told until now is heard.
            self.listen(Duration::from_millis(1)).await;
            // Whatever is open for longer than a file that was only made.
            let written = self.written(Instant::now() + MADE)?;
            if Instant::now() >= until {
                return Some(written);
            }
            self.rest().await;
        }
    }

    fn now(&self) -> Sources {
        self.stamps.keys().map(|path| (path.clone(), Stamp::of(path))).collect()
    }

    fn differing(&self, now: &Sources) -> Vec<PathBuf> {
        let all = self.stamps.iter();
        let others = all.filter(|(path, before)| now.get(*path) != Some(*before));
        others.map(|(path, _)| path.clone()).collect()
    }

    fn how(&self, changed: &[PathBuf]) -> How {
        if self.written(Instant::now()).is_some() {
            return How::Open;
        }
        if self.renamed && !self.in_place {
            return How::Renamed;
        }
        if changed.iter().any(|path| ends_in_the_middle(path)) {
            return How::Unfinished;
        }
        How::Written
    }

    /// A file that somebody writes, as far as is believed at `now`.
    fn written(&self, now: Instant) -> Option<PathBuf> {
        self.open.iter().find(|(_, until)| **until > now).map(|(path, _)| path.clone())
    }

    /// Lets a while pass and hears what was told meanwhile: however often a file changes, all of
    /// them are looked at this often only.
    async fn rest(&mut self) {
        tokio::time::sleep(TICK).await;
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
        let now = Instant::now();
        let mut elsewhere = false;
        for notice in news {
            let renamed = notice == Notice::Renamed;
            self.renamed |= renamed;
            self.in_place |= !renamed;
            elsewhere |= renamed || matches!(notice, Notice::Made(_));
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
