//! Who the client was: `X-Forwarded-*` and `Forwarded` (RFC 7239).
//!
//! In: the peer of a connection, the networks whose proxies are believed, and a request's fields.
//! Out: the fields for the next hop, and the real client where a believed proxy names one. Never:
//! believes a peer that is in no trusted network; whatever it says of itself is replaced, because an
//! endpoint cannot tell our fields from the client's. Values are made once for a connection, so a
//! request of an untrusted peer costs one pass over the names and an insertion for each field.

mod element;

use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::Client;

pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
pub const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// What every request of one connection says of its client.
#[derive(Debug, Clone)]
pub struct ForwardedFields {
    /// The peer is in a trusted network.
    trusted: bool,
    /// The peer's address; a Unix socket has none.
    address: Option<HeaderValue>,
    /// `http` or `https`.
    proto: HeaderValue,
    /// The port that the peer connected to; a Unix socket has none.
    port: Option<HeaderValue>,
    /// The peer as an element of `Forwarded`.
    element: HeaderValue,
}

impl ForwardedFields {
    /// For a connection of `client`, as [`Client::new`] made it, to `local_port`. A Unix socket's
    /// peer is never trusted: no network holds it.
    pub fn new(client: &Client, local_port: Option<u16>, trusted: &[IpNet]) -> Self {
        let address: Option<IpAddr> = client.address.parse().ok();
        let proto = if client.https { "https" } else { "http" };
        let node = match address {
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => format!("\"[{address}]\""),
            None => String::from("unknown"),
        };
        ForwardedFields {
            trusted: address.is_some_and(|address| is_trusted(address, trusted)),
            address: address.and_then(|address| HeaderValue::try_from(address.to_string()).ok()),
            proto: HeaderValue::from_static(proto),
            port: local_port.map(HeaderValue::from),
            element: HeaderValue::try_from(format!("for={node};proto={proto}"))
                .unwrap_or(const { HeaderValue::from_static("for=unknown") }),
        }
    }

    /// Whether the peer's own forwarding fields are believed.
    pub fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// Writes the fields for the next hop. `host` is the request's `Host` as the client sent it.
    ///
    /// An untrusted peer's are replaced, also `X-Real-IP` and every other `X-Forwarded-*`. A trusted
    /// peer's are kept: `X-Forwarded-For` and `Forwarded` get the peer appended, the others are
    /// added where they are missing. If it sent only one of the two lists, only that one goes on:
    /// a second that begins at the proxy would name the wrong client.
    pub fn apply(&self, headers: &mut HeaderMap, host: &HeaderValue) {
        if !self.trusted {
            remove_claims(headers);
            if let Some(address) = &self.address {
                headers.insert(X_FORWARDED_FOR, address.clone());
            }
            headers.insert(FORWARDED, self.element.clone());
        } else {
            let has_for = headers.contains_key(X_FORWARDED_FOR);
            let has_forwarded = headers.contains_key(FORWARDED);
            if let Some(address) = &self.address
                && (has_for || !has_forwarded)
            {
                append(headers, X_FORWARDED_FOR, address);
            }
            if has_forwarded || !has_for {
                append(headers, FORWARDED, &self.element);
            }
        }
        let keep = self.trusted;
        let mut set = |name: HeaderName, value: &HeaderValue| {
            if !(keep && headers.contains_key(&name)) {
                headers.insert(name, value.clone());
            }
        };
        set(X_FORWARDED_PROTO, &self.proto);
        if !host.is_empty() {
            set(X_FORWARDED_HOST, host);
        }
        if let Some(port) = &self.port {
            set(X_FORWARDED_PORT, port);
        }
    }

    /// The client that a trusted peer speaks for: the right-most address of `X-Forwarded-For`, else
    /// of `Forwarded`, that is no trusted proxy itself. `None`: the connection's own client is it.
    ///
    /// To be asked before [`ForwardedFields::apply`]. `X-Forwarded-For` comes first because
    /// proxies that do not know `Forwarded` pass a client's own on unchanged. What cannot be read
    /// ends the search: the address to its right is the client.
    pub fn client(
        &self,
        connection: &Client,
        headers: &HeaderMap,
        trusted: &[IpNet],
    ) -> Option<Client> {
        if !self.trusted {
            return None;
        }
        if headers.contains_key(X_FORWARDED_FOR) {
            let nodes = headers
                .get_all(X_FORWARDED_FOR)
                .iter()
                .rev()
                .flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','))
                .map(|member| element::node(member.trim_ascii()));
            let (address, port) = right_most(nodes, |node| *node, trusted)?;
            let https = last_proto(headers).unwrap_or(connection.https);
            return Some(speaks_for(connection, address, port, https));
        }
        let lines = headers.get_all(FORWARDED).iter().rev();
        let elements = lines.flat_map(|line| element::elements(line.as_bytes()).into_iter().rev());
        let found = right_most(elements, |element| element.node, trusted)?;
        let (address, port) = found.node;
        Some(speaks_for(connection, address, port, found.https.unwrap_or(connection.https)))
    }
}

/// The last that is readable, going from right to left until one is no trusted proxy.
fn right_most<T>(
    candidates: impl Iterator<Item = Option<T>>,
    node: impl Fn(&T) -> (IpAddr, u16),
    trusted: &[IpNet],
) -> Option<T> {
    let mut found = None;
    for candidate in candidates {
        let Some(candidate) = candidate else { break };
        let is_proxy = is_trusted(node(&candidate).0, trusted);
        found = Some(candidate);
        if !is_proxy {
            break;
        }
    }
    found
}

fn speaks_for(connection: &Client, address: IpAddr, port: u16, https: bool) -> Client {
    Client { address: address.to_string(), port, https, tls: connection.tls.clone() }
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| network.contains(&address))
}

/// What the nearest proxy says of the client's scheme.
fn last_proto(headers: &HeaderMap) -> Option<bool> {
    let line = headers.get_all(X_FORWARDED_PROTO).iter().next_back()?;
    let last = line.as_bytes().rsplit(|byte| *byte == b',').next()?.trim_ascii();
    element::is_https(last)
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
        [b'x', b'-', b'r', ..] => name.as_str() == "x-real-ip",
        [b'f', ..] => *name == FORWARDED,
        _ => false,
    }
}

/// Adds a member to a list field; one line whatever it was before, as many endpoints read only one.
fn append(headers: &mut HeaderMap, name: HeaderName, member: &HeaderValue) {
    let mut line = Vec::new();
    for value in headers.get_all(&name) {
        line.extend_from_slice(value.as_bytes());
        line.extend_from_slice(b", ");
    }
    if line.is_empty() {
        headers.insert(name, member.clone());
        return;
    }
    line.extend_from_slice(member.as_bytes());
    // Made of values and ", ", so it is one.
    let value = HeaderValue::from_maybe_shared(bytes::Bytes::from(line));
    headers.insert(name, value.unwrap_or_else(|_| member.clone()));
}

#[cfg(test)]
mod tests;
