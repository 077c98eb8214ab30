//! Compiled components: on disk by digest and engine, and in this process while somebody uses them.
//!
//! In: the bytes of a component. Out: a [`Loaded`] component, compiled at most once. Never: maps a
//! file that somebody else could have written, or that is not byte for byte what was written here:
//! such a file is compiled anew.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::component::{Inspected, inspect};
use super::problem::Problem;

/// A component that is ready to be instantiated.
#[derive(Debug)]
pub struct Loaded {
    pub component: Component,
    /// SHA-256 of its bytes, lower-case hex.
    pub digest: String,
    pub inspected: Inspected,
    /// Where it came from.
    pub origin: Origin,
}

/// Whether a component had to be compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Compiled,
    Disk,
}

/// All compiled components.
#[derive(Debug)]
pub struct Cache {
    engine: Engine,
    /// `<cache>/<engine>`; none where nothing is kept.
    dir: Option<PathBuf>,
    loaded: Mutex<HashMap<String, Weak<Loaded>>>,
}

impl Cache {
    /// With a directory, compiled components are kept in it; it is made where missing. A directory
    /// that cannot be used is left alone, and said so in the log.
    pub fn new(engine: &Engine, dir: Option<&Path>) -> Cache {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let key = format!("{:016x}", hasher.finish());
        let dir = dir.and_then(|dir| {
            match private_dir(dir).and_then(|()| private_dir(&dir.join(&key))) {
                Ok(()) => Some(dir.join(&key)),
                Err(error) => {
                    tracing::warn!(
                        cache = %dir.display(),
                        "compiled components are not kept, so every start compiles them: {error}"
                    );
                    None
                }
            }
        });
        Cache { engine: engine.clone(), dir, loaded: Mutex::default() }
    }

    /// Loads a component.
    ///
    /// # Errors
    /// Where the bytes are no component, or it is no plugin: every reason.
    pub fn load(&self, bytes: &[u8]) -> Result<Arc<Loaded>, Vec<Problem>> {
        self.load_known(&digest(bytes), bytes)
    }

    /// The same of bytes whose digest is known, as [`digest`] gives it.
    ///
    /// # Errors
    /// As [`Cache::load`].
    pub fn load_known(&self, digest: &str, bytes: &[u8]) -> Result<Arc<Loaded>, Vec<Problem>> {
        if let Some(known) = self.known(digest) {
            return Ok(known);
        }
        let (component, origin) = match self.read(digest) {
            Some(component) => (component, Origin::Disk),
            None => {
                (self.compile(bytes, digest).map_err(|problem| vec![problem])?, Origin::Compiled)
            }
        };
        let inspected = inspect(&self.engine, &component)?;
        let loaded = Arc::new(Loaded { component, digest: digest.to_owned(), inspected, origin });
        let mut all = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, loaded| loaded.strong_count() > 0);
        all.insert(digest.to_owned(), Arc::downgrade(&loaded));
        Ok(loaded)
    }

    /// How many components are in use.
    pub fn len(&self) -> usize {
        let all = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().filter(|loaded| loaded.strong_count() > 0).count()
    }

    fn known(&self, digest: &str) -> Option<Arc<Loaded>> {
        let all = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(digest).and_then(Weak::upgrade)
    }

    fn compile(&self, bytes: &[u8], digest: &str) -> Result<Component, Problem> {
        check_kind(bytes)?;
        let component = Component::from_binary(&self.engine, bytes).map_err(|error| {
            Problem::component(format!("the component does not compile: {error:#}"))
        })?;
        if let Some(dir) = &self.dir
            && let Err(error) = self.write(dir, digest, &component)
        {
            tracing::warn!(cache = %dir.display(), "a compiled component was not kept: {error}");
        }
        Ok(component)
    }

    /// The artifact of an earlier run, if it is whole and ours.
    fn read(&self, digest: &str) -> Option<Component> {
        let dir = self.dir.as_deref()?;
        let artifact = dir.join(format!("{digest}.cwasm"));
        let sum = dir.join(format!("{digest}.sha256"));
        if !is_private(&artifact, dir) || !is_private(&sum, dir) {
            return None;
        }
        let mut file = File::open(&artifact).ok()?;
        let mut hasher = Sha256::new();
        io::copy(&mut file, &mut hasher).ok()?;
        if fs::read_to_string(&sum).ok()? != hex(&hasher.finalize()) {
            return None;
        }
        deserialize(&self.engine, &artifact)
    }

    fn write(&self, dir: &Path, digest: &str, component: &Component) -> io::Result<()> {
        let artifact = component.serialize().map_err(io::Error::other)?;
        let sum = hex(&Sha256::digest(&artifact));
        replace(dir, &format!("{digest}.cwasm"), &artifact)?;
        replace(dir, &format!("{digest}.sha256"), sum.as_bytes())
    }
}

/// Maps a compiled component into memory.
///
/// The one unsafe spot of the crate: wasmtime runs what the file says. It is sound because the
/// caller saw that the file is a regular one of our own user that nobody else can write, in a
/// directory of which the same is true, and that its digest is the one written beside it by
/// [`Cache::write`]; files are only ever replaced by renaming, never changed while mapped.
#[allow(unsafe_code)]
fn deserialize(engine: &Engine, artifact: &Path) -> Option<Component> {
    // SAFETY: see above; wasmtime itself checks that its own version and settings wrote the file.
    unsafe { Component::deserialize_file(engine, artifact) }.ok()
}

/// A component, and not something that is often taken for one.
fn check_kind(bytes: &[u8]) -> Result<(), Problem> {
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => Ok(()),
        Some([0, b'a', b's', b'm', ..]) => Err(Problem::component(
            "this is a core WebAssembly module, not a component",
        )
        .hint("build it for wasm32-wasip2, or turn it into a component with `wasm-tools component new`")),
        _ => Err(Problem::component("this is no WebAssembly file")
            .hint("`component` names a built-in plugin or a .wasm file that holds a component")),
    }
}

/// Makes a directory that only we can read and write, or sees that it is one.
fn private_dir(dir: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    // A file of ours tells who we are; no other portable call without unsafe code does.
    let probe = dir.join(format!(".probe-{}-{}", process::id(), serial()));
    let ours = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&probe)?.metadata();
    fs::remove_file(&probe)?;
    let (ours, dir) = (ours?, fs::symlink_metadata(dir)?);
    if dir.uid() != ours.uid() || dir.mode() & 0o022 != 0 || !dir.is_dir() {
        return Err(io::Error::other("others can write to the directory, or it is not ours"));
    }
    Ok(())
}

/// Whether a file can have been written by us alone.
fn is_private(file: &Path, dir: &Path) -> bool {
    let (Ok(file), Ok(dir)) = (fs::symlink_metadata(file), fs::symlink_metadata(dir)) else {
        return false;
    };
    file.is_file() && file.uid() == dir.uid() && file.mode() & 0o022 == 0
}

/// Writes a file as a whole or not at all.
fn replace(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = dir.join(format!(".{name}-{}-{}", process::id(), serial()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, dir.join(name)));
    if written.is_err() {
        // It may not be there; the error above is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn serial() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// SHA-256 in lower-case hex.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
