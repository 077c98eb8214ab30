//! What the admin listener shows of a running server.
//!
//! In: the running server. Out: JSON and text for each page. Never: a secret; the configuration is
//! masked where it was read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::admin;
use super::control::{Running, StartError};
use crate::config;

/// The admin listener's view.
pub struct View {
    running: Arc<Running>,
    draining: AtomicBool,
}

impl View {
    pub fn new(running: Arc<Running>) -> View {
        View { running, draining: AtomicBool::new(false) }
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
        match self.running.built() {
            Some(_) => Ok(()),
            None => Err("no configuration yet".into()),
        }
    }

    fn config(&self) -> Value {
        self.running.built().map_or(Value::Null, |built| config::masked(&built.config))
    }

    fn upstreams(&self) -> Value {
        let Some(built) = self.running.built() else { return json!([]) };
        built
            .clusters
            .iter()
            .map(|cluster| {
                let endpoints: Vec<Value> = cluster
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
                json!({ "name": *cluster.config.name, "endpoints": endpoints })
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
                })
            })
            .collect()
    }

    fn reload(&self) -> admin::Reload {
        let running = self.running.clone();
        Box::pin(async move {
            let reloading = tokio::task::spawn_blocking(move || running.reload());
            match reloading.await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(StartError::Config(problems))) => {
                    Err(problems.iter().map(ToString::to_string).collect())
                }
                Ok(Err(StartError::System(what))) => Err(vec![what]),
                Err(error) => Err(vec![error.to_string()]),
            }
        })
    }
}
