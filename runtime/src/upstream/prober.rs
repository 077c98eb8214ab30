//! Asks endpoints whether they are well.
//!
//! In: clusters with a `health` table. Out: each endpoint's health, as the state machine of
//! [`crate::health`] concludes. Never: on a worker; it has one thread of its own, which ends when
//! the prober is dropped.

use std::sync::{Arc, PoisonError};

use http::{Request, StatusCode};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;

use super::cluster::{Cluster, EndpointState};
use super::connector::{Connector, Sender};
use super::message::Outgoing;
use crate::clock::Clock;
use crate::config;
use crate::health::{Check, Outcome, Transition};
use crate::http::Body;

/// The probes of one snapshot; dropping it ends them.
pub struct Prober {
    _stop: Option<oneshot::Sender<()>>,
}

impl Prober {
    /// Starts probing every endpoint whose upstream wants it.
    pub fn start(clusters: &[Arc<Cluster>], clock: Clock) -> Prober {
        let wanted: Vec<_> = clusters
            .iter()
            .filter_map(|cluster| {
                let health = cluster.config.health.clone()?;
                Some(cluster.reachable().map(move |(state, connector)| {
                    (cluster.clone(), health.clone(), state.clone(), connector.clone())
                }))
            })
            .flatten()
            .collect();
        // Without a check nobody says that an endpoint is ill.
        for cluster in clusters.iter().filter(|cluster| cluster.config.health.is_none()) {
            for state in &cluster.endpoints {
                state.set_healthy(true);
            }
        }
        if wanted.is_empty() {
            return Prober { _stop: None };
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("prober".into()).spawn(move || {
            let runtime =
                Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            let Ok(runtime) = runtime else {
                tracing::error!("the prober could not start; every endpoint counts as healthy");
                return;
            };
            runtime.block_on(async move {
                for (cluster, health, state, connector) in wanted {
                    let clock = clock.clone();
                    tokio::task::spawn_local(watch(cluster, health, state, connector, clock));
                }
                let _ = stopped.await;
            });
        });
        if let Err(error) = thread {
            tracing::error!(%error, "the prober could not start; every endpoint counts as healthy");
        }
        Prober { _stop: Some(stop) }
    }
}

async fn watch(
    cluster: Arc<Cluster>,
    health: config::Health,
    state: Arc<EndpointState>,
    connector: Connector,
    clock: Clock,
) {
    let seed = seed(&state);
    let mut check = {
        let known = state.check.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some(known) => known.reloaded(&health, clock.now(), seed),
            None => Check::new(&health, clock.now(), seed),
        }
    };
    loop {
        tokio::time::sleep(check.next_at().saturating_duration_since(clock.now())).await;
        check.begin(clock.now());
        let probing = probe(&health, &state, &connector);
        let (outcome, why) = match tokio::time::timeout(check.timeout(), probing).await {
            Ok(Ok(())) => (Outcome::Success, String::new()),
            Ok(Err(why)) => (Outcome::Failure, why),
            Err(_) => (Outcome::Failure, format!("no answer within {:?}", check.timeout())),
        };
        let upstream = &cluster.config.name;
        match check.record(clock.now(), outcome) {
            Some(Transition::Healthy) => {
                tracing::info!(%upstream, endpoint = %state.address, "endpoint is healthy");
            }
            Some(Transition::Unhealthy) => {
                tracing::warn!(%upstream, endpoint = %state.address, why, "endpoint is unhealthy");
            }
            None => {}
        }
        state.set_healthy(check.is_healthy());
        *state.check.lock().unwrap_or_else(PoisonError::into_inner) = Some(check.clone());
    }
}

/// One question on a connection of its own: a pooled one would hide an endpoint that accepts no
/// more.
async fn probe(
    health: &config::Health,
    state: &EndpointState,
    connector: &Connector,
) -> Result<(), String> {
    let mut request = Request::new(());
    *request.uri_mut() = health.path.parse().map_err(|error| format!("{error}"))?;
    let agent = http::HeaderValue::from_static("weir-health");
    request.headers_mut().insert(http::header::USER_AGENT, agent);
    let (head, ()) = request.into_parts();
    let authority = &state.authority;
    let outgoing = Outgoing { head: &head, host: None, authority, upgrade: None };
    let sender = connector.connect().await.map_err(|error| error.to_string())?;
    let answered = match sender {
        Sender::Http1(connection) => {
            let answered = connection.exchange(&outgoing, Body::Empty).await;
            answered.map(|answer| answer.parts.status).map_err(|fault| fault.to_string())
        }
        Sender::Http2(mut sender) => {
            let request = outgoing.to_http2(Body::Empty, connector.endpoint.tls);
            let answered = sender.send_request(request).await;
            answered.map(|response| response.status()).map_err(|error| error.to_string())
        }
    };
    match answered {
        Ok(status) if well(status) => Ok(()),
        Ok(status) => Err(format!("status {}", status.as_u16())),
        Err(why) => Err(why),
    }
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
