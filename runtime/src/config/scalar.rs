//! Texts that stand for something: durations, sizes, addresses, hosts, paths, patterns.
//!
//! In: a string without its place. Out: the parsed value, or a [`Fault`] with a hint. Never: reads
//! a file or resolves a name. All pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use http::uri::Authority;
use ipnet::IpNet;
use regex::Regex;

use super::model::{Bind, HostMatch, PathMatch};
use super::problem::Fault;
use crate::http::path::normalize;

/// `250ms`, `10s`, `1h`, `1m30s`, `1.5s`; units from the largest to the smallest.
pub(crate) fn duration(text: &str) -> Result<Duration, Fault> {
    const UNITS: [(&str, f64); 6] =
        [("d", 86_400.0), ("h", 3600.0), ("m", 60.0), ("s", 1.0), ("ms", 1e-3), ("us", 1e-6)];
    let fault = || {
        Fault::hint(
            format!("{text:?} is not a duration"),
            "a number with one of the units us, ms, s, m, h, d: \"250ms\", \"10s\", \"1m30s\"",
        )
    };
    let mut rest = text;
    let mut sum = 0.0;
    let mut smallest = 0;
    while !rest.is_empty() {
        let number = leading_number(rest);
        let unit_end = rest[number.len()..]
            .find(|c: char| !c.is_ascii_alphabetic())
            .map_or(rest.len(), |end| number.len() + end);
        let unit = &rest[number.len()..unit_end];
        let index = UNITS.iter().position(|(name, _)| *name == unit).ok_or_else(fault)?;
        if index < smallest {
            return Err(fault());
        }
        smallest = index + 1;
        sum += number.parse::<f64>().map_err(|_| fault())? * UNITS[index].1;
        rest = &rest[unit_end..];
    }
    if text.is_empty() {
        return Err(fault());
    }
    Duration::try_from_secs_f64(sum).map_err(|_| fault())
}

/// `64KiB`, `10MiB`, `1.5GB`, `512B`, `512`; K, M, G with or without `i` and `B`: `KiB` is 1,024
/// bytes, `KB` 1,000.
pub(crate) fn size(text: &str) -> Result<u64, Fault> {
    const UNITS: [(&str, u64); 8] = [
        ("", 1),
        ("b", 1),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
    ];
    let fault = || {
        Fault::hint(
            format!("{text:?} is not a size"),
            "a number with one of the units B, KB, MB, GB, KiB, MiB, GiB: \"64KiB\", \"10MiB\"",
        )
    };
    let number = leading_number(text);
    let unit = text[number.len()..].trim_start().to_ascii_lowercase();
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(fault)?;
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(*factor).ok_or_else(fault);
    }
    let bytes = number.parse::<f64>().map_err(|_| fault())? * *factor as f64;
    if bytes.fract() != 0.0 || bytes >= u64::MAX as f64 {
        return Err(fault());
    }
    Ok(bytes as u64)
}

fn leading_number(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    &text[..end]
}

/// `127.0.0.1:80`, `[::]:80`, `localhost:80`, `unix:/run/weir.sock`.
pub(crate) fn bind(text: &str) -> Result<Bind, Fault> {
    let hint =
        "an address and a port, \"0.0.0.0:8080\" or \"[::]:8080\", or \"unix:/run/weir.sock\"";
    if let Some(path) = text.strip_prefix("unix:") {
        // sun_path holds 108 bytes with the final NUL.
        return match path.len() {
            0 => Err(Fault::hint("the path of the Unix socket is empty", hint)),
            1..=107 => Ok(Bind::Unix(PathBuf::from(path))),
            n => Err(Fault::new(format!("the Unix socket's path has {n} bytes, at most 107 fit"))),
        };
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Bind::Tcp(address));
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
    text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        Fault::hint(
            format!("{text:?} is not an address or network"),
            "write \"10.0.0.0/8\", \"2001:db8::/32\" or \"192.0.2.7\"",
        )
    })
}

/// What an endpoint's URL says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub tls: bool,
    /// Without brackets.
    pub host: String,
    pub port: u16,
}

/// `http://host:port` or `https://host:port`, with nothing behind it but perhaps one `/`.
pub(crate) fn origin(text: &str) -> Result<Origin, Fault> {
    let hint = "write \"http://host:port\" or \"https://host:port\"";
    let Some((scheme, rest)) = text.split_once("://") else {
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
        return Err(Fault::hint(
            "an endpoint's URL carries no user or password",
            "set the authorization field with the headers plugin",
        ));
    }
    if !matches!(behind, "" | "/") {
        return Err(Fault::hint(
            format!("an endpoint's URL ends after the port, and here {behind:?} follows"),
            "change the path with the rewrite plugin",
        ));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => {
            let port = port.parse::<u16>().ok().filter(|port| *port != 0);
            let fault = || Fault::hint("the port must be 1 to 65535".to_owned(), hint);
            (host, port.ok_or_else(fault)?)
        }
        _ => (authority, if tls { 443 } else { 80 }),
    };
    let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(inner) if inner.parse::<Ipv6Addr>().is_ok() => inner,
        None if is_host_name(host) => host,
        _ => return Err(Fault::hint(format!("{host:?} is not a host name or address"), hint)),
    };
    Ok(Origin { tls, host: host.to_ascii_lowercase(), port })
}

