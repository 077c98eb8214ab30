//! Plugins of a configuration: loading them, and seeing that they can be used.
//!
//! In: [`config::Plugin`]s. Out: a [`LoadedPlugin`] each, configured once to see that it can be, or
//! every reason why not. Never: on a worker: compiling and configuring take their time.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use wasmtime::{Engine, Linker};
use weir_core::config::{self, ComponentSource, Isolation, OnFailure};

use super::cache::{Loaded, Origin};
use super::capacity::Capacity;
use super::compilers;
use super::credentials;
use super::engine::engine;
use super::fault::Fault;
use super::host;
use super::loaded::{Inspection, LoadedPlugin};
use super::loading::{Loading, check_about};
use super::named;
use super::options::HostOptions;
use super::problem::{PluginProblem, Problem};
use super::reclaimer::Reclaimer;
use super::said;
use super::set_up::SET_UP_LIMIT;
use super::shared::Registry;
use super::state::State;
use super::template::Template;
use super::ticker::Ticker;

/// Runs plugins: one for each process, kept over reloads.
pub struct Host {
    engine: Engine,
    linker: Arc<Linker<State>>,
    capacity: Capacity,
    ticker: Arc<Ticker>,
    reclaimer: Arc<Reclaimer>,
    loading: Loading,
    registry: Registry,
    options: HostOptions,
    loaded: Mutex<HashMap<Arc<str>, Known>>,
}

/// A plugin of the snapshot before, in case the next one has the same.
struct Known {
    config: config::Plugin,
    plugin: Weak<LoadedPlugin>,
}

impl Host {
    /// Makes the engine, and starts its ticker, and the threads that compile and that reclaim.
    ///
    /// # Errors
    /// Where the machine cannot run compiled WebAssembly, or gives no thread.
    pub fn new(options: HostOptions) -> wasmtime::Result<Host> {
        let (engine, instances) = engine()?;
        let capacity = Capacity::new(instances);
        compilers::start()?;
        let ticker = Arc::new(Ticker::start(&engine)?);
        let reclaimer = Arc::new(Reclaimer::start()?);
        let loading = Loading::new(&engine, &options);
        let linker = Arc::new(host::functions::linker(&engine)?);
        let (registry, loaded) = Default::default();
        Ok(Host { engine, linker, capacity, ticker, reclaimer, loading, registry, options, loaded })
    }

    /// Bounds and interrupts [`Host::load`].
    pub fn loading(&self) -> &Loading {
        &self.loading
    }

    /// Loads a plugin: reads, compiles (or takes from the cache), inspects, instantiates and
    /// configures it. The same configuration and component give the same plugin again. Blocks for
    /// as long as that takes: up to seconds for a component seen for the first time.
    ///
    /// # Errors
    /// Every reason found why the plugin cannot be used.
    pub fn load(&self, plugin: &config::Plugin) -> Result<Arc<LoadedPlugin>, Vec<PluginProblem>> {
        self.load_with(plugin, || self.loading.component(&plugin.component))
    }

    /// As [`Host::load`], while somebody is writing to the component's file: with the component that a
    /// plugin has which was loaded from there before.
    ///
    /// # Errors
    /// As [`Host::load`], and where there is none.
    pub fn load_as_before(
        &self,
        plugin: &config::Plugin,
        file: &Path,
        before: Option<&LoadedPlugin>,
    ) -> Result<Arc<LoadedPlugin>, Vec<PluginProblem>> {
        self.load_with(plugin, || {
            before.map(|before| before.component.clone()).ok_or_else(|| {
                let why = config::unfinished();
                vec![Problem::component(format!("cannot read {}: {why}", file.display()))]
            })
        })
    }

