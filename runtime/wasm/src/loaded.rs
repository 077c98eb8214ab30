//! A plugin of a configuration, loaded and ready to be called.
//!
//! In: what the [`Host`](super::Host) found out about it. Out: what it is, and configured instances of
//! it, one for each worker. Never: loads or checks anything itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use weir_core::chain::Hooks;
use weir_core::config::{Grant, Grants, Isolation, OnFailure};

use super::cache::Loaded;
use super::capability::Capabilities;
use super::component::ungranted_problems;
use super::contract::About;
use super::instance::Instance;
use super::problem::{PluginProblem, Problem};
use super::reclaimer::Reclaimer;
use super::set_up::SET_UP_LIMIT;
use super::template::Template;
use super::ticker::Ticker;

/// A plugin that was seen to take its configuration.
pub struct LoadedPlugin {
    pub(super) template: Template,
    pub(super) name: Arc<str>,
    pub(super) on_failure: OnFailure,
    pub(super) isolation: Isolation,
    /// `limits.instances`
    pub(super) instances: usize,
    /// `limits.wait`
    pub(super) wait: Duration,
    pub(super) config: Arc<str>,
    /// Request fields that it sets or checks, as far as its configuration tells.
    pub(super) fields: Box<[Box<str>]>,
    /// Query parameters in which it looks for credentials.
    pub(super) credentials: Box<[Box<str>]>,
    pub(super) ticker: Arc<Ticker>,
    pub(super) reclaimer: Arc<Reclaimer>,
    pub(super) component: Arc<Loaded>,
    /// What it can do, with its grants.
    pub(super) capabilities: Capabilities,
    pub(super) about: About,
    /// The instance that took the configuration at load.
    pub(super) first: Mutex<Option<Box<Instance>>>,
}

/// What a component says of itself, and what it imports and exports.
#[derive(Debug, Clone)]
pub struct Inspection {
    pub about: About,
    /// SHA-256 of the component, lower-case hex.
    pub digest: String,
    pub hooks: Hooks,
    /// Bytes of the component.
    pub size: usize,
    /// Every interface it imports.
    pub imports: Vec<String>,
    /// What it imports of the contract: interfaces without version, and functions.
    pub functions: Vec<(String, String)>,
    pub capabilities: Capabilities,
}

/// A configured instance, made off the workers and handed to one.
pub struct PreparedInstance(pub(super) Box<Instance>);

impl LoadedPlugin {
    /// The name in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// What the component says of itself.
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The hooks it exports.
    pub fn hooks(&self) -> Hooks {
        self.component.inspected.hooks
    }

    /// Every interface it imports.
    pub fn imports(&self) -> &[String] {
        &self.component.inspected.imports
    }

    /// What it can do, as its binary says, and its grants let it.
    pub fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    /// What has to be written of these grants before this one may take the place of another, which serves
    /// under the same name: what it can do beyond that. What comes with the proxy may do it in any case.
    pub fn beyond(&self, other: &LoadedPlugin, grants: &Grants) -> Vec<PluginProblem> {
        if grants.are_ours() || self.digest() == other.digest() {
            return Vec::new();
        }
        let mut beyond = self.capabilities.beyond(&other.capabilities);
        beyond.retain(|(grant, _): &(Grant, _)| grants.written(*grant) != Some(true));
        let why = "which the one that serves under this name cannot";
        let problems = ungranted_problems(&self.name, grants, &beyond, why);
        Problem::all_of(problems, &self.name)
    }

    /// Whether its hooks can wait, because it imports `read` of a body.
    pub fn suspends(&self) -> bool {
        self.template.suspends
    }

    /// Query parameters in which it looks for credentials.
    pub fn credentials(&self) -> &[Box<str>] {
        &self.credentials
    }

    /// SHA-256 of the component, lower-case hex.
    pub fn digest(&self) -> &str {
        &self.component.digest
    }

    /// Drops some of what is kept for it and has expired. To be called now and then.
    pub fn sweep(&self) {
        self.template.shared.sweep();
    }

    /// A configured instance for a worker. To be called off the workers, so that none of them
    /// waits for it.
    ///
    /// # Errors
    /// Where there is no instance to be had, or `configure` refused what it took before.
    pub fn prepare(&self) -> Result<PreparedInstance, PluginProblem> {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(first) = first {
            return Ok(PreparedInstance(first));
        }
        let made = self.template.configured_at_once(&self.config, &self.ticker.pulse(SET_UP_LIMIT));
        made.map(PreparedInstance).map_err(|fault| {
            Problem::component(format!("no instance ({}): {}", fault.reason, fault.detail))
                .of(&self.name)
        })
    }
}
