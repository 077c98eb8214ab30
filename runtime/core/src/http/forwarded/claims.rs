//! What a trusted peer says of the client it speaks for.
//!
//! In: the forwarding fields as they came from a proxy that is believed, which may still hold what
//! its own clients wrote. Out: the nodes and the scheme that can be believed. Never: looks at one
//! line of a list only, or lets one field keep another from being believed.

use std::net::IpAddr;

use http::header::FORWARDED;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::element::{self, Element};
use super::{TrustedProxies, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO};
use crate::http::host::Target;

/// What is believed of one request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claims {
    /// The list that says who the client is.
    pub(super) list: List,
    /// The client first, then the proxies between it and the peer. Empty: the peer is the client.
    pub(super) nodes: Vec<(IpAddr, u16)>,
    /// How the client spoke to the first proxy.
    pub(super) https: Option<bool>,
    /// What the client asked the first proxy for, where `Forwarded` says it.
    pub(super) host: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Neither,
    /// It comes first: proxies that do not know `Forwarded` pass a client's own on unchanged.
    XForwardedFor,
    Forwarded,
}

impl Claims {
    /// Reads the lists from right to left until a node is no trusted proxy. What cannot be read ends
    /// the search: the node to its right is the client.
    pub(super) fn read(headers: &HeaderMap, trusted: &TrustedProxies) -> Claims {
        let proto = last(headers, X_FORWARDED_PROTO).and_then(element::is_https);
        let mut members = members(headers, X_FORWARDED_FOR).rev().peekable();
        if members.peek().is_some() {
            let nodes =
                members.map(|member| Element { node: element::node(member), ..Element::default() });
            let Believed { nodes, .. } = believed(nodes, trusted);
            return Claims { list: List::XForwardedFor, nodes, https: proto, host: None };
        }
        let mut elements = elements(headers).peekable();
        if elements.peek().is_some() {
            let Believed { nodes, https, host } = believed(elements, trusted);
            return Claims { list: List::Forwarded, nodes, https: https.or(proto), host };
        }
        Claims { list: List::Neither, nodes: Vec::new(), https: proto, host: None }
    }
}

/// What elements say that may be believed.
#[derive(Default)]
struct Believed {
    /// The nodes that they name, from the client to the nearest proxy.
    nodes: Vec<(IpAddr, u16)>,
    /// What the first of them says of the scheme and the authority.
    https: Option<bool>,
    host: Option<Vec<u8>>,
}

/// Looks at elements from right to left, up to the first whose node is no proxy.
fn believed(elements: impl Iterator<Item = Element>, trusted: &TrustedProxies) -> Believed {
    let Believed { mut nodes, mut https, mut host } = Believed::default();
    for element in elements {
        let Some(node) = element.node else {
            // The nearest proxy may hide whom it speaks for, and still say how it was spoken to.
            if nodes.is_empty() {
                (https, host) = (element.https, element.host);
            }
            break;
        };
        nodes.push(node);
        (https, host) = (element.https, element.host);
        if !trusted.holds(node.0) {
            break;
        }
    }
    nodes.reverse();
    Believed { nodes, https, host }
}

/// The elements of `Forwarded` from right to left, up to a line that is broken.
fn elements(headers: &HeaderMap) -> impl Iterator<Item = Element> {
    let lines = headers.get_all(FORWARDED).iter().rev();
    lines
        .map_while(|line| element::elements(line.as_bytes()))
        .flat_map(|line| line.into_iter().rev())
}

/// The lines of `Forwarded` that can be read, and have none to their right that cannot.
pub(super) fn readable(headers: &HeaderMap) -> Vec<&[u8]> {
    let lines = headers.get_all(FORWARDED).iter().rev().map(HeaderValue::as_bytes);
    let lines = lines.take_while(|line| element::elements(line).is_some());
    let mut lines: Vec<_> = lines.map(without_empty_ends).filter(|line| !line.is_empty()).collect();
    lines.reverse();
    lines
}

/// A list without the empty members that it begins and ends with.
fn without_empty_ends(mut line: &[u8]) -> &[u8] {
    loop {
        line = line.trim_ascii();
        line = match line {
            [b',', rest @ ..] | [rest @ .., b','] => rest,
            _ => return line,
        };
    }
}

/// The authority that the client asked the first proxy for, if the peer says it and it is one.
pub(super) fn host(headers: &HeaderMap) -> Option<&[u8]> {
    authority(last(headers, X_FORWARDED_HOST)?)
}

/// What a peer says as one.
pub(super) fn authority(host: &[u8]) -> Option<&[u8]> {
    Target::parse(std::str::from_utf8(host).ok()?).ok().map(|target| target.authority.as_bytes())
}

/// What the nearest proxy says in a list.
pub(super) fn last(headers: &HeaderMap, name: HeaderName) -> Option<&[u8]> {
    members(headers, name).next_back()
}

/// The members of a list over all its lines, without empty ones (RFC 9110, 5.6.1).
pub(super) fn members(
    headers: &HeaderMap,
    name: HeaderName,
) -> impl DoubleEndedIterator<Item = &[u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}
