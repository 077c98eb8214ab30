//! Who the client was: `X-Forwarded-*` and `Forwarded` (RFC 7239).
//!
//! In: the peer of a connection, the networks whose proxies are believed, and a request's fields.
//! Out: the fields for the next hop, and the real client where a believed proxy names one. Never:
//! believes a peer that is in no trusted network; whatever it says of itself is replaced, because an
//! endpoint cannot tell our fields from the client's. Fields are made once for a connection and a host,
//! so a request of an untrusted peer costs one pass over the names. Trust is asked of the configuration
//! that serves the request: a connection outlives a reload.

mod claims;
mod element;
mod trusted;

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use http::header::{FORWARDED, VIA};
use http::{HeaderMap, HeaderName, HeaderValue, Version};
use ipnet::IpNet;

use super::{AddedFields, Client, via};

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
    /// What was made last.
    last: RefCell<Option<Last>>,
    /// The configuration that was last asked whether the peer is trusted, and what it said.
    trusted: Cell<(u64, bool)>,
}

/// The fields that were made last: requests of a connection mostly ask for one host.
#[derive(Debug)]
struct Last {
    via: Option<Version>,
    /// Of a long host no longer than a request has them.
    fields: Weak<AddedFields>,
    _kept: Option<Arc<AddedFields>>,
}

/// The longest host whose fields are kept.
const MAX_KEPT_HOST: usize = 255;

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
        ForwardedFields {
            peer,
            address: peer.and_then(|address| HeaderValue::try_from(address.to_string()).ok()),
            https: client.https,
            port: local_port.map(HeaderValue::from),
            last: RefCell::new(None),
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

    /// Gives the client that the peer speaks for, unless it is the connection's own, `connection`, and
    /// the fields for the next hop as far as they are not among `headers` now. `host` is the request's
    /// `Host` as the client sent it, `via` the version that it came with, if `Via` is to tell of it.
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
        via: Option<Version>,
    ) -> (Option<Client>, Option<Arc<AddedFields>>) {
        if self.is_trusted(proxies) {
            let client = self.pass_on(headers, host, connection, proxies);
            if let Some(version) = via {
                via::append(headers, version);
            }
            return (client, None);
        }
        remove_claims(headers);
        (None, Some(self.fields(host, via)))
    }

    /// What is said of the connection's own client.
    fn fields(&self, host: &HeaderValue, via: Option<Version>) -> Arc<AddedFields> {
        let mut last = self.last.borrow_mut();
        if let Some(last) = &*last
            && last.via == via
            && let Some(fields) = last.fields.upgrade()
            && fields.get(X_FORWARDED_HOST.as_str()).map_or(host.is_empty(), |it| it == host)
        {
            return fields;
        }
        let fields = Arc::new(self.make(host, via));
        let kept = (host.len() <= MAX_KEPT_HOST).then(|| fields.clone());
        *last = Some(Last { via, fields: Arc::downgrade(&fields), _kept: kept });
        fields
    }

    fn make(&self, host: &HeaderValue, via: Option<Version>) -> AddedFields {
        let mut fields = Vec::with_capacity(6);
        // Copied: what it is a part of is the whole head that it came with.
        if !host.is_empty()
            && let Ok(host) = HeaderValue::from_bytes(host.as_bytes())
        {
            fields.push((X_FORWARDED_HOST, host));
        }
        if let Some(address) = &self.address {
            fields.push((X_FORWARDED_FOR, address.clone()));
        }
        fields.push((FORWARDED, element(self.peer, self.https, host)));
        fields.push((X_FORWARDED_PROTO, proto(self.https)));
        if let Some(port) = &self.port {
            fields.push((X_FORWARDED_PORT, port.clone()));
        }
        if let Some(version) = via {
            fields.push((VIA, via::member(version)));
        }
        AddedFields::new(fields)
    }
}

/// A peer as an element of `Forwarded`.
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
