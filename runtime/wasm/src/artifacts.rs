//! The folder of compiled components, on disk.
//!
//! In: a component's digest, and what it was compiled to. Out: the open file of an artifact, and its plan,
//! which are whole and which nobody but us or root can have written. Never: follows a path twice: folders
//! are held by descriptor, so that one that was renamed, replaced or handed to another user since
//! is simply not there; and never grows without end.
//!
//! `<folder>/<engine>/<digest>.cwasm` is an artifact and `<digest>.plan` how instances are made of it;
//! `<digest>.sha256` beside them is the digest of all: of which component they are made, and what they are.
//! Files are only ever replaced by renaming, never changed while somebody has them mapped.

mod prune;
#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

use super::digest::hex;
use super::task::MAX_PLAN;

/// How exactly it is known when an artifact was last used: a start writes no more often.
const TOUCH_AFTER: Duration = Duration::from_secs(60 * 60);

/// The artifacts of one engine, in a folder that holds those of others too.
#[derive(Debug)]
pub struct Artifacts {
    /// As it was named, for messages.
    path: PathBuf,
    root: OwnedFd,
    /// `<root>/<engine>`
    folder: OwnedFd,
}

impl Artifacts {
    /// Opens the folder of an engine, and makes what is missing of the path. What is stale in it,
    /// or too much, is deleted.
    ///
    /// # Errors
    /// Where it is not there and cannot be made, or others could write to it.
    pub fn open(path: &Path, engine: &str, now: SystemTime) -> io::Result<Artifacts> {
        let root = match open_folder(CWD, path.as_os_str(), OFlags::empty()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(path)?;
                open_folder(CWD, path.as_os_str(), OFlags::empty())?
            }
            opened => opened?,
        };
        let folder = match open_folder(&root, engine, OFlags::NOFOLLOW) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match mkdirat(&root, engine, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => open_folder(&root, engine, OFlags::NOFOLLOW)?,
                    Err(error) => return Err(error.into()),
                }
            }
            opened => opened?,
        };
        let artifacts = Artifacts { path: path.to_owned(), root, folder };
        artifacts.prune(now);
        Ok(artifacts)
    }

    /// As it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The artifact of a component and its plan, whole and ours. It counts as used from now on, and as in
    /// use as long as the file is open or mapped.
    pub fn read(&self, digest: &str, now: SystemTime) -> Option<(File, Vec<u8>)> {
        let mut file = open_file(&self.folder, &artifact(digest)).ok()?;
        // Held until the last mapping is gone; who deletes what is old asks for it too. Where the
        // file system has no locks nothing is deleted either.
        let _ = file.try_lock_shared();
        let mut sum = String::new();
        open_file(&self.folder, &sum_of(digest)).ok()?.take(65).read_to_string(&mut sum).ok()?;
        let mut plan = Vec::new();
        open_file(&self.folder, &plan_of(digest))
            .ok()?
            .take(MAX_PLAN + 1)
            .read_to_end(&mut plan)
            .ok()?;
        let mut hasher = begin(digest, &plan);
        io::copy(&mut file, &mut hasher).ok()?;
        if sum != hex(&hasher.finalize()) {
            return None;
        }
        let used = file.metadata().ok()?.modified().ok()?;
        if now.duration_since(used).is_ok_and(|since| since > TOUCH_AFTER) {
            // A folder that is not ours to change is used as it is.
            let _ = file.set_modified(now);
        }
        Some((file, plan))
    }

    /// Keeps an artifact. Once it is in use, [`Artifacts::prune`] makes room for it.
    ///
    /// # Errors
    /// Where it cannot be written; nothing is left of it then.
    pub fn write(&self, digest: &str, artifact: &[u8], plan: &[u8]) -> io::Result<()> {
        let sum = hex(&begin(digest, plan).chain_update(artifact).finalize());
        self.replace(&self::artifact(digest), artifact)?;
        self.replace(&plan_of(digest), plan)?;
        self.replace(&sum_of(digest), sum.as_bytes())
    }

    /// Writes a file as a whole or not at all.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = format!(".{name}-{}-{}", process::id(), serial());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = openat(&self.folder, &temporary, flags, Mode::RUSR | Mode::WUSR)?;
        let written = File::from(file)
            .write_all(bytes)
            .and_then(|()| Ok(renameat(&self.folder, &temporary, &self.folder, name)?));
        if written.is_err() {
            // It may not be there; the error above is the one to tell.
            let _ = unlinkat(&self.folder, &temporary, AtFlags::empty());
        }
        written
    }
}

fn artifact(digest: &str) -> String {
    format!("{digest}.cwasm")
}

fn plan_of(digest: &str) -> String {
    format!("{digest}.plan")
}

/// The digest of all, but for the artifact, which is the last. No part can pass for the end of the one
/// before.
fn begin(digest: &str, plan: &[u8]) -> Sha256 {
    let length = (plan.len() as u64).to_le_bytes();
    Sha256::new_with_prefix(digest).chain_update(length).chain_update(plan)
}

fn sum_of(digest: &str) -> String {
    format!("{digest}.sha256")
}

/// A folder that nobody else can write to.
fn open_folder(
    at: impl std::os::fd::AsFd,
    name: impl AsRef<OsStr>,
    flags: OFlags,
) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = File::from(openat(at, name.as_ref(), flags, Mode::empty())?);
    if !is_private(&folder.metadata()?) {
        return Err(io::Error::other(
            "others can write to the folder, or it is neither ours nor root's",
        ));
    }
    Ok(folder.into())
}

/// A regular file that nobody else can have written. Never waits: a FIFO is none.
fn open_file(folder: &OwnedFd, name: &str) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(openat(folder, name, flags, Mode::empty())?);
    let facts = file.metadata()?;
    match facts.is_file() && is_private(&facts) {
        true => Ok(file),
        false => Err(io::Error::other("no file of ours")),
    }
}

/// Whether only we, or root, who can do anything to us anyway, can write to it. A folder that was
/// filled by root for a daemon that may not write is the reason to ask for more than ourselves.
fn is_private(facts: &std::fs::Metadata) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    (facts.uid() == ours || facts.uid() == 0) && facts.permissions().mode() & 0o022 == 0
}

fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
