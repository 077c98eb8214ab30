//! `weir:plugin/client`: who sent the request.
//!
//! In: nothing. Out: the peer's address, and facts of its TLS connection. Never: what it sent.

use wasmtime::Result;

use super::{Context, Interface};
use crate::bindings::TlsConnection;

pub(super) fn link(client: &mut Interface<'_>) -> Result<()> {
    client.func_wrap("address", |store: Context, (): ()| {
        Ok((store.data().request()?.client.address.clone(),))
    })?;
    client
        .func_wrap("port", |store: Context, (): ()| Ok((store.data().request()?.client.port,)))?;
    client.func_wrap("tls", |store: Context, (): ()| {
        let tls = store.data().request()?.client.tls.as_ref().map(|tls| TlsConnection {
            version: tls.version.to_owned(),
            cipher: tls.cipher.clone(),
            server_name: tls.server_name.as_deref().map(str::to_owned),
            peer_subject: None,
            peer_fingerprint: None,
        });
        Ok((tls,))
    })
}
