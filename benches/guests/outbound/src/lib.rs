//! What the benches call: one call to another service for every request, and whoever is not answered with 200 is
//! refused.

use weir_sdk::outbound::Call;
use weir_sdk::{Plugin, Request, Result, Verdict, bail};

#[weir_sdk::config]
struct Outbound {
    /// Who is called.
    url: String,
}

#[weir_sdk::plugin]
impl Plugin for Outbound {
    type Config = Self;

    fn configure(config: Self) -> Result<Self> {
        Ok(config)
    }

    fn on_request(&self, _: &mut Request) -> Result<Verdict> {
        match Call::get(self.url.as_str()).send()?.status() {
            200 => Ok(Verdict::Forward),
            status => bail!("it was answered with {status}"),
        }
    }
}
