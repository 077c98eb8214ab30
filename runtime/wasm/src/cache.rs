//! Compiled components: on disk by digest and engine, and in this process while somebody uses them.
//!
//! In: the bytes of a component. Out: a [`Loaded`] component, compiled at most once. Never: runs
//! what somebody else could have written, or what is not byte for byte what was written here: that
//! is compiled anew.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read as _, Seek as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasmtime::Engine;
use wasmtime::component::Component;
use weir_core::clock::Clock;

use super::artifacts::Artifacts;
use super::component::{Inspected, inspect};
use super::glue;
use super::parts::Parts;
use super::problem::Problem;
use super::task::Compiled;

/// A component that is ready to be instantiated.
#[derive(Debug)]
pub struct Loaded {
    pub parts: Parts,
    /// SHA-256 of its bytes, lower-case hex, and how many they are.
    pub digest: String,
    pub size: usize,
    pub inspected: Inspected,
    /// See [`Parts::weight`].
    pub weight: usize,
    /// Where it came from.
    pub origin: Origin,
    /// The artifact, where there is a file of it; open, it counts as in use.
    _artifact: Option<File>,
}

/// What instances are made of, and the file that it is in, where there is one.
struct Ready {
    parts: Parts,
    artifact: Option<File>,
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
    clock: Clock,
    /// None where nothing is kept.
    artifacts: Option<Artifacts>,
    loaded: Mutex<HashMap<String, Weak<Loaded>>>,
}

impl Cache {
    /// With a directory, compiled components are kept in it; it is made where missing. A directory
    /// that cannot be used is left alone, and said so in the log.
    pub fn new(engine: &Engine, dir: Option<&Path>, clock: &Clock) -> Cache {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        glue::VERSION.hash(&mut hasher);
        let key = format!("{:016x}", hasher.finish());
        let artifacts = dir.and_then(|dir| {
            Artifacts::open(dir, &key, clock.wall())
                .inspect_err(|error| {
                    tracing::warn!(
                        cache = %dir.display(),
                        "compiled components are not kept, so every start compiles them: {error}"
                    );
                })
                .ok()
        });
        Cache { engine: engine.clone(), clock: clock.clone(), artifacts, loaded: Mutex::default() }
    }

    /// Loads a component, whose digest is known as [`digest`](super::digest::digest) gives it. `compile` makes
    /// of its bytes what is kept; nothing else looks at them.
    ///
    /// # Errors
    /// Where the bytes are no component, or it is no plugin: every reason.
    pub fn load(
        &self,
        digest: &str,
        bytes: &[u8],
        compile: impl FnOnce() -> Result<Compiled, Vec<Problem>>,
    ) -> Result<Arc<Loaded>, Vec<Problem>> {
        if let Some(known) = self.known(digest) {
            return Ok(known);
        }
        let (Ready { parts, artifact }, origin) = match self.read(digest) {
            Some(known) => (known, Origin::Disk),
            None => {
                check_kind(bytes).map_err(|problem| vec![problem])?;
                (self.keep(digest, &compile()?)?, Origin::Compiled)
            }
        };
        let inspected = inspect(&parts.plan)?;
        let (digest, weight) = (digest.to_owned(), parts.weight());
        let size = bytes.len();
        let loaded = Loaded { parts, digest, size, inspected, weight, origin, _artifact: artifact };
        let loaded = Arc::new(loaded);
        let mut all = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, loaded| loaded.strong_count() > 0);
        all.insert(loaded.digest.clone(), Arc::downgrade(&loaded));
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

    /// The artifact of an earlier run, if it is whole and ours.
    fn read(&self, digest: &str) -> Option<Ready> {
        let (mut file, plan) = self.artifacts.as_ref()?.read(digest, self.clock.wall())?;
        let plan = serde_json::from_slice(&plan).ok()?;
        let parts = Parts::new(&self.engine, &map(&self.engine, &mut file)?, plan).ok()?;
        Some(Ready { parts, artifact: Some(file) })
    }

    /// A component that was just compiled: from its file, where it can have one.
    fn keep(&self, digest: &str, compiled: &Compiled) -> Result<Ready, Vec<Problem>> {
        let unusable = |error: wasmtime::Error| {
            vec![Problem::component(format!("the compiled component cannot be used: {error:#}"))]
        };
        // Before it is kept: nonsense would be met again at each load.
        let plan = serde_json::from_slice(&compiled.plan);
        let plan = plan.map_err(|error| unusable(wasmtime::Error::new(error)))?;
        if let Some(artifacts) = &self.artifacts {
            match artifacts.write(digest, &compiled.code, &compiled.plan) {
                Ok(()) => {
                    let kept = self.read(digest);
                    artifacts.prune(self.clock.wall());
                    if let Some(kept) = kept {
                        return Ok(kept);
                    }
                }
                Err(error) => tracing::warn!(
                    cache = %artifacts.path().display(),
                    "a compiled component was not kept: {error}"
                ),
            }
        }
        let parts = copy(&self.engine, &compiled.code)
            .and_then(|code| Parts::new(&self.engine, &code, plan))
            .map_err(unusable)?;
        Ok(Ready { parts, artifact: None })
    }
}

/// Maps an artifact into memory.
///
/// One of the two unsafe spots of the crate: wasmtime runs what the file says. It is sound because
/// [`Artifacts::read`] saw through this very descriptor that the file is a regular one which only
/// we, or root, can write, and that its digest is the one that was written beside it; the path is
/// the descriptor's own. Files are only ever replaced by renaming, never changed while mapped.
#[allow(unsafe_code)]
fn map(engine: &Engine, file: &mut File) -> Option<Component> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    // SAFETY: see above; wasmtime itself checks that its own version and settings wrote the file.
    if let Ok(component) = unsafe { Component::deserialize_file(engine, path) } {
        return Some(component);
    }
    // No `/proc`, or no artifact in it.
    let mut artifact = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut artifact)).ok()?;
    copy(engine, &artifact).ok()
}

/// Copies an artifact into memory that can be run.
///
/// The other unsafe spot. It is sound because the bytes are what our own compiler has just made, in
/// this process or in a child of it, or come from a file as in [`map`].
#[allow(unsafe_code)]
fn copy(engine: &Engine, artifact: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: see above.
    unsafe { Component::deserialize(engine, artifact) }
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

#[cfg(test)]
mod tests;
