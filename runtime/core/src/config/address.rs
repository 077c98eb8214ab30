//! Addresses: to listen on, of endpoints, of networks.
//!
//! In: a text without its place. Out: the parsed value, or a [`Fault`] with a hint. Never: resolves
//! a name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use http::uri::Authority;
use ipnet::IpNet;

use super::model::{Bind, Endpoint};
use super::problem::Fault;

/// `127.0.0.1:80`, `[::]:80`, `localhost:80`, `unix:/run/weir.sock`.
pub(crate) fn bind(text: &str) -> Result<Bind, Fault> {
    let hint =
        "an address and a port, \"0.0.0.0:8080\" or \"[::]:8080\", or \"unix:/run/weir.sock\"";
    if let Some(path) = text.strip_prefix("unix:") {
        // sun_path holds 108 bytes with the final NUL.
        return match path.len() {
            0 => Err(Fault::hint("the path of the Unix socket is empty", hint)),
            1..=107 => Ok(Bind::Unix(PathBuf::from(path))),
            n => {
                let message = format!("the Unix socket's path has {n} bytes, at most 107 fit");
                Err(Fault::hint(message, "name a folder with a shorter path"))
            }
        };
    }
    match text.parse::<SocketAddr>() {
        // Each interface may have it (RFC 4007, 6).
        Ok(SocketAddr::V6(v6)) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 => {
            let (ip, port) = (v6.ip(), v6.port());
            return Err(Fault::hint(
                format!("{ip} is an address of one link, and it is not said of which"),
                format!(
                    "write \"[{ip}%2]:{port}\" with the interface's number, as `ip link` tells"
                ),
            ));
        }
        Ok(address) => return Ok(Bind::Tcp(address)),
        Err(_) => {}
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(Fault::hint(format!("{text:?} has no port"), hint));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        return Err(Fault::hint(format!("{text:?} is not an address to listen on"), hint));
    };
    let Ok(port) = port.parse::<u16>() else {
        let message = format!("{port:?} is not a port: 0 to 65535");
        return Err(Fault::hint(message, hint));
    };
    match host {
        "localhost" => Ok(Bind::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))),
        "" | "*" => Err(Fault::hint(
            format!("{text:?} names no address"),
            format!("for every address write \"0.0.0.0:{port}\" or \"[::]:{port}\""),
        )),
        _ => Err(Fault::hint(
            format!("{host:?} is not an IP address"),
            format!("{hint}; of names only localhost is known here"),
        )),
    }
}

/// An address or a network: `10.0.0.0/8`, `::1`.
pub(crate) fn network(text: &str) -> Result<IpNet, Fault> {
    let parsed = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = parsed.map_err(|_| {
        Fault::hint(
            format!("{text:?} is not an address or network"),
            "write \"10.0.0.0/8\", \"2001:db8::/32\" or \"192.0.2.7\"",
        )
    })?;
    // As the plugin ip-filter reads it: one of both is a mistake.
    if network.addr() != network.network() {
        let hint = format!("write \"{}\", or the address alone", network.trunc());
        return Err(Fault::hint(format!("{text:?} has bits behind its prefix"), hint));
    }
    Ok(network)
}

/// `http://host:port` or `https://host:port`, with nothing behind it but perhaps one `/`: of weight 1.
pub(crate) fn origin(text: &str) -> Result<Endpoint, Fault> {
    let hint = "write \"http://host:port\" or \"https://host:port\"";
    let Some((scheme, rest)) = text.split_once("://") else {
        if text.contains('@') {
            return Err(user_information());
        }
        return Err(Fault::hint(
            format!("{text:?} has no scheme"),
            format!("write \"http://{text}\" or \"https://{text}\""),
        ));
    };
    let tls = match scheme {
        "http" => false,
        "https" => true,
        _ => return Err(Fault::hint(format!("scheme {scheme:?} is not http or https"), hint)),
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(authority_end);
    if authority.contains('@') {
        return Err(user_information());
    }
    if !matches!(behind, "" | "/") {
        return Err(Fault::hint(
            format!("an endpoint's URL ends after the port, and here {behind:?} follows"),
            "change the path with the rewrite plugin",
        ));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let number = port.parse::<u16>().ok().filter(|port| *port != 0);
            let fault = || Fault::hint(format!("the port must be 1 to 65535, not {port:?}"), hint);
            (host, number.ok_or_else(fault)?)
        }
        _ => (authority, if tls { 443 } else { 80 }),
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) if inner.parse::<Ipv6Addr>().is_ok() => inner,
        None if is_host_name(host) => host,
        _ => return Err(Fault::hint(format!("{host:?} is not a host name or address"), hint)),
    };
    Ok(Endpoint { tls, host: host.to_ascii_lowercase().into(), port, weight: 1 })
}

fn user_information() -> Fault {
    let hint = "set the authorization field with the headers plugin";
    Fault::hint("an endpoint's URL carries no user or password", hint).secret()
}

/// Letters, digits, `-`, `_` and dots between labels of at most 63; also an IPv4 address.
pub(super) fn is_host_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

/// The fixed `host` of an upstream.
pub(crate) fn authority(text: &str) -> Result<String, Fault> {
    let parsed = text.parse::<Authority>().ok().filter(|_| !text.contains('@'));
    match parsed {
        Some(authority)
            if authority.port().is_none_or(|port| port.as_str().parse::<u16>().is_ok()) =>
        {
            Ok(text.to_owned())
        }
        _ => Err(Fault::hint(
            format!("{text:?} is not a host"),
            "write \"client\", \"endpoint\", or a name with an optional port",
        )),
    }
}
