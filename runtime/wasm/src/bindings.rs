//! The types of `wit/`, made by `bindgen!`, and the names under which the contract is imported and
//! exported.
//!
//! In: the WIT files. Out: Rust types for its records, variants and enums. Never: the functions;
//! `host/` defines those by hand, so that texts and lists a guest passes are read where they lie in
//! its memory instead of being copied first, and exports are looked up one by one, because a plugin
//! may have any mix of hooks.

use weir_core::chain;

mod generated {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "all-hooks",
        imports: { default: trappable },
    });
}

pub use generated::exports::weir::plugin::completion_hook::Summary;
pub use generated::exports::weir::plugin::lifecycle::About;
pub use generated::exports::weir::plugin::request_hook::Verdict;
pub use generated::weir::plugin::types::{BodyError, HeaderError, Reply};
pub use generated::weir::plugin::{client::TlsConnection, limiter, log::Level, store::StoreError};

/// The package and the versions that this build knows.
pub const PACKAGE: &str = "weir:plugin/";
pub const VERSION: &str = "0.2.0";
/// What a version must start with.
pub const VERSION_TRACK: &str = "0.2.";

impl From<&chain::Summary> for Summary {
    fn from(summary: &chain::Summary) -> Self {
        Summary {
            status: summary.status,
            request_bytes: summary.request_bytes,
            response_bytes: summary.response_bytes,
            duration_micros: u64::try_from(summary.duration.as_micros()).unwrap_or(u64::MAX),
            upstream: summary.upstream.as_deref().map(str::to_owned),
            error: summary.error.map(str::to_owned),
        }
    }
}
