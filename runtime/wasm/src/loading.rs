//! From a component's source to a [`Loaded`] component, and its schema held against a configuration.
//!
//! In: a [`ComponentSource`]. Out: bytes read, compiled where that was not done before, inspected.
//! Never: trusts what it did not bring along: what is built in is compiled in this process,
//! everything else where the [`Loader`] says, within bounds, until it is told to stop.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use wasmtime::Engine;
use weir_core::config::{CompileLimits, ComponentSource, file, nearest};

use super::apart::{Apart, Loader};
use super::cache::{Cache, Loaded};
use super::contract::About;
use super::digest::digest;
use super::options::{BuiltIn, HostOptions};
use super::problem::Problem;
use super::task::{self, Compiled, Subject, Task};

/// Bytes of what a component says of itself for people: its name, its version, its sentence.
const MAX_SAID: usize = 1 << 10;
/// Bytes of a configuration's schema. The largest of the built-in plugins' takes 3.3 KB.
const MAX_SCHEMA: usize = 256 << 10;
/// What holding a configuration against a schema may take: a thousand times what a usual one does.
const SCHEMA_LIMITS: CompileLimits =
    CompileLimits { memory: 512 << 20, time: Duration::from_secs(2) };

/// Loads components, and says whether it may.
pub struct Loading {
    engine: Engine,
    cache: Cache,
    built_ins: &'static [BuiltIn],
    /// Of the built-ins, in their order, once they were asked for: a reload need not read two
    /// megabytes again that cannot have changed.
    digests: Box<[OnceLock<String>]>,
    loader: Loader,
    /// Of [`Loader::Apart`].
    limits: Mutex<CompileLimits>,
    interrupted: Arc<AtomicBool>,
}

impl Loading {
    pub(super) fn new(engine: &Engine, options: &HostOptions) -> Loading {
        Loading {
            engine: engine.clone(),
            cache: Cache::new(engine, options.cache_dir.as_deref(), &options.clock),
            built_ins: options.built_ins,
            digests: options.built_ins.iter().map(|_| OnceLock::new()).collect(),
            loader: options.loader.clone(),
            limits: Mutex::default(),
            interrupted: Arc::default(),
        }
    }

    /// Bounds what compiling a component may take, from the next one on.
    pub fn limit(&self, limits: CompileLimits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Ends a load that waits for a component to be compiled or configured or for its schema to be
    /// looked at, within a few hundredths of a second, and lets none begin until
    /// [`Loading::resume`]: it gives back a problem. What is loaded already is not touched.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::SeqCst);
    }

    /// Takes back [`Loading::interrupt`].
    pub fn resume(&self) {
        self.interrupted.store(false, Ordering::SeqCst);
    }

    /// Whether nothing may be loaded now.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// The same, for those who work on a load.
    pub(super) fn interrupted(&self) -> Arc<AtomicBool> {
        self.interrupted.clone()
    }

    /// How many components are in use.
    pub(super) fn components(&self) -> usize {
        self.cache.len()
    }

    /// Reads a component, and compiles it unless that was done before.
    pub(super) fn component(&self, source: &ComponentSource) -> Result<Arc<Loaded>, Vec<Problem>> {
        match source {
            ComponentSource::BuiltIn(name) => {
                let mut all = self.built_ins.iter().zip(&self.digests);
                match all.find(|((known, _), _)| **known == **name) {
                    Some(((_, bytes), known)) => {
                        let known = known.get_or_init(|| digest(bytes));
                        self.cache.load(known, bytes, || task::compile(&self.engine, bytes))
                    }
                    None => Err(vec![self.unknown_built_in(name)]),
                }
            }
            ComponentSource::File(path) => {
                let bytes = file::read(path, file::COMPONENT).map_err(|error| {
                    vec![Problem::component(format!("cannot read {}: {error}", path.display()))]
                })?;
                self.cache.load(&digest(&bytes), &bytes, || self.compile(&bytes))
            }
        }
    }

    /// Those that are built in, compiled beside each other where that was not done before. They are at
    /// hand as long as this is held; what is wrong is told by whoever loads them.
    pub fn built_ins<'a>(
        &self,
        sources: impl Iterator<Item = &'a ComponentSource>,
    ) -> Vec<Arc<Loaded>> {
        let built_in = |source: &&ComponentSource| matches!(source, ComponentSource::BuiltIn(_));
        let mut sources: Vec<_> = sources.filter(built_in).collect();
        let mut seen = HashSet::new();
        sources.retain(|source| seen.insert(*source));
        sources.into_par_iter().filter_map(|source| self.component(source).ok()).collect()
    }

    fn compile(&self, component: &[u8]) -> Result<Compiled, Vec<Problem>> {
        match &self.loader {
            Loader::Here => task::compile(&self.engine, component),
            Loader::Apart(program) => {
                let limits = *self.limits.lock().unwrap_or_else(PoisonError::into_inner);
                self.apart(program, limits).compile(component)
            }
        }
    }

    /// Holds a configuration against what a component of this source says of itself. Gives the
    /// places of secrets in it.
    pub(super) fn check(
        &self,
        source: &ComponentSource,
        about: &About,
        config: &str,
    ) -> Result<Vec<String>, Vec<Problem>> {
        let schema = &about.config_schema;
        let subject = Subject { config: config.into(), schema: schema.into() };
        let done = match (&self.loader, source) {
            // Nothing in it can take long.
            _ if schema.is_empty() => task::check(&subject),
            (Loader::Here, _) | (_, ComponentSource::BuiltIn(_)) => task::check(&subject),
            (Loader::Apart(program), ComponentSource::File(_)) => {
                // Two texts are always JSON.
                let subject = serde_json::to_vec(&subject).unwrap_or_default();
                self.apart(program, SCHEMA_LIMITS).run(Task::Check, &subject)
            }
        };
        done.map(|secrets| serde_json::from_slice(&secrets).unwrap_or_default())
    }

    fn apart<'a>(&'a self, program: &'a Path, limits: CompileLimits) -> Apart<'a> {
        Apart { program, limits, stopped: &self.interrupted }
    }

    fn unknown_built_in(&self, name: &str) -> Problem {
        let names: Vec<&str> = self.built_ins.iter().map(|(name, _)| *name).collect();
        let hint = match nearest(name, names.iter().copied()) {
            Some(meant) => format!("did you mean {meant:?}?"),
            None => format!(
                "built in are: {}; a file is written with a slash, as in \"./{name}.wasm\"",
                names.join(", ")
            ),
        };
        Problem::component(format!("there is no built-in plugin `{name}`")).hint(hint)
    }
}

/// Whether what a component says of itself can be kept and shown.
pub fn check_about(about: &About) -> Result<(), Vec<Problem>> {
    let About { name, version, summary, config_schema } = about;
    let all = [
        ("name", name, MAX_SAID),
        ("version", version, MAX_SAID),
        ("summary", summary, MAX_SAID),
        ("config-schema", config_schema, MAX_SCHEMA),
    ];
    let too_long = all.into_iter().filter(|(_, text, most)| text.len() > *most);
    let problems: Vec<Problem> = too_long
        .map(|(what, text, most)| {
            let length = text.len();
            Problem::component(format!(
                "`describe` gives a {what} of {length} bytes; at most {most} are taken"
            ))
        })
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}
