//! A plugin as configured: its component, what it may do, and what it may use.
//!
//! In: a checked `[plugins.NAME]`. Out: what an instance is made with. Never: shows `config`, in
//! which secrets are resolved.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// `[plugins.NAME]`. Equal if it would run the same, wherever it stands.
#[derive(Clone)]
pub struct Plugin {
    pub name: Arc<str>,
    pub component: ComponentSource,
    /// The `config` table as JSON text; `{}` where absent. Secrets are resolved in it: never log it.
    pub config: Arc<str>,
    pub grants: super::Grants,
    pub limits: PluginLimits,
    pub on_failure: OnFailure,
    pub isolation: Isolation,
    /// Where the table stands, for messages: `weir.toml:12:1`.
    pub place: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ComponentSource {
    /// One that is embedded in the binary, by name.
    BuiltIn(Arc<str>),
    File(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginLimits {
    /// Linear memory of an instance in bytes; default 16 MiB, at most 256 MiB.
    pub memory: usize,
    /// CPU time of one hook call; default 10ms (see [`PluginLimits::of`]), 1ms to 10s.
    pub deadline: Duration,
    /// Instances at a time that calls may use, on each worker; default 64, 1 to 1,024. Calls that
    /// wait for a body, or take long, hold one each.
    pub instances: usize,
    /// How long a call waits for an instance before its exchange gets a 503; default 5s.
    pub wait: Duration,
    /// What the plugin may hold in the proxy in bytes, all its instances together: limiter, store,
    /// its own metrics, bodies until they are sent; default 16 MiB, 64 KiB to 16 GiB. What can be
    /// forgotten makes room, but for a sixteenth each of limiter and store; the rest is refused.
    pub quota: usize,
}

/// What happens to an exchange whose plugin trapped or returned an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// 500 with a `Proxy-Status`.
    Reject,
    /// As if the plugin were not in the chain.
    Skip,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// An instance serves many exchanges of its worker, one at a time.
    Worker,
    /// Every call gets a fresh instance.
    Request,
}

impl PartialEq for Plugin {
    fn eq(&self, other: &Self) -> bool {
        let Plugin { name, component, config, grants, limits, on_failure, isolation, place: _ } =
            self;
        *name == other.name
            && *component == other.component
            && *config == other.config
            && *grants == other.grants
            && *limits == other.limits
            && *on_failure == other.on_failure
            && *isolation == other.isolation
    }
}

impl fmt::Debug for Plugin {
    /// Without `config`: secrets are resolved in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plugin")
            .field("name", &self.name)
            .field("component", &self.component)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Default for PluginLimits {
    fn default() -> Self {
        PluginLimits {
            memory: 16 << 20,
            deadline: Duration::from_millis(10),
            instances: 64,
            wait: Duration::from_secs(5),
            quota: 16 << 20,
        }
    }
}

impl PluginLimits {
    /// What holds where nothing is written. A plugin that verifies passwords takes longer, and
    /// more memory, than one that looks at fields, and fewer of its calls fit beside each other.
    /// The others take a few milliseconds for signatures, for patterns of the configuration's own and for
    /// the longest heads that a client may send, and more on a slow machine.
    pub fn of(component: &ComponentSource) -> PluginLimits {
        let ComponentSource::BuiltIn(name) = component else {
            return PluginLimits::default();
        };
        match &**name {
            "basic-auth" => PluginLimits {
                memory: 96 << 20,
                deadline: Duration::from_secs(2),
                instances: 16,
                ..PluginLimits::default()
            },
            _ => PluginLimits { deadline: Duration::from_millis(50), ..PluginLimits::default() },
        }
    }
}
