//! Who is told of a plugin's failure.
//!
//! In: a fault, and where it happened. Out: a line in the log, a count, and the [`Failure`] that the
//! chain acts on. Never: for the client's eyes.

use weir_core::chain::Failure;
use weir_core::telemetry::metrics::{Hook, PluginMetrics};

use super::fault::Fault;
use super::loaded::LoadedPlugin;

impl LoadedPlugin {
    pub(super) fn metrics(&self) -> &PluginMetrics {
        &self.template.shared.metrics
    }

    /// Logs and counts a failure.
    pub(super) fn report(
        &self,
        hook: Hook,
        route: &str,
        request: &str,
        fault: Fault,
    ) -> Box<Failure> {
        self.metrics().failed(hook, fault.reason);
        let plugin = &*self.name;
        let Fault { reason, detail, function, fatal: _ } = fault;
        let function = function.unwrap_or_default();
        let hook = hook.as_str();
        match reason {
            // Its cause has been told.
            "unavailable" => {
                tracing::debug!(plugin, route, request, hook, reason, "plugin failed: {detail}");
            }
            "busy" => {
                tracing::warn!(plugin, route, request, hook, reason, "plugin is busy: {detail}");
            }
            _ => tracing::error!(
                plugin,
                route,
                request,
                hook,
                function,
                reason,
                "plugin failed: {detail}"
            ),
        }
        Box::new(Failure { plugin: self.name.clone(), reason, detail })
    }
}
