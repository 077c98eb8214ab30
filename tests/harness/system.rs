//! What tests ask of the system.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

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
/// Ticks of processor time in a second.
const TICKS: u32 = 100;

/// Bytes of a process in memory.
pub fn resident_bytes(process: u32) -> usize {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).expect("Linux");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number of pages") * PAGE
}

/// Processor time that a process has taken.
pub fn processor_time(process: u32) -> Duration {
    time_of(&format!("/proc/{process}"))
}

/// Keeps the calling thread busy until it has had so much processor time: whoever else has as much to
/// do had about as much meanwhile, however busy the machine is.
pub fn busy_for(time: Duration) {
    let own = || time_of("/proc/thread-self");
    let begin = own();
    while own() - begin < time {}
}

/// Of a process or thread.
fn time_of(folder: &str) -> Duration {
    let text = std::fs::read_to_string(format!("{folder}/stat")).expect("Linux");
    // Behind the name, which may hold spaces: user and system time are the 14th and 15th field.
    let fields = text.rsplit(") ").next().expect("fields").split(' ').skip(11);
    let ticks: u32 = fields.take(2).map(|field| field.parse::<u32>().expect("ticks")).sum();
    Duration::from_secs(1) * ticks / TICKS
}
