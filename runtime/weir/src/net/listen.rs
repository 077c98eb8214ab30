//! Listening sockets: one for each worker, so that none of them shares an accept queue.
//!
//! In: an address and how many workers there are. Out: as many listeners. Never: takes connections
//! away from another process: SO_REUSEPORT alone would let two proxies share a port by mistake.
#![expect(clippy::disallowed_methods, reason = "sockets are made on the control side")]

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use weir_core::config::Bind;

use super::{CLIENT_PATIENCE, ask_when_silent, end_after};

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Owner and group may connect to a Unix socket.
const SOCKET_MODE: u32 = 0o660;

/// A socket that listens, not yet in any runtime.
#[derive(Debug)]
pub enum ListenSocket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The file that leads to a Unix socket. Once it is another one, or gone, nobody finds the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketFile {
    device: u64,
    inode: u64,
}

/// The file at the address of a Unix socket; `None` where there is none, and for TCP.
pub fn socket_file(bind: &Bind) -> Option<SocketFile> {
    let Bind::Unix(path) = bind else { return None };
    let facts = std::fs::symlink_metadata(path).ok()?;
    Some(SocketFile { device: facts.dev(), inode: facts.ino() })
}

/// Removes the file of a Unix socket, if it still is this one. To be called while the socket listens:
/// until then no other file can have its number.
pub fn remove_socket_file(bind: &Bind, file: SocketFile) {
    let Bind::Unix(path) = bind else { return };
    if socket_file(bind) == Some(file)
        && let Err(error) = std::fs::remove_file(path)
    {
        tracing::warn!(socket = %path.display(), "the socket's file cannot be removed: {error}");
    }
}

/// Binds `bind` for `workers` workers (at least one). TCP sockets share the port by SO_REUSEPORT,
/// and where the port is 0 they all get the one that the system chose. A Unix socket is one queue
/// that all workers accept from; a file that a dead process left is replaced.
///
/// # Errors
///
/// The address is in use, or may not be bound; the message names it.
pub fn listen(bind: &Bind, workers: usize) -> io::Result<Vec<ListenSocket>> {
    let listeners = match bind {
        Bind::Tcp(address) => listen_tcp(*address, workers.max(1)),
        Bind::Unix(path) => listen_unix(path, workers.max(1)),
    };
    listeners.map_err(|error| {
        let at = match bind {
            Bind::Tcp(address) => address.to_string(),
            Bind::Unix(path) => format!("unix:{}", path.display()),
        };
        io::Error::new(error.kind(), format!("cannot listen on {at}: {error}{}", hint(&error)))
    })
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "; stop the process that has it, or choose another address",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root or CAP_NET_BIND_SERVICE, a Unix socket a writable folder"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    }
}

fn listen_tcp(address: SocketAddr, workers: usize) -> io::Result<Vec<ListenSocket>> {
    // Without SO_REUSEPORT this fails if anybody listens there already.
    if address.port() != 0 {
        tcp_socket(address)?.bind(&address.into())?;
    }
    let mut address = address;
    let mut listeners = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = tcp_socket(address)?;
        socket.set_reuse_port(true)?;
        socket.bind(&address.into())?;
        // Before it listens, so that no connection comes without; who waits longer says so.
        ask_when_silent(&socket);
        end_after(&socket, CLIENT_PATIENCE);
        socket.listen(BACKLOG)?;
        let listener = TcpListener::from(socket);
        address = listener.local_addr()?;
        listeners.push(ListenSocket::Tcp(listener));
    }
    Ok(listeners)
}

fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit it, which spares a system call for each.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

fn listen_unix(path: &Path, workers: usize) -> io::Result<Vec<ListenSocket>> {
    remove_stale(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    // Nobody can connect before it listens, so nobody gets in with the default mode.
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    socket.listen(BACKLOG)?;
    let mut listeners = Vec::with_capacity(workers);
    for _ in 1..workers {
        listeners.push(ListenSocket::Unix(UnixListener::from(socket.try_clone()?)));
    }
    listeners.push(ListenSocket::Unix(UnixListener::from(socket)));
    Ok(listeners)
}

/// Removes a socket that nobody listens on any more, and nothing else.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        let text = "there is a file of that name which is no socket";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path)
        }
        Err(error) => Err(error),
    }
}

impl ListenSocket {
    /// Where it listens; `None` for a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            ListenSocket::Tcp(listener) => listener.local_addr().ok(),
            ListenSocket::Unix(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn path(name: &str) -> std::path::PathBuf {
        std::env::temp_dir().join(format!("weir-listen-{}-{name}", std::process::id()))
    }

    #[test]
    fn workers_share_a_port_that_no_other_process_gets() {
        let any = Bind::Tcp("127.0.0.1:0".parse().unwrap());
        let listeners = listen(&any, 3).unwrap();
        let addresses: Vec<_> = listeners.iter().map(|it| it.local_addr().unwrap()).collect();
        assert_eq!(addresses.len(), 3);
        assert!(addresses.iter().all(|address| *address == addresses[0] && address.port() != 0));
        let again = listen(&Bind::Tcp(addresses[0]), 1).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AddrInUse);
        assert!(again.to_string().contains(&addresses[0].to_string()), "{again}");
        drop(listeners);
        assert!(listen(&Bind::Tcp(addresses[0]), 2).is_ok());
    }

    #[test]
    fn accepted_sockets_do_not_delay() {
        let listeners = listen(&Bind::Tcp("127.0.0.1:0".parse().unwrap()), 1).unwrap();
        let ListenSocket::Tcp(listener) = &listeners[0] else { panic!("not TCP") };
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        assert!(listener.accept().unwrap().0.nodelay().unwrap());
    }

    #[test]
    fn unix_sockets_replace_dead_ones_only() {
        let path = path("socket");
        let bind = Bind::Unix(path.clone());
        let listeners = listen(&bind, 2).unwrap();
        assert_eq!(listeners.len(), 2);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, SOCKET_MODE);
        assert_eq!(listen(&bind, 1).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let file = socket_file(&bind);
        assert!(file.is_some());
        drop(listeners);
        assert_eq!(socket_file(&bind), file, "the file stays, as after a crash");
        drop(listen(&bind, 1).unwrap());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(listen(&bind, 1).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::remove_file(&path).unwrap();
    }
}
