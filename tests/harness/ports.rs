//! Ports of processes: one that is free, and when it is listened on.

use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::wait::until;

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// Waits until somebody accepts there.
///
/// # Panics
/// After ten seconds.
pub fn wait_for_port(address: SocketAddr) {
    until(&format!("nobody listens on {address}"), || TcpStream::connect(address).is_ok());
}