/// Letters, digits, `-`, `_` and dots between labels of at most 63; also an IPv4 address.
fn is_host_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

/// `match.host`
pub(crate) fn host(text: &str) -> Result<HostMatch, Fault> {
    let lower = text.to_ascii_lowercase();
    if let Some(domain) = lower.strip_prefix("*.")
        && is_host_name(domain)
    {
        return Ok(HostMatch::Suffix(format!(".{domain}")));
    }
    let bracketed = lower.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    if is_host_name(&lower) || bracketed.is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()) {
        return Ok(HostMatch::Exact(lower));
    }
    let hint = if lower == "*" || lower.is_empty() {
        "leave host out to match any".to_owned()
    } else if lower.contains("://") {
        "write the name alone, without scheme and path".to_owned()
    } else if !lower.is_ascii() {
        "write an international name in its ASCII form: \"xn--…\"".to_owned()
    } else if lower.parse::<Ipv6Addr>().is_ok() {
        format!("write an IPv6 address in brackets: \"[{lower}]\"")
    } else if lower.contains('*') {
        "a star stands for the first labels only: \"*.example.com\"".to_owned()
    } else if lower.contains(':') {
        "leave the port out: it is the listener that decides it".to_owned()
    } else {
        "write \"api.example.com\" or \"*.example.com\"".to_owned()
    };
    Err(Fault::hint(format!("{text:?} is not a host name"), hint))
}

/// `match.path` as a string: exact, or all below if it ends in `/*`.
pub(crate) fn path(text: &str) -> Result<PathMatch, Fault> {
    match text.strip_suffix('*') {
        Some(below) if below.ends_with('/') => Ok(PathMatch::Below(plain_path(below)?)),
        _ => exact_path(text),
    }
}

/// `match.path.exact`
pub(crate) fn exact_path(text: &str) -> Result<PathMatch, Fault> {
    Ok(PathMatch::Exact(plain_path(text)?))
}

/// `match.path.prefix`
pub(crate) fn prefix_path(text: &str) -> Result<PathMatch, Fault> {
    Ok(PathMatch::Prefix(plain_path(text)?.trim_end_matches('/').to_owned()))
}

/// `match.path.regex`
pub(crate) fn regex_path(text: &str) -> Result<PathMatch, Fault> {
    anchored(text).map(PathMatch::Regex)
}

/// A path in the normal form that requests are matched in.
fn plain_path(text: &str) -> Result<String, Fault> {
    let fault = |why: &str, hint: &str| Err(Fault::hint(format!("path {text:?} {why}"), hint));
    if !text.starts_with('/') {
        return fault("does not start with \"/\"", "write \"/api\" or \"/api/*\"");
    }
    if text.contains('*') {
        let hint =
            "a star stands only at the end, after a slash: \"/api/*\"; else { regex = \"…\" }";
        return fault("has a star inside", hint);
    }
    if text.contains(['?', '#']) {
        let hint = "match the query with query = { name = \"value\" }";
        return fault("has a query or fragment", hint);
    }
    if text.split('/').any(|segment| matches!(segment, "." | "..")) {
        let hint = "dots are resolved before routing: write the path that is left";
        return fault("has a \".\" or \"..\" segment", hint);
    }
    match normalize(text) {
        Ok(normal) => Ok(normal.into_owned()),
        Err(bad) => fault("is one that no request can have", bad.as_str()),
    }
}

/// A pattern that must match all of a text.
pub(crate) fn anchored(text: &str) -> Result<Regex, Fault> {
    // Alone first: `a)(b` must not become valid by what is put around it. The line end closes a
    // comment in a pattern that starts with `(?x)`, where white space counts for nothing.
    let whole = |end: &str| Regex::new(&format!("^(?:{text}{end})$"));
    Regex::new(text).and_then(|_| whole("").or_else(|_| whole("\n"))).map_err(|error| {
        let text = error.to_string();
        // The last line says why; those before draw the pattern.
        let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
        Fault::hint(
            format!("this is not a regular expression: {why}"),
            "the syntax is that of Rust's regex crate; in TOML, 'single quotes' keep backslashes",
        )
    })
}

/// `match.methods`
pub(crate) fn method(text: &str) -> Result<http::Method, Fault> {
    const STANDARD: [&str; 9] =
        ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
    let upper = text.to_ascii_uppercase();
    if upper != text && STANDARD.contains(&upper.as_str()) {
        return Err(Fault::hint(
            format!("{text:?} is not a method: their case matters"),
            format!("write {upper:?}"),
        ));
    }
    http::Method::from_bytes(text.as_bytes())
        .map_err(|_| Fault::hint(format!("{text:?} is not a method"), "write \"GET\", \"POST\" …"))
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

/// As messages print a duration: `1h`, `1m30s`, `250ms`.
pub(crate) fn show_duration(duration: Duration) -> String {
    let (mut text, mut rest) = (String::new(), duration.as_millis());
    for (unit, millis) in [("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)] {
        if rest >= millis {
            text.push_str(&format!("{}{unit}", rest / millis));
            rest %= millis;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// As messages print a size: `16MiB`, `512B`.
pub(crate) fn show_size(bytes: u64) -> String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    format!("{bytes}B")
}
