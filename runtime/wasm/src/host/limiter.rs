//! `weir:plugin/limiter`.
//!
//! In: keys and buckets. Out: the answer of the plugin's [`Limiter`](weir_core::state::Limiter).
//! Never: sees another plugin's keys.

use wasmtime::Result;
use wasmtime::component::WasmStr;
use weir_bounds::limiter::{MAX_KEY, MAX_PLACES};
use weir_core::state;

use super::{Context, Interface, bounds};
use crate::bindings::limiter::{Bucket, Verdict};
use crate::state::{Part, Phase};

pub(super) fn link(limiter: &mut Interface<'_>) -> Result<()> {
    limiter.func_wrap("take", take)?;
    limiter.func_wrap("enter", enter)
}

fn take(store: Context, (key, bucket, cost): (WasmStr, Bucket, u32)) -> Result<(Verdict,)> {
    let Some(bucket) = state::Bucket::new(bucket.rate, bucket.burst) else {
        return Err(wasmtime::Error::msg(format!(
            "a bucket needs a rate above 0 and a burst of at least 1, not {} and {}",
            bucket.rate, bucket.burst
        )));
    };
    let key = bounds::short_text(&store, &key, "a key of `limiter.take`", MAX_KEY)?;
    let shared = &*store.data().shared;
    let taken = shared.limiter.take(&key, bucket, cost, shared.clock.now(), shared)?;
    let wait_millis = u64::try_from(taken.wait.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
    Ok((Verdict { allowed: taken.allowed, remaining: taken.remaining, wait_millis },))
}

fn enter(mut store: Context, (key, limit): (WasmStr, u32)) -> Result<(bool,)> {
    if store.data().phase != Phase::Request {
        return Err(wasmtime::Error::msg("`limiter.enter` outside of a request hook"));
    }
    let key = bounds::short_text(&store, &key, "a key of `limiter.enter`", MAX_KEY)?;
    let state = store.data();
    if state.exchange().is_none_or(|exchange| exchange.in_flight.len() >= MAX_PLACES) {
        let message = format!("an exchange has at most {MAX_PLACES} places of `limiter.enter`");
        return Err(wasmtime::Error::msg(message));
    }
    let shared = &*state.shared;
    let place = shared.limiter.enter(&key, limit, shared.clock.now(), shared)?;
    let state = store.data_mut();
    state.before_change(Part::InFlight);
    match (place, state.exchange_mut()) {
        (Some(place), Some(exchange)) => {
            exchange.in_flight.push(place);
            Ok((true,))
        }
        _ => Ok((false,)),
    }
}
