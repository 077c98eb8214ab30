//! Who counts as one client, wherever one may have no more than his share.
//!
//! In: an address, as it is known after trusted proxies. Out: a key that is the same for all that
//! belongs to one client. Never: takes the addresses of one IPv6 /64 for several clients: that is
//! what one customer is given (RFC 6177), so that they cost nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One client, as shares know him. Sixteen bytes, compared and hashed as numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum ClientKey {
    /// Nobody in particular: the peer of a Unix socket.
    #[default]
    Unnamed,
    /// The whole address; an IPv4-mapped IPv6 address is one of these.
    V4(u32),
    /// The upper half.
    V6(u64),
    /// A connection that several clients share, in its own right.
    Connection(u64),
}

/// The most that one client may have of what the others leave: three quarters, rounded up.
pub fn share_of(left: usize) -> usize {
    left - left / 4
}

impl From<IpAddr> for ClientKey {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => ClientKey::V4(address.to_bits()),
            IpAddr::V6(address) => ClientKey::V6((address.to_bits() >> 64) as u64),
        }
    }
}

impl ClientKey {
    /// Of a connection's peer; that of a Unix socket is nobody in particular.
    pub fn of_peer(peer: Option<SocketAddr>) -> ClientKey {
        peer.map(|peer| ClientKey::from(peer.ip())).unwrap_or_default()
    }

    /// One more connection whose peer speaks for many, or is asked by many.
    pub fn of_connection() -> ClientKey {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        ClientKey::Connection(NEXT.fetch_add(1, Relaxed))
    }

    /// Of an address as text; what is none is nobody in particular.
    pub fn of(address: &str) -> ClientKey {
        address.parse::<IpAddr>().map_or(ClientKey::Unnamed, ClientKey::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_client_and_so_is_a_network_of_ipv6() {
        let same = |one: &str, other: &str| ClientKey::of(one) == ClientKey::of(other);
        assert!(same("192.0.2.1", "::ffff:192.0.2.1"));
        assert!(same("2001:db8::1", "2001:db8:0:0:ffff:ffff:ffff:ffff"));
        assert!(same("", "unix") && ClientKey::of("") == ClientKey::default());
        for (one, other) in [
            ("192.0.2.1", "192.0.2.2"),
            ("2001:db8::1", "2001:db8:0:1::1"),
            ("::c000:201", "192.0.2.1"),
            ("0.0.0.0", ""),
            ("::", ""),
        ] {
            assert!(!same(one, other), "{one} and {other}");
        }
    }
}
