//! The fields of a trusted peer on their way to the next hop.
//!
//! In: what the peer says ([`Claims`]) and what is known of its connection. Out: two lists that agree,
//! scheme, host and port, and the client. Never: passes on a list that another one overrules.

use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderValue};

use super::claims::{self, Claims, List};
use super::{
    ForwardedFields, TrustedProxies, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT,
    X_FORWARDED_PROTO, X_REAL_IP, element, made, proto,
};
use crate::http::Client;
use crate::http::host::Target;

impl ForwardedFields {
    /// As [`ForwardedFields::apply`], for a trusted peer. Gives the client that it speaks for.
    pub fn pass_on(
        &self,
        headers: &mut HeaderMap,
        host: &HeaderValue,
        connection: &Client,
        proxies: &TrustedProxies,
    ) -> Option<Client> {
        let claims = Claims::read(headers, proxies);
        let https = claims.https.unwrap_or(self.https);
        let own = element(self.peer, self.https, host);
        let forwarded = match claims.list {
            List::Forwarded => append(claims::readable(headers), &own),
            List::Neither | List::XForwardedFor => {
                let host = claims::host(headers).unwrap_or(host.as_bytes());
                self.chain(&claims.nodes, https, host, &own)
            }
        };
        if let Some(address) = &self.address {
            let list = match claims.list {
                List::XForwardedFor => append(claims::members(headers, X_FORWARDED_FOR), address),
                List::Neither | List::Forwarded => {
                    let nodes = claims.nodes.iter().map(|(node, _)| node.to_string());
                    append(nodes, address)
                }
            };
            headers.insert(X_FORWARDED_FOR, list);
        }
        headers.insert(FORWARDED, forwarded);
        let client = match claims.nodes.first() {
            Some((address, port)) => Some((address.to_string(), (*address).into(), *port)),
            None if https != self.https => {
                Some((connection.address.clone(), connection.key, connection.port))
            }
            None => None,
        };
        if claims.list != List::Neither {
            let address = client.as_ref().map_or(&*connection.address, |(address, ..)| address);
            drop_other_address(headers, address);
        }
        let said = claims.host.as_deref().and_then(claims::authority);
        let said = said.and_then(|host| HeaderValue::from_bytes(host).ok());
        let says = claims.https.is_some() || said.is_some();
        self.complete(headers, said.as_ref().unwrap_or(host), https, says);
        let tls = || connection.tls.clone();
        client.map(|(address, key, port)| Client { address, key, port, https, tls: tls() })
    }

    /// Scheme, host and port for the next hop. `said`: the peer says which scheme.
    fn complete(&self, headers: &mut HeaderMap, host: &HeaderValue, https: bool, said: bool) {
        let mut lines = headers.get_all(X_FORWARDED_PROTO).iter();
        let agrees = match (lines.next(), lines.next()) {
            (Some(line), None) => element::is_https(line.as_bytes()) == Some(https),
            _ => false,
        };
        if !agrees {
            headers.insert(X_FORWARDED_PROTO, proto(https));
        }
        let says_host = claims::last(headers, X_FORWARDED_HOST).is_some();
        let says_port = claims::last(headers, X_FORWARDED_PORT).is_some();
        if !says_port {
            // The port that the peer connected to says nothing of the one that the client did.
            let port = match said || says_host {
                true => {
                    let host = claims::host(headers).unwrap_or(host.as_bytes());
                    Some(HeaderValue::from(port_of(host).unwrap_or(if https { 443 } else { 80 })))
                }
                false => self.port.clone(),
            };
            match port {
                Some(port) => drop(headers.insert(X_FORWARDED_PORT, port)),
                None => drop(headers.remove(X_FORWARDED_PORT)),
            }
        }
        if !says_host {
            match host.is_empty() {
                false => drop(headers.insert(X_FORWARDED_HOST, host.clone())),
                true => drop(headers.remove(X_FORWARDED_HOST)),
            }
        }
    }

    /// `Forwarded` from the client to the peer: what is believed of the client, then who passed
    /// the request on.
    fn chain(
        &self,
        nodes: &[(IpAddr, u16)],
        https: bool,
        host: &[u8],
        own: &HeaderValue,
    ) -> HeaderValue {
        let mut line = Vec::with_capacity(64 + nodes.len() * 32);
        let Some(((client, _), between)) = nodes.split_first() else {
            element::write(&mut line, self.peer, https, host);
            return made(line, own);
        };
        element::write(&mut line, Some(*client), https, host);
        for (node, _) in between {
            line.extend_from_slice(b", ");
            element::write_node(&mut line, Some(*node));
        }
        line.extend_from_slice(b", ");
        line.extend_from_slice(own.as_bytes());
        made(line, own)
    }
}

/// The port that an authority names.
fn port_of(authority: &[u8]) -> Option<u16> {
    Target::parse(std::str::from_utf8(authority).ok()?).ok()?.port
}

/// A list with one more member; one line whatever it was before, as many endpoints read only one.
fn append(
    members: impl IntoIterator<Item = impl AsRef<[u8]>>,
    member: &HeaderValue,
) -> HeaderValue {
    let mut line = Vec::new();
    for before in members {
        line.extend_from_slice(before.as_ref());
        line.extend_from_slice(b", ");
    }
    line.extend_from_slice(member.as_bytes());
    made(line, member)
}

/// Removes an `X-Real-IP` that names another than the client: the client's own, passed on.
fn drop_other_address(headers: &mut HeaderMap, client: &str) {
    let Some(client) = client.parse::<IpAddr>().ok() else { return };
    let mut lines = headers.get_all(X_REAL_IP).iter();
    let agrees = |line: &HeaderValue| {
        element::node(line.as_bytes().trim_ascii()).is_some_and(|(address, _)| address == client)
    };
    if !lines.all(agrees) {
        headers.remove(X_REAL_IP);
    }
}
