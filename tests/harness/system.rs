//! What tests ask of the system.

use std::net::{IpAddr, SocketAddr, TcpStream};

use crate::ports::free_port;

/// An address of this machine that nobody listens on.
pub fn free_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// A connection that comes from an address of this machine, as that of another client.
///
/// # Errors
/// Where there is none.
pub fn connect_from(source: IpAddr, address: SocketAddr) -> std::io::Result<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stream = runtime.block_on(async {
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source, 0))?;
        socket.connect(address).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Of every machine that these tests run on.
const PAGE: usize = 4096;

/// Bytes of a process in memory.
pub fn resident_bytes(process: u32) -> usize {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).expect("Linux");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number of pages") * PAGE
}