    fn load_with(
        &self,
        plugin: &config::Plugin,
        component: impl FnOnce() -> Result<Arc<Loaded>, Vec<Problem>>,
    ) -> Result<Arc<LoadedPlugin>, Vec<PluginProblem>> {
        let of = |problems| Problem::all_of(problems, &plugin.name);
        if self.loading.is_interrupted() {
            return Err(of(vec![Problem::component("loading it was interrupted")]));
        }
        let component = component().map_err(of)?;
        if let Some(known) = self.known(plugin, &component) {
            return Ok(known);
        }
        let compiled = component.origin == Origin::Compiled;
        let loaded = Arc::new(self.build(plugin, component).map_err(of)?);
        let (name, version) = (&*loaded.about.name, &*loaded.about.version);
        let can = loaded.capabilities().can.join(", ");
        tracing::info!(plugin = &*plugin.name, name, version, compiled, can, "plugin loaded");
        let known = Known { config: plugin.clone(), plugin: Arc::downgrade(&loaded) };
        let mut all = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, known| known.plugin.strong_count() > 0);
        all.insert(plugin.name.clone(), known);
        Ok(loaded)
    }

    /// What a component is, without a configuration for it.
    ///
    /// # Errors
    /// Every reason why it is no plugin.
    pub fn inspect(&self, source: &ComponentSource) -> Result<Inspection, Vec<PluginProblem>> {
        let plugin = config::Plugin {
            name: "inspected".into(),
            component: source.clone(),
            config: "{}".into(),
            grants: config::Grants::everything(),
            limits: config::PluginLimits::default(),
            on_failure: OnFailure::Reject,
            isolation: Isolation::Worker,
            place: "".into(),
        };
        let of = |problems| Problem::all_of(problems, &plugin.name);
        let component = self.loading.component(source).map_err(of)?;
        let failed = |what: String| of(vec![Problem::component(what)]);
        let template = self.template(&plugin, &component);
        let pulse = self.ticker.pulse(SET_UP_LIMIT);
        let described =
            template.instantiate(&pulse).and_then(|(mut made, _)| made.describe(&pulse));
        let about =
            described.map_err(|fault| failed(format!("{}: {}", fault.reason, fault.detail)))?;
        check_about(&about).map_err(of)?;
        Ok(Inspection {
            about,
            digest: component.digest.clone(),
            hooks: component.inspected.hooks,
            size: component.size,
            functions: component.inspected.functions.clone(),
            imports: component.inspected.imports.clone(),
            capabilities: component.inspected.capabilities.clone(),
        })
    }

    /// Whether plugins can serve on so many workers and be replaced by as many others, for an
    /// instance of each is there on each worker, and for the time of a reload that of its successor.
    ///
    /// # Errors
    /// That they cannot, in words.
    pub fn check_room(&self, plugins: &[Arc<LoadedPlugin>], workers: usize) -> Result<(), String> {
        let weight: usize = plugins.iter().map(|plugin| plugin.template.weight).sum();
        let needed = weight.saturating_mul(workers).saturating_mul(2);
        let total = self.capacity.total();
        if needed <= total {
            return Ok(());
        }
        let fitting = match total / 2 / weight.max(1) {
            0 => "they do not fit, however few the workers".to_owned(),
            workers => format!("{workers} workers would fit"),
        };
        let heaviest = plugins.iter().max_by_key(|plugin| plugin.template.weight);
        let heaviest = heaviest.filter(|plugin| plugin.template.weight > 1).map(|plugin| {
            let (name, weight) = (&plugin.name, plugin.template.weight);
            format!("; `{name}` counts as {weight}, for its memories and tables")
        });
        Err(format!(
            "{} plugins on {workers} workers take {needed} instances while a reload replaces them, \
             and this process has room for {total}: {fitting}{}",
            plugins.len(),
            heaviest.unwrap_or_default()
        ))
    }

    /// These plugins serve from now on, on so many workers: keeps room for each of them, and for a
    /// reload that replaces them.
    pub fn reserve(&self, plugins: &[Arc<LoadedPlugin>], workers: usize) {
        let own = |plugin: &Arc<LoadedPlugin>| {
            (plugin.name.clone(), plugin.template.weight.saturating_mul(workers))
        };
        self.capacity.configure(plugins.iter().map(own));
    }

    /// Forgets limits and stored state of plugins that are no longer configured. One that comes
    /// back begins anew, even where an exchange still holds what it was.
    pub fn retain(&self, mut keep: impl FnMut(&str) -> bool) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|name, _| keep(name));
        drop(loaded);
        self.registry.retain(keep);
    }

    /// Compiled components in use.
    pub fn components(&self) -> usize {
        self.loading.components()
    }

    fn known(&self, plugin: &config::Plugin, component: &Arc<Loaded>) -> Option<Arc<LoadedPlugin>> {
        let all = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(&plugin.name)?;
        // Where the table stands may change without the plugin changing.
        let config = config::Plugin { place: known.config.place.clone(), ..plugin.clone() };
        let loaded = known.plugin.upgrade()?;
        (config == known.config && loaded.component.digest == component.digest).then_some(loaded)
    }

    fn build(
        &self,
        plugin: &config::Plugin,
        component: Arc<Loaded>,
    ) -> Result<LoadedPlugin, Vec<Problem>> {
        let ungranted = component.inspected.check_grants(&plugin.name, &plugin.grants);
        if !ungranted.is_empty() {
            return Err(ungranted);
        }
        let mut template = self.template(plugin, &component);
        let pulse = self.ticker.pulse(SET_UP_LIMIT);
        let unusable = |step: &str| {
            let step = step.to_owned();
            move |fault: Fault| {
                let message = format!("{step} failed ({}): {}", fault.reason, fault.detail);
                vec![Problem::component(message)]
            }
        };
        let made = template.instantiate(&pulse);
        let (mut first, made) = made.map_err(unusable("starting the component"))?;
        let about = first.describe(&pulse).map_err(unusable("`describe`"))?;
        check_about(&about)?;
        let checked = self.loading.check(&plugin.component, &about, &plugin.config);
        let (secrets, mut problems): (Arc<[String]>, _) = match checked {
            Ok(secrets) => (secrets.into(), Vec::new()),
            Err(found) => {
                let in_the_table = |found: &Problem| {
                    found.pointer.as_deref().is_some_and(|place| place.starts_with("/config"))
                };
                if !found.iter().all(in_the_table) {
                    return Err(found);
                }
                (found.first().map(|found| found.secrets.clone()).unwrap_or_default(), found)
            }
        };
        // Asked in any case, for all that is wrong at once; an instance that saw what its schema
        // refuses is not used.
        match first.configure(&pulse, &plugin.config) {
            Ok(Err(message)) => problems.extend(said::besides(said::problems(&message), &problems)),
            Err(fault) if problems.is_empty() => problems = unusable("`configure`")(fault),
            Ok(Ok(())) | Err(_) => {}
        }
        if !problems.is_empty() {
            // A plugin may quote what it was given.
            let known = |problem| Problem { secrets: secrets.clone(), ..problem };
            return Err(problems.into_iter().map(known).collect());
        }
        template.begin_as(&mut first, &made);
        Ok(LoadedPlugin {
            template,
            name: plugin.name.clone(),
            on_failure: plugin.on_failure,
            isolation: plugin.isolation,
            instances: plugin.limits.instances,
            wait: plugin.limits.wait,
            config: plugin.config.clone(),
            fields: named::fields(&plugin.config, &about.config_schema),
            credentials: credentials::parameters(&plugin.config, &about.config_schema),
            ticker: self.ticker.clone(),
            reclaimer: self.reclaimer.clone(),
            capabilities: component.inspected.capabilities.within(&plugin.grants),
            component,
            about,
            first: Mutex::new(Some(Box::new(first))),
        })
    }

    fn template(&self, plugin: &config::Plugin, loaded: &Arc<Loaded>) -> Template {
        Template {
            engine: self.engine.clone(),
            parts: loaded.clone(),
            linker: self.linker.clone(),
            suspends: loaded.inspected.suspends,
            calls_out: loaded.inspected.calls_out,
            memory: plugin.limits.memory,
            limit: plugin.limits.deadline,
            keeps_backup: plugin.on_failure == OnFailure::Skip,
            shared: self.registry.shared(plugin, &self.options.metrics, &self.options.clock),
            weight: loaded.weight,
            capacity: self.capacity.clone(),
            interrupted: self.loading.interrupted(),
            snapshot: None,
        }
    }
}
