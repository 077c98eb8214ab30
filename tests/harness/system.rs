//! What tests ask of the system.

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::Duration;

#[cfg(target_os = "linux")]
use rustix::io::Errno;
#[cfg(target_os = "linux")]
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use socket2::{Domain, Socket, Type};

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
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(source, 0).into())?;
    socket.connect_timeout(&address.into(), CONNECTED_WITHIN)?;
    Ok(socket.into())
}

/// As long as a connection may take.
const CONNECTED_WITHIN: Duration = Duration::from_secs(5);
/// Of every machine that these tests run on.
const PAGE: usize = 4096;
/// Ticks of processor time in a second.
const TICKS: u32 = 100;

/// The TCP sockets of a process that this one started: what is asked of them is asked of its own.
#[cfg(target_os = "linux")]
pub fn tcp_sockets(process: u32) -> Vec<socket2::Socket> {
    let number = i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process");
    let handle = pidfd_open(number, PidfdFlags::empty()).expect("a process");
    let files = std::fs::read_dir(format!("/proc/{process}/fd")).expect("Linux");
    let socket = |file: std::fs::DirEntry| {
        let leads_to = std::fs::read_link(file.path()).ok()?;
        let number = file.file_name().to_str()?.parse().ok()?;
        if !leads_to.to_str()?.starts_with("socket:") {
            return None;
        }
        let socket = match pidfd_getfd(&handle, number, PidfdGetfdFlags::empty()) {
            Ok(socket) => socket2::Socket::from(socket),
            // Closed meanwhile.
            Err(Errno::BADF) => return None,
            Err(error) => panic!("a socket of the process: {error}"),
        };
        let is_ip = [socket2::Domain::IPV4, socket2::Domain::IPV6].contains(&socket.domain().ok()?);
        (is_ip && socket.r#type().ok()? == socket2::Type::STREAM).then_some(socket)
    };
    files.filter_map(|file| socket(file.ok()?)).collect()
}

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

/// Whether every thread of a process stands still after a STOP signal.
pub fn is_stopped(process: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{process}/task")).expect("Linux");
    let state = |thread: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(thread.ok()?.path().join("stat")).ok()
    };
    threads
        .filter_map(state)
        .all(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
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
