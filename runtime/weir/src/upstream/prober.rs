//! Asks endpoints whether they are well.
//!
//! In: sets of endpoints whose upstreams have a `health` table. Out: each endpoint's health, as the state
//! machine of [`weir_core::health`] concludes. Never: on a worker; or asks anew, or gives a question up,
//! where another set takes the place of one and the endpoint is to be asked as before.

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use http::{HeaderValue, Request, StatusCode};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use weir_core::clock::Clock;
use weir_core::config;
use weir_core::error::Chain;
use weir_core::health::{Check, Probed, Transition};
use weir_core::http::Body;

use super::cluster::Cluster;
use super::connector::{Connector, Sender};
use super::endpoint::EndpointState;
use super::endpoint_set::EndpointSet;
use super::message::Outgoing;

/// Sets to be asked, each time all of them. Dropping it ends the probes.
pub type Probing = mpsc::UnboundedSender<Vec<Arc<EndpointSet>>>;

/// An endpoint to be asked.
#[derive(Clone)]
struct Wanted {
    cluster: Arc<Cluster>,
    health: config::Health,
    state: Arc<EndpointState>,
    connector: Connector,
}

/// Endpoints that are asked.
#[derive(Default)]
struct Probes {
    tasks: JoinSet<()>,
    /// By the endpoint's state, of which there is one for each.
    each: HashMap<*const EndpointState, (Wanted, AbortHandle)>,
}

/// Asks every endpoint of the newest sets whose upstream wants it, and nobody else, until nobody is
/// left who could send others. Needs a local set.
pub async fn probe(mut told: mpsc::UnboundedReceiver<Vec<Arc<EndpointSet>>>, clock: Clock) {
    let mut probes = Probes::default();
    loop {
        tokio::select! {
            sets = told.recv() => match sets {
                Some(sets) => probes.follow(&sets, &clock),
                None => return,
            },
            Some(ended) = probes.tasks.join_next() => {
                if let Err(error) = ended && error.is_panic() {
                    tracing::error!(%error, "this is a bug of Weir's: an endpoint is asked no more");
                }
            }
        }
    }
}

impl Probes {
    fn follow(&mut self, sets: &[Arc<EndpointSet>], clock: &Clock) {
        let mut before = std::mem::take(&mut self.each);
        for set in sets {
            let Some(health) = &set.cluster.config.health else { continue };
            for (state, connector) in set.reachable() {
                let wanted = Wanted {
                    cluster: set.cluster.clone(),
                    health: health.clone(),
                    state: state.clone(),
                    connector: connector.clone(),
                };
                let asked = match before.remove(&Arc::as_ptr(state)) {
                    Some(asked) if !asked.1.is_finished() && asked.0.asks_like(&wanted) => asked,
                    gone => {
                        gone.into_iter().for_each(|(_, task)| task.abort());
                        let task = self.tasks.spawn_local(watch(wanted.clone(), clock.clone()));
                        (wanted, task)
                    }
                };
                self.each.insert(Arc::as_ptr(state), asked);
            }
        }
        before.into_values().for_each(|(_, task)| task.abort());
        // Only now, when none of those is asked who are asked no more.
        sets.iter().for_each(|set| set.forget_unasked());
    }
}

impl Wanted {
    /// Whether a question of this one is one of `other`.
    fn asks_like(&self, other: &Wanted) -> bool {
        let host = |wanted: &Wanted| wanted.cluster.check_host_for(&wanted.state).clone();
        self.health == other.health
            && self.cluster.connects_like(&other.cluster)
            && host(self) == host(other)
    }
}

async fn watch(endpoint: Wanted, clock: Clock) {
    let Wanted { cluster, health, state, connector } = endpoint;
    let seed = seed(&state);
    let mut check = {
        match &*state.check() {
            Some(known) => known.reloaded(&health, clock.now(), seed),
            None => Check::new(&health, clock.now(), seed),
        }
    };
    loop {
        tokio::time::sleep(check.next_at().saturating_duration_since(clock.now())).await;
        check.begin(clock.now());
        let asking = ask(&health, cluster.check_host_for(&state), &connector);
        let (outcome, why) = match tokio::time::timeout(check.timeout(), asking).await {
            Ok(Ok(())) => (Probed::Success, String::new()),
            Ok(Err(why)) => (Probed::Failure, why),
            Err(_) => (Probed::Failure, format!("no answer within {:?}", check.timeout())),
        };
        let upstream = &cluster.config.name;
        match check.observe(outcome, clock.now()) {
            Some(Transition::Healthy) => {
                tracing::info!(%upstream, endpoint = %state.address, "endpoint is healthy");
            }
            Some(Transition::Unhealthy) => {
                tracing::warn!(%upstream, endpoint = %state.address, why, "endpoint is unhealthy");
            }
            None => {}
        }
        state.set_healthy(check.is_healthy());
        *state.check() = Some(check.clone());
    }
}

/// One question, made as the traffic is, on a connection of its own: a pooled one would hide an
/// endpoint that accepts no more.
async fn ask(
    health: &config::Health,
    host: &HeaderValue,
    connector: &Connector,
) -> Result<(), String> {
    let mut request = Request::new(());
    *request.uri_mut() = health.path.parse().map_err(|error| format!("{error}"))?;
    let agent = HeaderValue::from_static("weir-health");
    request.headers_mut().insert(http::header::USER_AGENT, agent);
    let (head, ()) = request.into_parts();
    let outgoing = Outgoing {
        head: &head,
        added: None,
        host: Some(host),
        authority: host,
        upgrade: None,
        expects: false,
    };
    let sender = connector.connect().await.map_err(|error| told(&error))?;
    let answered = match sender {
        Sender::Http1(connection) => {
            let answered = connection.exchange(&outgoing, Body::Empty).await;
            answered.map(|answer| answer.parts.status).map_err(|fault| told(&fault))
        }
        Sender::Http2(mut sender, executor, _) => {
            let body = executor.body(Body::Empty, None);
            let request = outgoing.to_http2(body, connector.endpoint.tls);
            let answered = sender.send_request(request).await;
            answered.map(|response| response.status()).map_err(|error| told(&error))
        }
    };
    match answered {
        Ok(status) if well(status) => Ok(()),
        Ok(status) => Err(format!("status {}", status.as_u16())),
        Err(why) => Err(why),
    }
}

/// An error with all that it came from.
fn told(error: &dyn Error) -> String {
    Chain(error).to_string()
}

fn well(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
}

/// Spreads first probes, the same way at each start.
fn seed(state: &EndpointState) -> u64 {
    state.address.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
