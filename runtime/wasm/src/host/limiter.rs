//! `weir:plugin/limiter`.
//!
//! In: keys and buckets. Out: the answer of the plugin's [`Limiter`](weir_core::state::Limiter).
//! Never: sees another plugin's keys.

use wasmtime::{Error, Result};
use weir_bounds::limiter::{MAX_KEY, MAX_PLACES};
use weir_core::state;

use super::at_hand::{Context, at_hand};
use super::function::{HostFunction, functions};
use crate::memory::{Span, short_text, write};
use crate::state::{Part, Phase};

pub const FUNCTIONS: &[HostFunction] = functions! { "weir:plugin/limiter":
    "take" "(string, record { rate: f64, burst: u32 }, u32) -> record { allowed: bool, remaining: u32, wait-millis: u64 }" => take;
    "enter" "(string, u32) -> bool" => enter;
};

fn take(
    mut caller: Context<'_>,
    at: u32,
    length: u32,
    rate: f64,
    burst: u32,
    cost: u32,
    to: u32,
) -> Result<()> {
    let (memory, state) = at_hand(&mut caller)?;
    let Some(bucket) = state::Bucket::new(rate, burst) else {
        return Err(Error::msg(format!(
            "a bucket needs a rate above 0 and a burst of at least 1, not {rate} and {burst}"
        )));
    };
    let key = short_text(memory, state, Span { at, length }, "a key of `limiter.take`", MAX_KEY)?;
    let shared = &*state.shared;
    let taken = shared.limiter.take(&key, bucket, cost, shared.clock.now(), shared)?;
    let wait_millis = u64::try_from(taken.wait.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
    let mut verdict = [0; 16];
    verdict[0] = taken.allowed.into();
    verdict[4..8].copy_from_slice(&taken.remaining.to_le_bytes());
    verdict[8..].copy_from_slice(&wait_millis.to_le_bytes());
    write(memory, to, &verdict)
}

fn enter(mut caller: Context<'_>, at: u32, length: u32, limit: u32) -> Result<u32> {
    let (memory, state) = at_hand(&mut caller)?;
    if state.phase != Phase::Request {
        return Err(Error::msg("`limiter.enter` outside of a request hook"));
    }
    let key = short_text(memory, state, Span { at, length }, "a key of `limiter.enter`", MAX_KEY)?;
    if state.exchange().is_none_or(|exchange| exchange.in_flight.len() >= MAX_PLACES) {
        let message = format!("an exchange has at most {MAX_PLACES} places of `limiter.enter`");
        return Err(Error::msg(message));
    }
    let shared = &*state.shared;
    let place = shared.limiter.enter(&key, limit, shared.clock.now(), shared)?;
    state.before_change(Part::InFlight);
    match (place, state.exchange_mut()) {
        (Some(place), Some(exchange)) => {
            exchange.in_flight.push(place);
            Ok(1)
        }
        _ => Ok(0),
    }
}
