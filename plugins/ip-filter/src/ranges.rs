//! A set of address ranges.
//!
//! In: addresses and CIDR ranges as text. Out: whether an address is in one of them, by two binary
//! searches' worth of comparisons at most. Never: lets an IPv4 address slip by in IPv6 clothes.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;
use weir_sdk::{Error, Result};

/// An address, or all that begin with the bits of a prefix.
#[weir_sdk::config]
#[serde(try_from = "String")]
pub struct Network(IpNet);

/// Disjoint, sorted ranges, both ends included.
pub struct Ranges {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

// === impl Ranges ===

impl Ranges {
    pub fn of(networks: &[Network]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for Network(net) in networks {
            match (canonical(net.network()), canonical(net.broadcast())) {
                (IpAddr::V4(first), IpAddr::V4(last)) => v4.push((first.into(), last.into())),
                (first, last) => {
                    v6.push((mapped(first).into(), mapped(last).into()));
                    // `::/0` and its like hold the IPv4 addresses too, as IPv6 writes them.
                    v4.extend(v4_part(mapped(first).into(), mapped(last).into()));
                }
            }
        }
        Self { v4: merged(v4), v6: merged(v6) }
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        match canonical(address) {
            IpAddr::V4(address) => holds(&self.v4, address.into()),
            IpAddr::V6(address) => holds(&self.v6, address.into()),
        }
    }
}

// === impl Network ===

impl TryFrom<String> for Network {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        let net = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse::<IpNet>().map_err(|_| {
                let message = format!("`{text}` is no address and no CIDR range");
                Error::new(message).help("such as \"192.0.2.7\" or \"10.0.0.0/8\"")
            })?,
        };
        if net.addr() != net.network() {
            let error = Error::new(format!("`{text}` has bits behind its prefix"));
            return Err(error.help(format!("write \"{}\", or the address alone", net.trunc())));
        }
        Ok(Self(net))
    }
}

/// `::ffff:192.0.2.1` is 192.0.2.1.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// What a range of IPv6 addresses has in common with `::ffff:0:0/96`.
fn v4_part(first: u128, last: u128) -> Option<(u32, u32)> {
    const BASE: u128 = 0xffff << 32;
    let low = first.max(BASE);
    let high = last.min(BASE | u128::from(u32::MAX));
    (low <= high).then(|| ((low - BASE) as u32, (high - BASE) as u32))
}

/// Sorts, and joins what overlaps.
fn merged<T: Ord + Copy>(mut ranges: Vec<(T, T)>) -> Vec<(T, T)> {
    ranges.sort_unstable();
    let mut out: Vec<(T, T)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match out.last_mut() {
            Some(before) if first <= before.1 => before.1 = before.1.max(last),
            _ => out.push((first, last)),
        }
    }
    out
}

fn holds<T: Ord + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after.checked_sub(1).and_then(|at| ranges.get(at)).is_some_and(|(_, last)| address <= *last)
}
