//! `weir:plugin/client`: who sent the request.
//!
//! In: nothing. Out: the peer's address, and facts of its TLS connection. Never: what it sent.

use wasmtime::Result;

use super::at_hand::{Context, at_hand};
use super::function::{HostFunction, functions};
use crate::answer::{Data, NOTHING, Wanted};
use crate::memory::write;

pub const FUNCTIONS: &[HostFunction] = functions! { "weir:plugin/client":
    "address" "() -> string" => address;
    "port" "() -> u16" => port;
    "tls" "() -> option<record { version: string, cipher: string, server-name: option<string>, peer-subject: option<string>, peer-fingerprint: option<string> }>" => tls;
};

/// Where the parts of `tls` are in the answer.
const VERSION: u32 = 4;
const CIPHER: u32 = 12;
const SERVER_NAME: u32 = 20;
const PEER_SUBJECT: u32 = 32;
const PEER_FINGERPRINT: u32 = 44;

fn address(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let address = state.request()?.client.address.clone().into();
    state.answer.text(memory, to, address, state.encoding)
}

fn port(mut caller: Context<'_>) -> Result<u32> {
    let state = caller.data_mut();
    state.answer.check_idle()?;
    Ok(state.request()?.client.port.into())
}

fn tls(mut caller: Context<'_>, to: u32) -> Result<Wanted> {
    let (memory, state) = at_hand(&mut caller)?;
    let Some(tls) = &state.request()?.client.tls else {
        write(memory, to, &[0])?;
        return Ok(NOTHING);
    };
    let (version, cipher) = (Data::Static(tls.version), tls.cipher.clone().into());
    let server_name = tls.server_name.as_deref().map(|name| name.to_owned().into());
    write(memory, to, &[1])?;
    let part = |offset: u32| to.wrapping_add(offset);
    for absent in [PEER_SUBJECT, PEER_FINGERPRINT] {
        write(memory, part(absent), &[0])?;
    }
    let mut texts = vec![(part(VERSION), version), (part(CIPHER), cipher)];
    write(memory, part(SERVER_NAME), &[u8::from(server_name.is_some())])?;
    texts.extend(server_name.map(|name| (part(SERVER_NAME + 4), name)));
    state.answer.texts(memory, texts, state.encoding)
}
