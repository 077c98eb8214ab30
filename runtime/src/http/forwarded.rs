//! Who the client was: `X-Forwarded-*` and `Forwarded` (RFC 7239).
//!
//! In: the peer of a connection, the networks whose proxies are believed, and a request's fields.
//! Out: the fields for the next hop, and the real client where a believed proxy names one. Never:
//! believes a peer that is in no trusted network; whatever it says of itself is replaced, because an
//! endpoint cannot tell our fields from the client's. Values are made once for a connection, so a
//! request of an untrusted peer costs one pass over the names and an insertion for each field. Trust
//! is asked of the configuration that serves the request: a connection outlives a reload.

mod claims;
mod element;
mod trusted;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;

use bytes::Bytes;
use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::Client;

pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

const HTTP: HeaderValue = HeaderValue::from_static("http");
const HTTPS: HeaderValue = HeaderValue::from_static("https");

/// The networks whose proxies are believed, as one configuration has them.
#[derive(Debug, Clone)]
pub struct TrustedProxies {
    /// Of the configuration; 1 is the first.
    generation: u64,
    networks: Box<[IpNet]>,
}

/// What every request of one connection says of its client.
#[derive(Debug)]
pub struct ForwardedFields {
    peer: Option<IpAddr>,
    /// The peer's address; a Unix socket has none.
    address: Option<HeaderValue>,
    https: bool,
    /// The port that the peer connected to; a Unix socket has none.
    port: Option<HeaderValue>,
    /// The peer as an element of `Forwarded`, for the `Host` that it was last made for.
    element: RefCell<(HeaderValue, HeaderValue)>,
    /// The configuration that was last asked whether the peer is trusted, and what it said.
    trusted: Cell<(u64, bool)>,
}

impl TrustedProxies {
    /// `generation`: another one for each configuration, and never 0.
    pub fn new(generation: u64, networks: &[IpNet]) -> Self {
        TrustedProxies { generation, networks: networks.into() }
    }

    /// Whether an address is one of theirs.
    pub fn holds(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }
}

impl ForwardedFields {
    /// For a connection of `client`, as [`Client::new`] made it, to `local_port`.
    pub fn new(client: &Client, local_port: Option<u16>) -> Self {
        let peer: Option<IpAddr> = client.address.parse().ok();
        let none = HeaderValue::from_static("");
        ForwardedFields {
            peer,
            address: peer.and_then(|address| HeaderValue::try_from(address.to_string()).ok()),
            https: client.https,
            port: local_port.map(HeaderValue::from),
            element: RefCell::new((none.clone(), element(peer, client.https, &none))),
            trusted: Cell::new((0, false)),
        }
    }

    /// Whether the peer's own forwarding fields are believed. A Unix socket's peer never is: no
    /// network holds it. The networks are searched once for a connection and configuration.
    pub fn is_trusted(&self, proxies: &TrustedProxies) -> bool {
        let (generation, trusted) = self.trusted.get();
        if generation == proxies.generation {
            return trusted;
        }
        let trusted = self.peer.is_some_and(|address| proxies.holds(address));
        self.trusted.set((proxies.generation, trusted));
        trusted
    }

    /// Writes the fields for the next hop, and gives the client that the peer speaks for, unless it
    /// is the connection's own, `connection`. `host` is the request's `Host` as the client sent it.
    ///
    /// An untrusted peer's fields are replaced, also `X-Real-IP` and every other `X-Forwarded-*`.
    ///
    /// Of a trusted peer each is believed by itself. The client is the right-most address of
    /// `X-Forwarded-For`, else of `Forwarded`, that is no trusted proxy itself. Both lists go on and
    /// agree: the one that decides with the peer appended, the other made from what is believed,
    /// since it may be the client's own (RFC 7239, 7.4). So does `X-Forwarded-Proto`, or it is
    /// corrected. Host and port go on as they came, and are added where they are missing.
    pub fn apply(
        &self,
        headers: &mut HeaderMap,
        host: &HeaderValue,
        connection: &Client,
        proxies: &TrustedProxies,
    ) -> Option<Client> {
        if self.is_trusted(proxies) {
            return self.pass_on(headers, host, connection, proxies);
        }
        remove_claims(headers);
        if let Some(address) = &self.address {
            headers.insert(X_FORWARDED_FOR, address.clone());
        }
        headers.insert(FORWARDED, self.element(host));
        headers.insert(X_FORWARDED_PROTO, proto(self.https));
        if !host.is_empty() {
            headers.insert(X_FORWARDED_HOST, host.clone());
        }
        if let Some(port) = &self.port {
            headers.insert(X_FORWARDED_PORT, port.clone());
        }
        None
    }

    /// The peer as an element of `Forwarded`. Requests of a connection mostly ask for one host.
    fn element(&self, host: &HeaderValue) -> HeaderValue {
        let mut last = self.element.borrow_mut();
        if last.0 != *host {
            *last = (host.clone(), element(self.peer, self.https, host));
        }
        last.1.clone()
    }
}

fn element(peer: Option<IpAddr>, https: bool, host: &HeaderValue) -> HeaderValue {
    let mut line = Vec::with_capacity(64);
    element::write(&mut line, peer, https, host.as_bytes());
    made(line, &const { HeaderValue::from_static("for=unknown") })
}

fn proto(https: bool) -> HeaderValue {
    if https { HTTPS } else { HTTP }
}

/// A line made of legal values and what stands between members, so it is one; `or` if not.
fn made(line: Vec<u8>, or: &HeaderValue) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(line)).unwrap_or_else(|_| or.clone())
}

/// Removes all that a peer says of itself. An ordinary request has nothing to remove.
fn remove_claims(headers: &mut HeaderMap) {
    if !headers.keys().any(is_claim) {
        return;
    }
    let claims: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name)).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

fn is_claim(name: &HeaderName) -> bool {
    match name.as_str().as_bytes() {
        [b'x', b'-', b'f', ..] => name.as_str().starts_with("x-forwarded"),
        [b'x', b'-', b'r', ..] => *name == X_REAL_IP,
        [b'f', ..] => *name == FORWARDED,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
