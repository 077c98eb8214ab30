//! How the system finds out about peers that are gone.
//!
//! In: a socket of either side. Out: the same, on which the system asks a silent peer whether it is
//! there, and gives up one that acknowledges nothing. Never: costs a byte on a connection that is
//! used. Where the system has no such setting, nothing happens.

use std::os::fd::AsFd;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

/// A silent peer is asked for the first time after this, then every [`ASK_AGAIN`].
const ASK_AFTER: Duration = Duration::from_secs(30);
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// So many questions without an answer end the connection.
const ASK_TIMES: u32 = 3;

/// How long any client may acknowledge nothing, or take nothing, of what it was sent.
pub const CLIENT_PATIENCE: Duration = Duration::from_secs(60);
/// The same for an endpoint.
pub const ENDPOINT_PATIENCE: Duration = Duration::from_secs(120);

/// Has a silent peer asked. A listening socket hands this on to the sockets that it accepts.
pub fn ask_when_silent(socket: &impl AsFd) {
    let keepalive = TcpKeepalive::new().with_time(ASK_AFTER).with_interval(ASK_AGAIN);
    #[cfg(any(target_os = "linux", target_os = "macos", target_os = "freebsd"))]
    let keepalive = keepalive.with_retries(ASK_TIMES);
    let _ = SockRef::from(socket).set_tcp_keepalive(&keepalive);
}

/// Ends a connection (RFC 5482) whose peer acknowledges nothing for so long, or has no room: to be
/// no less than what the proxy itself grants. A listening socket hands this on, too.
pub fn end_after(socket: &impl AsFd, patience: Duration) {
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(socket).set_tcp_user_timeout(Some(patience));
    #[cfg(not(target_os = "linux"))]
    let _ = (socket, patience);
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn accepted_sockets_inherit_both() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        ask_when_silent(&listener);
        end_after(&listener, Duration::from_secs(77));
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        let socket = SockRef::from(&accepted);
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap(), ASK_AFTER);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), ASK_AGAIN);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), ASK_TIMES);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(77)));
        assert!(!SockRef::from(&client).keepalive().unwrap());
    }
}
