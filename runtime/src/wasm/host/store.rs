//! `weir:plugin/store`: there for plugins with `grants = { store = true }`.
//!
//! In: keys and values. Out: the answer of the plugin's [`Store`](crate::wasm::store::Store).
//! Never: sees another plugin's keys.

use std::time::Duration;

use bytes::Bytes;
use wasmtime::Result;
use wasmtime::component::{WasmList, WasmStr};

use super::{Context, Interface};
use crate::wasm::bindings::StoreError;
use crate::wasm::store::Refused;

type Answer<T> = Result<(Result<T, StoreError>,)>;

pub(super) fn link(store: &mut Interface<'_>) -> Result<()> {
    store.func_wrap("get", |store: Context, (key,): (WasmStr,)| -> Answer<Option<Vec<u8>>> {
        let shared = &store.data().shared;
        let value = shared.store.get(&key.to_str(&store)?, shared.clock.now());
        Ok((Ok(value.map(|value| value.to_vec())),))
    })?;
    store.func_wrap(
        "set",
        |store: Context, (key, value, ttl): (WasmStr, WasmList<u8>, Option<u64>)| -> Answer<()> {
            let shared = &store.data().shared;
            let (key, value) = (key.to_str(&store)?, copied(&value, &store));
            let set = shared.store.set(&key, value, millis(ttl), shared.clock.now());
            Ok((set.map_err(StoreError::from),))
        },
    )?;
    store.func_wrap("delete", |store: Context, (key,): (WasmStr,)| -> Answer<()> {
        store.data().shared.store.delete(&key.to_str(&store)?);
        Ok((Ok(()),))
    })?;
    store.func_wrap(
        "increment",
        |store: Context, (key, by, ttl): (WasmStr, i64, Option<u64>)| -> Answer<i64> {
            let shared = &store.data().shared;
            let key = key.to_str(&store)?;
            let sum = shared.store.increment(&key, by, millis(ttl), shared.clock.now());
            Ok((sum.map_err(StoreError::from),))
        },
    )?;
    store.func_wrap(
        "set-if-absent",
        |store: Context, (key, value, ttl): (WasmStr, WasmList<u8>, Option<u64>)| -> Answer<bool> {
            let shared = &store.data().shared;
            let (key, value) = (key.to_str(&store)?, copied(&value, &store));
            let set = shared.store.set_if_absent(&key, value, millis(ttl), shared.clock.now());
            Ok((set.map_err(StoreError::from),))
        },
    )
}

fn copied(value: &WasmList<u8>, store: &Context) -> Bytes {
    Bytes::copy_from_slice(value.as_le_slice(store))
}

fn millis(ttl: Option<u64>) -> Option<Duration> {
    ttl.map(Duration::from_millis)
}

impl From<Refused> for StoreError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::TooLarge => StoreError::TooLarge,
            Refused::NotCountable(why) => StoreError::Unavailable(why),
        }
    }
}
