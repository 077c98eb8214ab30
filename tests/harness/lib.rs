//! What whole-system tests are made of: a proxy, origins behind it, clients before it.
//!
//! In: a configuration as text, with the origins' addresses put in. Out: what a client got and what
//! an origin saw. Never: a mock of anything that Weir itself does; sleeps only where a peer is
//! meant to be slow.

#[path = "../../runtime/wasm/src/tests/guest.rs"]
pub mod as_text;
mod beat;
mod certificates;
mod client;
pub mod endpoint;
pub mod frames;
mod gate;
mod guest;
mod log;
mod origin;
mod ports;
mod proxy;
mod secure;
mod setup;
mod skip;
mod system;
mod wait;

pub use beat::{Beat, slowly};
pub use certificates::Certificates;
pub use client::{Answer, RawClient, get, get_from, h2, request};
pub use gate::Gate;
pub use guest::guest;
pub use log::{Line, lines, wait_for_line};
pub use origin::{Origin, Seen, read_head};
pub use ports::{free_port, wait_for_port};
pub use proxy::{Daemon, Proxy};
pub use secure::{tls_get, tls_version};
pub use setup::Setup;
pub use skip::skipped;
#[cfg(target_os = "linux")]
pub use system::tcp_sockets;
pub use system::{
    busy_for, connect_from, free_address, is_stopped, processor_time, resident_bytes,
};
pub use wait::{until, until_within};
