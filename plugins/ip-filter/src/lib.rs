//! Lets requests pass or not by the client's address.
//!
//! In: the address the proxy found, after PROXY protocol and trusted `Forwarded` processing.
//! Out: 403, or on it goes. Never: looks at a header field itself, which anybody can write.

use std::net::IpAddr;

use weir_sdk::{Plugin, Reply, Request, Result, Verdict, bail};

mod ranges;
#[cfg(test)]
mod tests;

use ranges::{Network, Ranges};

/// What the operator writes under `config = { … }`.
#[weir_sdk::config]
struct Config {
    /// Addresses and CIDR ranges that may pass; empty: all that `deny` does not name.
    #[serde(default)]
    allow: Vec<Network>,
    /// Addresses and CIDR ranges that may not, even if `allow` names them too.
    #[serde(default)]
    deny: Vec<Network>,
}

struct IpFilter {
    allow: Option<Ranges>,
    deny: Ranges,
}

#[weir_sdk::plugin]
impl Plugin for IpFilter {
    type Config = Config;

    fn configure(config: Config) -> Result<Self> {
        if config.allow.is_empty() && config.deny.is_empty() {
            bail!("`allow` and `deny` are both empty, so nothing would be filtered: fill one");
        }
        Ok(Self {
            allow: (!config.allow.is_empty()).then(|| Ranges::of(&config.allow)),
            deny: Ranges::of(&config.deny),
        })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict> {
        if self.passes(request.client_ip()) {
            return Ok(Verdict::Forward);
        }
        Ok(Reply::problem(403, "Forbidden", "this address may not use this service").into())
    }
}

impl IpFilter {
    /// `deny` wins. A client without an address (a Unix socket) is on no list.
    fn passes(&self, address: Option<IpAddr>) -> bool {
        let named = |ranges: &Ranges| address.is_some_and(|address| ranges.contains(address));
        !named(&self.deny) && self.allow.as_ref().is_none_or(named)
    }
}
