//! Asks endpoints whether they are well.
//!
//! In: clusters with a `health` table. Out: each endpoint's health, as the state machine of
//! [`weir_core::health`] concludes. Never: on a worker; it has one thread of its own from the start,
//! which ends when the prober is dropped.

use std::io;
use std::sync::{Arc, PoisonError};

use http::{HeaderValue, Request, StatusCode};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use weir_core::clock::Clock;
use weir_core::config;
use weir_core::health::{Check, Probed, Transition};
use weir_core::http::Body;
use weir_core::threads;

use super::cluster::{Cluster, EndpointState};
use super::connector::{Connector, Sender};
use super::message::Outgoing;

/// The probes of the snapshot that serves; dropping it ends them.
pub struct Prober {
    orders: mpsc::UnboundedSender<Vec<Wanted>>,
}

/// An endpoint to be asked.
struct Wanted {
    cluster: Arc<Cluster>,
    health: config::Health,
    state: Arc<EndpointState>,
    connector: Connector,
}

impl Prober {
    /// Starts the thread, which has nobody to ask yet.
    ///
    /// # Errors
    /// Where the system gives no thread, or nothing to wait with.
    pub fn start(clock: Clock) -> io::Result<Prober> {
        let (orders, mut ordered) = mpsc::unbounded_channel::<Vec<Wanted>>();
        let (told, begun) = std::sync::mpsc::sync_channel(1);
        threads::spawn("prober", "asks endpoints for their health", move || {
            let runtime =
                Builder::new_current_thread().enable_all().build_local(LocalOptions::default());
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(told.send(Err(error))),
            };
            drop(told.send(Ok(())));
            runtime.block_on(async move {
                let mut wanted = ordered.recv().await;
                while let Some(endpoints) = wanted {
                    // Dropping it ends them.
                    let mut probes = JoinSet::new();
                    for endpoint in endpoints {
                        probes.spawn_local(watch(endpoint, clock.clone()));
                    }
                    wanted = ordered.recv().await;
                }
            });
        })?;
        begun.recv().unwrap_or_else(|_| Err(io::Error::other("the prober has ended")))?;
        Ok(Prober { orders })
    }

    /// From now on asks every endpoint whose upstream wants it, and nobody else.
    pub fn probe(&self, clusters: &[Arc<Cluster>]) {
        let wanted = clusters
            .iter()
            .filter_map(|cluster| {
                let health = cluster.config.health.clone()?;
                Some(cluster.reachable().map(move |(state, connector)| Wanted {
                    cluster: cluster.clone(),
                    health: health.clone(),
                    state: state.clone(),
                    connector: connector.clone(),
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
        // It lives as long as this does.
        let _ = self.orders.send(wanted);
    }
}

async fn watch(endpoint: Wanted, clock: Clock) {
    let Wanted { cluster, health, state, connector } = endpoint;
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
        let probing = probe(&health, cluster.check_host_for(&state), &connector);
        let (outcome, why) = match tokio::time::timeout(check.timeout(), probing).await {
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
        *state.check.lock().unwrap_or_else(PoisonError::into_inner) = Some(check.clone());
    }
}

/// One question, made as the traffic is, on a connection of its own: a pooled one would hide an
/// endpoint that accepts no more.
async fn probe(
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
    let sender = connector.connect().await.map_err(|error| error.to_string())?;
    let answered = match sender {
        Sender::Http1(connection) => {
            let answered = connection.exchange(&outgoing, Body::Empty).await;
            answered.map(|answer| answer.parts.status).map_err(|fault| fault.to_string())
        }
        Sender::Http2(mut sender, executor, _) => {
            let body = executor.body(Body::Empty, None);
            let request = outgoing.to_http2(body, connector.endpoint.tls);
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
