//! One call to an upstream that is no exchange's: a plugin's own.
//!
//! In: a request that is here as a whole, and an upstream. Out: the answer of an endpoint with the lease of its
//! connection, or the error that no retry could mend. Never: sends anything twice that an exchange would not
//! ([`Attempts`] decides for both).

use http::StatusCode;
use weir_core::balancer::Tried;
use weir_core::clock;
use weir_core::error::{Error, Kind, Side};
use weir_core::http::{Body, hop};
use weir_core::outbound::Call;
use weir_core::telemetry::metrics::Outcome;

use super::attempts::{Attempts, Failed, Resendable};
use super::forward::{Counted, outcome};
use crate::upstream::{
    Answer, Attempt, InFlightRequest, Lease, Outgoing, ResponseTimeout, Upstream, Usage,
};

/// Sends it, and waits for the answer's head.
///
/// # Errors
/// As RFC 9209 has them.
pub async fn call(
    upstream: &Upstream,
    call: Call,
) -> Result<(Answer, Lease, InFlightRequest), Box<Error>> {
    let Call { head, body: bytes, client, due, .. } = call;
    let config = &upstream.cluster.config;
    let client = Usage::new(client, client);
    let mut tried = Tried::default();
    let mut attempts = Attempts::new(config.retries, due);
    let mut last = None;
    let balanced = upstream.balanced();
    loop {
        let Some((at, in_flight, pool)) = balanced.pick(&tried) else {
            return Err(last.unwrap_or_else(|| {
                let detail = format!("upstream {} has no endpoint", config.name);
                Box::new(Error::new(Kind::DestinationUnavailable, Side::Upstream, detail))
            }));
        };
        if last.is_some() {
            upstream.cluster.metrics.retried();
        }
        let state = in_flight.state().clone();
        let counted = Counted(Some(&state.metrics));
        let outgoing = Outgoing {
            head: &head,
            added: None,
            host: upstream.cluster.host_for(&state),
            authority: &state.authority,
            upgrade: None,
            expects: false,
        };
        let sent = clock::now();
        let first_byte = due.saturating_duration_since(sent);
        let timeout = ResponseTimeout { sent, first_byte, upload: None, due: Some(due) };
        let opened_after = attempts.wants_opened_after();
        let attempt = Attempt { outgoing, client: &client, opened_after, timeout };
        let mut body = Some(Body::full(bytes.clone()));
        let failed = match pool.send(&attempt, &mut body).await {
            Ok((answer, _)) if answer.parts.status == StatusCode::SWITCHING_PROTOCOLS => {
                counted.over(Outcome::Failed);
                let why = "101 to a request that asked for no upgrade";
                return Err(Box::new(Error::new(Kind::HttpProtocolError, Side::Upstream, why)));
            }
            Ok((mut answer, lease)) => {
                counted.over(Outcome::of_status(answer.parts.status.as_u16()));
                hop::strip_response(&mut answer.parts.headers, answer.found);
                answer.body.pause_at_most(config.timeouts.idle.of(false));
                return Ok((answer, lease, in_flight));
            }
            Err(failed) => *failed,
        };
        counted.over(outcome(failed.error.kind));
        let how = Failed {
            unsent: failed.error.retryable,
            silent: failed.silent,
            reused: failed.reused,
            ended: failed.ended,
            full: failed.error.kind == Kind::ConnectionLimitReached,
        };
        let request =
            Resendable { idempotent: head.method.is_idempotent(), untouched: false, copied: true };
        let several = balanced.has_several();
        let Some(again) = attempts.next(how, request, several, clock::now()) else {
            return Err(Box::new(failed.error));
        };
        if again.elsewhere {
            tried.insert(at);
        }
        last = Some(Box::new(failed.error));
    }
}
