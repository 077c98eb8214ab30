//! Which endpoints every upstream has now.
//!
//! In: sets of endpoints, from a configuration or from whoever finds others while it serves. Out: all
//! workers send to them, and they are asked for their health. Never: builds anything else; a worker
//! serves the same configuration before and after.

use std::sync::Arc;

use super::running::Running;
use crate::server::Command;
use crate::upstream::EndpointSet;

impl Running {
    /// From now on these are the endpoints of all upstreams: of those that serve at once, of others with
    /// the configuration that is to follow. All of them: whoever finds others for one upstream holds
    /// `state` from when it reads them, or would lose what a reload found meanwhile.
    pub(super) fn follow_endpoints(&self, sets: Vec<Arc<EndpointSet>>) {
        for worker in &self.workers {
            // One that has ended serves nobody.
            let _ = worker.commands.send(Command::Endpoints(sets.clone()));
        }
        // Whoever asks for it now is told so; the prober does it again once it has given up asking.
        sets.iter().for_each(|set| set.forget_unasked());
        // It lives as long as this does.
        let _ = self.probing.send(sets.clone());
        self.endpoints.store(Arc::new(sets));
    }
}

#[cfg(test)]
mod tests;
