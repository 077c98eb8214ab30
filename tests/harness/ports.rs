//! Ports of processes: one that is free, and when it is listened on.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

use crate::wait::until;

/// Below the ports that systems give to whoever connects: what is free stays free.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

/// A port that nobody listens on now, and that nobody else in this process was given.
///
/// # Panics
/// Where all of them are in use.
pub fn free_port() -> u16 {
    // Processes that run beside each other begin elsewhere.
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let begin = || AtomicU16::new(((std::process::id() * 97) % u32::from(COUNT)) as u16);
    let next = NEXT.get_or_init(begin);
    (0..COUNT)
        .map(|_| FIRST + next.fetch_add(1, Relaxed) % COUNT)
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a port")
}

/// Waits until somebody accepts there.
///
/// # Panics
/// After ten seconds.
pub fn wait_for_port(address: SocketAddr) {
    until(&format!("nobody listens on {address}"), || TcpStream::connect(address).is_ok());
}
