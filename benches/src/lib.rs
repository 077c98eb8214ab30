//! What the benches work on: an exchange as an ordinary request makes it, and the trivial plugin.

pub mod bare;
pub mod chain;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Request;
use weir_core::chain::{Exchange, ExchangeId};
use weir_core::clock::Clock;
use weir_core::http::Client;
use weir_core::telemetry::metrics::Metrics;
use weir_wasm::{BuiltIn, Host, HostOptions, Loader};

/// The component of `benches/guests/trivial`, which the build script compiles.
pub fn trivial() -> Vec<u8> {
    include_bytes!(concat!(env!("OUT_DIR"), "/trivial.wasm")).to_vec()
}

/// The component of `benches/guests/outbound`.
pub fn outbound() -> Vec<u8> {
    include_bytes!(concat!(env!("OUT_DIR"), "/outbound.wasm")).to_vec()
}

/// A host with the trivial plugin built in.
pub fn host() -> Host {
    host_of(&[("trivial", include_bytes!(concat!(env!("OUT_DIR"), "/trivial.wasm")))])
}

/// A host with these plugins built in.
pub fn host_of(built_ins: &'static [BuiltIn]) -> Host {
    Host::new(HostOptions {
        cache_dir: None,
        metrics: Metrics::new(),
        clock: Clock::System,
        built_ins,
        loader: Loader::Here,
    })
    .expect("this machine runs components")
}

/// What an ordinary browser's request makes.
pub fn exchange() -> Box<Exchange> {
    let (request, ()) = Request::get("/api/v1/item?id=7")
        .header("host", "api.example.com")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Chrome/126.0 Safari/537.36")
        .header("accept", "application/json, text/plain, */*")
        .header("accept-encoding", "gzip, deflate, br")
        .header("accept-language", "en-GB,en;q=0.8")
        .header("cookie", "sid=3f9c1d7a2b6e4c58; theme=dark; lang=en")
        .header("x-in", "abc")
        .body(())
        .expect("a request")
        .into_parts();
    let id = ExchangeId { process: 1, worker: 0, serial: 1 };
    let now = Instant::now();
    let times = (now, now + Duration::from_secs(30));
    Exchange::new(id, times, request, Arc::new(Client::default()), "bench".into())
}
