//! What the system tells of names and files that change (inotify(7)).
//!
//! In: the paths of files. Out: [`Notice`]s of what happens to them, whichever links lead there, and
//! whether they are there yet. Never: hears of a neighbour that is written to, however often;
//! elsewhere than on Linux there are none, and the files are looked at from time to time.
#![expect(clippy::disallowed_methods, reason = "files are watched on the control side")]

use std::io;
use std::path::PathBuf;

/// What happened to a file that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A name leads to another file than before, or to none: at one moment.
    Renamed,
    /// There is a file of this name, which its maker may still be writing.
    Made(PathBuf),
    /// Somebody writes into it, and has it open.
    Written(PathBuf),
    /// Who wrote has closed it.
    Closed(PathBuf),
    /// Perhaps something that was not told.
    Missed,
}

#[cfg(target_os = "linux")]
pub use linux::Notices;
#[cfg(not(target_os = "linux"))]
pub use none::Notices;

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{BTreeMap, BTreeSet, HashMap};
    use std::ffi::{OsStr, OsString};
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;

    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
    use tokio::io::unix::AsyncFd;

    use super::super::trace::{Traced, trace};
    use super::{Notice, PathBuf, io};

    /// Names that come and go. Of what is written in a folder only the end is told, once for each
    /// file that was open; a log beside a configuration that is written to all day is not heard.
    const NAMES: WatchFlags = WatchFlags::CREATE
        .union(WatchFlags::DELETE)
        .union(WatchFlags::MOVED_FROM)
        .union(WatchFlags::MOVED_TO)
        .union(WatchFlags::CLOSE_WRITE)
        .union(WatchFlags::DELETE_SELF)
        .union(WatchFlags::MOVE_SELF)
        .union(WatchFlags::ONLYDIR);
    /// What happens within a file.
    const CONTENT: WatchFlags =
        WatchFlags::MODIFY.union(WatchFlags::CLOSE_WRITE).union(WatchFlags::ATTRIB);

    /// The system's queue of notices, and what they are about.
    pub struct Notices {
        queue: AsyncFd<OwnedFd>,
        watched: HashMap<i32, Watched>,
    }

    #[derive(Debug)]
    enum Watched {
        Folder(PathBuf, Names),
        File(PathBuf),
    }

    #[derive(Debug, Default, Clone)]
    struct Names {
        named: BTreeSet<OsString>,
        /// Every `*.toml` as well.
        toml: bool,
    }

    impl Notices {
        /// Follows nothing yet. To be made, and used, on one runtime.
        ///
        /// # Errors
        /// The system has no more of them for this user.
        #[expect(
            deprecated,
            reason = "unsound where the descriptor may become another; this is owned"
        )]
        pub fn new() -> io::Result<Notices> {
            let queue = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
            Ok(Notices { queue: AsyncFd::new(queue)?, watched: HashMap::new() })
        }

        /// Follows these files from now on, and no others.
        ///
        /// # Errors
        /// The first that cannot be followed; the others are.
        pub fn follow<'a>(&mut self, files: impl Iterator<Item = &'a Path>) -> io::Result<()> {
            let mut folders: BTreeMap<PathBuf, Names> = BTreeMap::new();
            let mut contents: BTreeSet<PathBuf> = BTreeSet::new();
            for file in files {
                let Traced { names, end } = trace(file);
                for (folder, name) in names {
                    folders.entry(folder).or_default().named.insert(name);
                }
                match end {
                    Some(end) if end.is_dir() => folders.entry(end).or_default().toml = true,
                    Some(end) => drop(contents.insert(end)),
                    None => {}
                }
            }
            let before = std::mem::take(&mut self.watched);
            let mut failed = None;
            let folders = folders
                .into_iter()
                .map(|(path, names)| (path.clone(), NAMES, Watched::Folder(path, names)));
            let contents =
                contents.into_iter().map(|path| (path.clone(), CONTENT, Watched::File(path)));
            for (path, flags, watched) in folders.chain(contents) {
                match inotify::add_watch(&self.queue, &path, flags) {
                    Ok(number) => drop(self.watched.insert(number, watched)),
                    // It went while it was looked at; its folder tells of it.
                    Err(rustix::io::Errno::NOENT) => {}
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            for number in before.keys().filter(|number| !self.watched.contains_key(number)) {
                // It may be gone with its file.
                let _ = inotify::remove_watch(&self.queue, *number);
            }
            failed.map_or(Ok(()), |error| Err(error.into()))
        }

        /// Waits for something that concerns a followed file. Cancel safe.
        ///
        /// # Errors
        /// The queue is of no use any more.
        pub async fn next(&mut self) -> io::Result<Vec<Notice>> {
            loop {
                let mut ready = self.queue.readable().await?;
                let mut notices = Vec::new();
                let mut space = [MaybeUninit::uninit(); 4096];
                let mut reader = inotify::Reader::new(self.queue.get_ref(), &mut space);
                loop {
                    match reader.next() {
                        Ok(event) => {
                            let name =
                                event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                            notices.extend(notice(&self.watched, event.wd(), event.events(), name));
                        }
                        Err(rustix::io::Errno::INTR) => {}
                        Err(rustix::io::Errno::AGAIN) => break,
                        Err(error) => return Err(error.into()),
                    }
                }
                ready.clear_ready();
                if !notices.is_empty() {
                    return Ok(notices);
                }
            }
        }
    }

    fn notice(
        watched: &HashMap<i32, Watched>,
        number: i32,
        what: ReadFlags,
        name: Option<&OsStr>,
    ) -> Option<Notice> {
        if what.contains(ReadFlags::QUEUE_OVERFLOW) {
            return Some(Notice::Missed);
        }
        let path = match (watched.get(&number)?, name) {
            (Watched::Folder(folder, names), Some(name)) if names.concern(name) => {
                folder.join(name)
            }
            (Watched::Folder(..), Some(_)) => return None,
            // The folder itself went or was moved away.
            (Watched::Folder(..), None) => return Some(Notice::Renamed),
            (Watched::File(path), _) => path.clone(),
        };
        if what.contains(ReadFlags::CREATE) {
            // A link or a folder is there as a whole.
            let is_file = std::fs::symlink_metadata(&path).is_ok_and(|facts| facts.is_file());
            return Some(if is_file { Notice::Made(path) } else { Notice::Renamed });
        }
        Some(match () {
            () if what.contains(ReadFlags::CLOSE_WRITE) => Notice::Closed(path),
            () if what.contains(ReadFlags::MODIFY) => Notice::Written(path),
            () => Notice::Renamed,
        })
    }

    impl Names {
        fn concern(&self, name: &OsStr) -> bool {
            self.named.contains(name)
                || self.toml && Path::new(name).extension().is_some_and(|is| is == "toml")
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod none {
    use std::path::Path;

    use super::{Notice, io};

    /// There are none here.
    pub struct Notices {}

    impl Notices {
        pub fn new() -> io::Result<Notices> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub fn follow<'a>(&mut self, _: impl Iterator<Item = &'a Path>) -> io::Result<()> {
            Ok(())
        }

        pub async fn next(&mut self) -> io::Result<Vec<Notice>> {
            std::future::pending().await
        }
    }
}

#[cfg(test)]
mod tests;
