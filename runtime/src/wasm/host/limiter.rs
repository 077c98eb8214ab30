//! `weir:plugin/limiter`.
//!
//! In: keys and buckets. Out: the answer of the plugin's [`Limiter`](crate::wasm::limiter::Limiter).
//! Never: sees another plugin's keys.

use wasmtime::Result;
use wasmtime::component::WasmStr;

use super::{Context, Interface};
use crate::wasm::bindings::limiter::{Bucket, Verdict};
use crate::wasm::limiter;
use crate::wasm::state::{Part, Phase};

pub(super) fn link(limiter: &mut Interface<'_>) -> Result<()> {
    limiter.func_wrap("take", take)?;
    limiter.func_wrap("enter", enter)
}

fn take(store: Context, (key, bucket, cost): (WasmStr, Bucket, u32)) -> Result<(Verdict,)> {
    let Some(bucket) = limiter::Bucket::new(bucket.rate, bucket.burst) else {
        return Err(wasmtime::Error::msg(format!(
            "a bucket needs a rate above 0 and a burst of at least 1, not {} and {}",
            bucket.rate, bucket.burst
        )));
    };
    let shared = &store.data().shared;
    let taken = shared.limiter.take(&key.to_str(&store)?, bucket, cost, shared.clock.now());
    let wait_millis = u64::try_from(taken.wait.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
    Ok((Verdict { allowed: taken.allowed, remaining: taken.remaining, wait_millis },))
}

fn enter(mut store: Context, (key, limit): (WasmStr, u32)) -> Result<(bool,)> {
    if store.data().phase != Phase::Request {
        return Err(wasmtime::Error::msg("`limiter.enter` outside of a request hook"));
    }
    let place = store.data().shared.limiter.enter(&key.to_str(&store)?, limit);
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
