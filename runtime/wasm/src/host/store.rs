//! `weir:plugin/store`: there for plugins with `grants = { store = true }`.
//!
//! In: keys and values, where they lie. Out: the answer of the plugin's [`Store`](weir_core::state::Store).
//! Never: sees another plugin's keys.

use std::borrow::Cow;
use std::time::Duration;

use wasmtime::Result;
use wasmtime::component::{WasmList, WasmStr};
use weir_bounds::store::MAX_VALUE;
use weir_core::state::Refused;

use super::{Context, Interface, bounds};
use crate::bindings::StoreError;
use crate::shared::Shared;

type Answer<T> = Result<(Result<T, StoreError>,)>;

pub(super) fn link(store: &mut Interface<'_>) -> Result<()> {
    store.func_wrap("get", |store: Context, (key,): (WasmStr,)| -> Answer<Option<Vec<u8>>> {
        let key = key_of(&store, &key)?;
        let shared = &store.data().shared;
        Ok((match shared.store.get(&key, shared.clock.now()) {
            Ok(None) => Ok(None),
            Ok(Some(value)) => Ok(Some(bounds::work(&store, value.len(), || value.to_vec())?)),
            Err(refused) => Err(refused.into()),
        },))
    })?;
    store.func_wrap(
        "set",
        |store: Context, (key, value, ttl): (WasmStr, WasmList<u8>, Option<u64>)| -> Answer<()> {
            put(&store, &key, &value, |shared, key, value| {
                shared.store.set(key, value, millis(ttl), shared.clock.now(), &shared.quota)
            })
        },
    )?;
    store.func_wrap("delete", |store: Context, (key,): (WasmStr,)| -> Answer<()> {
        let key = key_of(&store, &key)?;
        let shared = &store.data().shared;
        Ok((shared.store.delete(&key, &shared.quota).map_err(StoreError::from),))
    })?;
    store.func_wrap(
        "increment",
        |store: Context, (key, by, ttl): (WasmStr, i64, Option<u64>)| -> Answer<i64> {
            let key = key_of(&store, &key)?;
            let shared = &store.data().shared;
            let (now, quota) = (shared.clock.now(), &shared.quota);
            let sum = shared.store.increment(&key, by, millis(ttl), now, quota);
            Ok((sum.map_err(StoreError::from),))
        },
    )?;
    store.func_wrap(
        "set-if-absent",
        |store: Context, (key, value, ttl): (WasmStr, WasmList<u8>, Option<u64>)| -> Answer<bool> {
            put(&store, &key, &value, |shared, key, value| {
                let (now, quota) = (shared.clock.now(), &shared.quota);
                shared.store.set_if_absent(key, value, millis(ttl), now, quota)
            })
        },
    )
}

/// Hands over a value where it lies; only one that fits is copied.
fn put<T>(
    store: &Context<'_>,
    key: &WasmStr,
    value: &WasmList<u8>,
    act: impl FnOnce(&Shared, &str, &[u8]) -> Result<T, Refused>,
) -> Answer<T> {
    let key = key_of(store, key)?;
    let shared = &store.data().shared;
    let copied = value.len().min(MAX_VALUE);
    let value = value.as_le_slice(store);
    let done = bounds::work(store, copied, || act(shared, &key, value))?;
    Ok((done.map_err(StoreError::from),))
}

/// A key, for the price of what is done with it.
fn key_of<'a>(store: &'a Context<'_>, key: &WasmStr) -> Result<Cow<'a, str>> {
    store.data().budget.pay(bounds::ENTRY)?;
    bounds::text(store, key)
}

fn millis(ttl: Option<u64>) -> Option<Duration> {
    ttl.map(Duration::from_millis)
}

impl From<Refused> for StoreError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooLarge => StoreError::TooLarge,
            Refused::NotCountable(why) => StoreError::Unavailable(why.to_owned()),
            Refused::UsedUp(why) => StoreError::Unavailable(why.to_string()),
        }
    }
}
