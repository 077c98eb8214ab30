//! What the admin listener shows of a running server.
//!
//! In: the running server. Out: JSON and text for each page. Never: a secret; the configuration is
//! masked by the plugins' own schemas and where it came from.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use weir_core::config;
use weir_core::telemetry::log;

use super::admin::{self, NotReloaded};
use super::options::StartError;
use super::reloads::Reloads;
use super::running::Running;

/// The admin listener's view.
pub struct View {
    running: Arc<Running>,
    reloads: Reloads,
    draining: AtomicBool,
}

impl View {
    pub fn new(running: Arc<Running>, reloads: Reloads) -> View {
        View { running, reloads, draining: AtomicBool::new(false) }
    }

    /// From now on the process is not ready: it drains.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

impl admin::AdminView for View {
    fn metrics(&self) -> String {
        self.running.metrics.render()
    }

    fn ready(&self) -> Result<(), String> {
        if self.draining.load(Ordering::Relaxed) {
            return Err("draining".into());
        }
        self.running.built().ok_or("no configuration yet")?;
        let endpoints = self.running.endpoints.load();
        let lost = endpoints.iter().find(|set| {
            set.cluster.config.essential && !set.endpoints.iter().any(|it| it.is_healthy())
        });
        match lost {
            None => Ok(()),
            Some(set) => {
                Err(format!("no endpoint of upstream {} is healthy", set.cluster.config.name))
            }
        }
    }

    fn goes_by(&self, host: &str) -> bool {
        let Some(built) = self.running.built() else { return false };
        built.config.server.admin_hosts.iter().any(|listed| listed.matches(host))
    }

    fn config(&self) -> Value {
        let Some(built) = self.running.built() else { return Value::Null };
        config::masked(&built.config, &|name| {
            let plugin = built.plugins.iter().find(|plugin| **plugin.name() == *name)?;
            let schema = plugin.about().config_schema.as_str();
            // Without one it takes no configuration.
            if schema.trim().is_empty() { None } else { serde_json::from_str(schema).ok() }
        })
    }

    fn upstreams(&self) -> Value {
        let endpoints = self.running.endpoints.load();
        endpoints
            .iter()
            .map(|set| {
                let endpoints: Vec<Value> = set
                    .endpoints
                    .iter()
                    .map(|state| {
                        json!({
                            "address": *state.address,
                            "tls": state.endpoint.tls,
                            "weight": state.endpoint.weight,
                            "healthy": state.is_healthy(),
                            "in_flight": state.in_flight(),
                        })
                    })
                    .collect();
                json!({ "name": *set.cluster.config.name, "endpoints": endpoints })
            })
            .collect()
    }

    fn plugins(&self) -> Value {
        let Some(built) = self.running.built() else { return json!([]) };
        built
            .config
            .plugins
            .iter()
            .zip(&built.plugins)
            .map(|(plugin, loaded)| {
                let about = loaded.about();
                json!({
                    "name": *plugin.name,
                    "component": about.name,
                    "version": about.version,
                    "summary": about.summary,
                    "digest": loaded.digest(),
                    "hooks": loaded.hooks().names(),
                    "imports": loaded.imports(),
                    "can": loaded.capabilities().can,
                    "cannot": loaded.capabilities().cannot,
                })
            })
            .collect()
    }

    fn log(&self, level: Option<&str>) -> Result<String, String> {
        let none = || "this process writes no log of Weir's".to_owned();
        let now = match level {
            None => log::filter().ok_or_else(none)?,
            Some("") => log::switch(None)?,
            Some(level) => log::switch(Some(log::Filter::parse(level)?))?,
        };
        Ok(now.to_string())
    }

    fn reload(&self) -> admin::Reload {
        let reloads = self.reloads.clone();
        Box::pin(async move {
            match reloads.reload().await {
                Ok(left) => Ok(left.iter().map(|path| path.display().to_string()).collect()),
                Err(error) => Err(match &*error {
                    StartError::Config(all) => {
                        NotReloaded::Wrong(all.iter().map(ToString::to_string).collect())
                    }
                    StartError::System(..) => NotReloaded::Wrong(vec![error.to_string()]),
                    StartError::Ending => NotReloaded::Ending(error.to_string()),
                }),
            }
        })
    }
}
