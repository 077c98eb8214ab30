//! `host[:port]` (RFC 9110, 7.2), as plugins may name one.
//!
//! In: an authority. Out: whether it is one that the proxy sends. Never: takes what RFC 3986 would allow
//! in a name and no host has: a `,` or `%` in a host is an attack on the next parser.

use std::net::Ipv6Addr;

/// Whether it is a host name, an IPv4 address or an IPv6 address in brackets, and a port from 1 to
/// 65535 where there is one.
///
/// ```
/// assert!(weir_bounds::authority::is_legal("example.com:8080"));
/// assert!(!weir_bounds::authority::is_legal("user@example.com"));
/// ```
pub fn is_legal(authority: &str) -> bool {
    match authority.strip_prefix('[') {
        Some(rest) => rest
            .split_once(']')
            .is_some_and(|(inner, port)| inner.parse::<Ipv6Addr>().is_ok() && is_port(port)),
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (name, port) = authority.split_at(end);
            is_name(name) && is_port(port)
        }
    }
}

/// Labels of letters, digits, `-` and `_`, none of them empty but behind a final dot.
fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let labels = name.strip_suffix('.').unwrap_or(name);
    labels.split('.').all(|label| !label.is_empty() && label.bytes().all(legal))
}

/// Nothing, `:` or `:1` to `:65535`.
fn is_port(port: &str) -> bool {
    match port.strip_prefix(':') {
        None => port.is_empty(),
        Some("") => true,
        Some(digits) => {
            let digit = |byte: u8| byte.is_ascii_digit();
            digits.len() <= 5
                && digits.bytes().all(digit)
                && digits.parse::<u16>().is_ok_and(|port| port > 0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_legal;

    #[test]
    fn names_addresses_and_ports() {
        for legal in [
            "a",
            "a.b",
            "a.b.",
            "A-b_c",
            "127.0.0.1",
            "[::1]",
            "a:1",
            "a:65535",
            "a:",
            "[::1]:80",
            "a:080",
        ] {
            assert!(is_legal(legal), "{legal}");
        }
        for illegal in [
            "", ":80", "a:b:c", "[::1", "a\"b", "%41", "a<b", "a@b", "a/b", "a b", "a..b", ".a",
            ".", "[", "[]", "[::1]x", "[v1.a]", "::1", "a:0", "a:65536", "a:+1", "a,b", "\u{e4}",
            "a:000080",
        ] {
            assert!(!is_legal(illegal), "{illegal}");
        }
    }
}
