//! A fake proxy, for tests of a plugin's logic: no Wasm, no sockets, no waiting.
//!
//! ```
//! # use weir_sdk::{NoConfig, Plugin, Reply, Request, Result, Verdict};
//! # struct Tea;
//! # #[weir_sdk::plugin]
//! # impl Plugin for Tea {
//! #     type Config = NoConfig;
//! #     fn configure(_: NoConfig) -> Result<Self> { Ok(Tea) }
//! #     fn on_request(&self, request: &mut Request) -> Result<Verdict> {
//! #         if request.path() == "/coffee" { return Ok(Reply::text(418, "tea").into()); }
//! #         request.set_header("x-tea", "yes")?;
//! #         Ok(Verdict::Forward)
//! #     }
//! # }
//! use weir_sdk::testing;
//!
//! let mut proxy = testing::Plugin::<Tea>::configure(serde_json::json!({}))?;
//! let exchange = proxy.request(testing::request("GET", "/coffee"));
//! assert_eq!(exchange.reply().status, 418);
//!
//! // A whole exchange: every hook, in the proxy's order.
//! let exchange = proxy.exchange(testing::request("GET", "/"), testing::response(200));
//! assert_eq!(exchange.forwarded().header("x-tea"), Some("yes"));
//! assert_eq!(exchange.response().status(), 200);
//! # Ok::<(), weir_sdk::Error>(())
//! ```
//!
//! The fake refuses what the proxy refuses: a configuration that does not fit its schema, illegal
//! names and values, fields that belong to the proxy, changes to the request in a response hook, too
//! many attributes, keys that are too long, metrics whose name is the proxy's own
//! ([`Plugin::dropped_metrics`]), and what the quota that is there by default has no room for. Grammars
//! and bounds are the proxy's own code. What ends a plugin there with a trap is a panic here. Time stands
//! still until [`Plugin::advance`], and randomness is the same in every run until [`Plugin::seed`].

pub(crate) mod calling;
mod exchange;
mod head;
pub(crate) mod host;
mod message;
mod metrics;
mod plugin;
mod schema;
mod state;
#[cfg(test)]
mod tests;

pub use exchange::{Answer, Exchange, Forwarded};
pub use message::{Called, FakeRequest, FakeResponse, request, response};
pub use plugin::Plugin;
pub use state::LogLine;
