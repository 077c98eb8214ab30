//! Write plugins for the Weir reverse proxy in Rust.
//!
//! ```
//! use weir_sdk::{Plugin, Reply, Request, Response, Result, Verdict};
//!
//! /// What the operator writes under `config = { … }`. Doc comments end up in its JSON Schema.
//! #[weir_sdk::config]
//! struct Config {
//!     /// The key that callers send as `x-api-key`.
//!     key: weir_sdk::Secret,
//!     /// What the upstream is told about callers.
//!     #[serde(default = "caller")]
//!     note: weir_sdk::Template,
//! }
//!
//! fn caller() -> weir_sdk::Template {
//!     weir_sdk::Template::literal("known")
//! }
//!
//! struct KeyAuth(Config);
//!
//! #[weir_sdk::plugin]
//! impl Plugin for KeyAuth {
//!     type Config = Config;
//!
//!     fn configure(config: Config) -> Result<Self> {
//!         Ok(KeyAuth(config))
//!     }
//!
//!     fn on_request(&self, request: &mut Request) -> Result<Verdict> {
//!         match request.header("x-api-key") {
//!             Some(key) if self.0.key.matches(&key) => {}
//!             _ => return Ok(Reply::json(401, "a key is needed").into()),
//!         }
//!         request.remove_header("x-api-key")?;
//!         request.set_header("x-caller", self.0.note.render(request))?;
//!         Ok(Verdict::Forward)
//!     }
//!
//!     fn on_response(&self, _: &Request, response: &mut Response) -> Result {
//!         response.set_header("vary", "x-api-key")?;
//!         Ok(())
//!     }
//! }
//!
//! // Its test: no Wasm, no proxy.
//! use weir_sdk::testing;
//! let mut proxy = testing::Plugin::<KeyAuth>::configure(serde_json::json!({
//!     "key": "k", "note": "from {client.address}",
//! }))?;
//! let refused = proxy.request(testing::request("GET", "/"));
//! assert_eq!(refused.reply().status, 401);
//! let passed = proxy.request(testing::request("GET", "/").header("x-api-key", "k"));
//! assert_eq!(passed.forwarded().header("x-caller"), Some("from 192.0.2.1"));
//! # Ok::<(), weir_sdk::Error>(())
//! ```
//!
//! `#[weir_sdk::plugin]` makes the crate a component that exports exactly the hooks in the block;
//! the host calls nothing else. `#[weir_sdk::config]` derives deserialization and the JSON Schema.
//! What the plugin calls of the host is what its component imports, and what the operator grants:
//! [`log`], [`metrics`], [`limiter`], [`store`], [`outbound`]; [`clock`], [`random`] and [`limits`] need no grant.
//!
//! Natively (`cargo test`) the same calls go to a fake proxy: see [`testing`].

extern crate self as weir_sdk; // generated code names this crate by its path

#[doc(hidden)]
pub mod bindings;
mod cache;
mod client;
pub mod clock;
mod config;
mod error;
mod exports;
mod field;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
mod host;
pub mod limiter;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod outbound;
mod place;
mod plugin;
mod problem;
mod problems;
pub mod random;
mod reply;
mod request;
mod response;
mod schema;
pub mod store;
mod target;
mod template;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

#[doc(hidden)]
pub use {serde, serde_json, wit_bindgen};

pub use cache::Cache;
pub use client::{Client, Tls};
pub use config::{Duration, FieldName, NoConfig, Secret, Size};
#[cfg(feature = "regex")]
pub use config::{MAX_MATCHES, MAX_SUBJECT, Pattern, PatternSet, Substitution, TooLong};
pub use error::{BodyError, Error, HeaderError, Refusal, Result, StoreError};
pub use field::FieldValue;
pub use place::{Place, Sent};
pub use plugin::{Plugin, Summary, Transform};
pub use problems::Problems;
pub use reply::{Reply, Verdict};
pub use request::Request;
pub use response::Response;
pub use schema::Schema;
pub use target::{Target, decode, encode};
pub use template::{Template, TemplateError};
pub use weir_sdk_macros::{config, plugin};
